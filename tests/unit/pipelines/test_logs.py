"""What steps print and log at the same time is kept apart."""

import contextvars
import logging
import sys
import threading

import pytest

from paddock.pipelines import logs
from paddock.pipelines.logs import StepLog, capture_log, routed_output


def _talk(name: str, log: StepLog, barrier: threading.Barrier) -> None:
    with capture_log(log):
        for line in range(20):
            barrier.wait()
            print(f"{name} out {line}")
            sys.stderr.write(f"{name} err {line}\n")
            logging.getLogger(f"talk.{name}").warning("%s log %s", name, line)


def test_steps_that_talk_at_once_are_kept_apart() -> None:
    """Two threads that print and log in turn each have all of their own lines and none of the other's."""
    texts = {"a": StepLog(), "b": StepLog()}
    barrier = threading.Barrier(2, timeout=30)
    with routed_output():
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(_talk, name, log, barrier))
            for name, log in texts.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for name, log in texts.items():
        lines = log.text().splitlines()
        assert len(lines) == 60
        assert all(name in line.split() or f"talk.{name}:" in line for line in lines)
        assert f"WARNING talk.{name}: {name} log 19" in lines


def test_output_outside_a_step_goes_where_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    """The streams work as before outside a step, and are themselves again afterwards."""
    before = (sys.stdout, sys.stderr, list(logging.root.handlers))
    with routed_output():
        print("outside")
        with routed_output(), capture_log(StepLog()):
            print("inside")
        print("outside again")

    assert capsys.readouterr().out == "outside\noutside again\n"
    assert (sys.stdout, sys.stderr, list(logging.root.handlers)) == before


def test_endless_log_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log keeps a bounded number of characters and says how many it lost."""
    monkeypatch.setattr(logs, "MAX_LOG_CHARACTERS", 10)
    log = StepLog()
    for _ in range(5):
        log.write("abcd")

    assert log.text() == "abcdabcdab\n[10 more characters were not kept]\n"
