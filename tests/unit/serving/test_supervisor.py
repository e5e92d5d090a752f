"""What is told of a gateway that died, and how it is started again."""

import logging
import os
import queue
import signal
from collections.abc import Iterator
from logging.handlers import QueueHandler
from pathlib import Path

import pytest

from paddock.serving import GatewayOptions, GatewaySupervisor


@pytest.fixture
def told() -> Iterator["queue.Queue[logging.LogRecord]"]:
    """The events of the supervisor, as they come."""
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = QueueHandler(records)
    log = logging.getLogger("paddock.serving.supervisor")
    log.addHandler(handler)
    yield records
    log.removeHandler(handler)


def test_end_of_a_gateway_is_told_with_endpoint_and_signal(
    tmp_path: Path, told: "queue.Queue[logging.LogRecord]"
):
    """Who killed it is named, and that it runs again."""
    supervisor = GatewaySupervisor(GatewayOptions(state=tmp_path / "delay", port=0))
    try:
        pid = supervisor.gateway.pid
        supervisor.gateway.wait_listening(60)
        os.kill(pid, signal.SIGKILL)
        died, restarted = vars(told.get(timeout=60)), vars(told.get(timeout=60))
    finally:
        supervisor.stop()

    assert (died["msg"], died["endpoint"], died["pid"]) == ("gateway.died", "delay", pid)
    assert (died["exit_code"], died["reason"], died["restart_in_s"]) == (-9, "killed by SIGKILL", 0.2)
    assert (restarted["msg"], restarted["endpoint"]) == ("gateway.restarted", "delay")
    assert restarted["pid"] != pid


def test_gateway_that_cannot_start_is_told_with_its_own_words(
    tmp_path: Path, told: "queue.Queue[logging.LogRecord]"
):
    """The last error of its report stands in the event."""
    options = GatewayOptions(
        state=tmp_path / "delay", port=0, log_mode="never"
    )  # no gateway takes such a mode
    supervisor = GatewaySupervisor(options)
    try:
        died = vars(told.get(timeout=60))
    finally:
        supervisor.stop()

    assert (died["msg"], died["endpoint"]) == ("gateway.died", "delay")
    assert died["exit_code"] > 0
    assert "never" in died["reason"]
