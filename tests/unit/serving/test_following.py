"""Following the config of a gateway, whatever happens on the way."""

import asyncio

import pytest

from paddock.kernel.digest import digest_bytes
from paddock.serving import EndpointConfig, GatewayState, Route
from paddock.serving.gateway import process
from paddock.serving.gateway.watcher import ConfigWatcher
from paddock.serving.state import write_config


class FailingWatcher:
    """Fails at the start and at the first look, and tells when it is asked again."""

    def __init__(self) -> None:
        self.looks = 0
        self.asked_again = asyncio.Event()

    async def start(self) -> None:
        raise RuntimeError("unforeseen at the start")

    async def follow(self) -> None:
        self.looks += 1
        if self.looks == 1:
            raise RuntimeError("unforeseen")
        self.asked_again.set()
        await asyncio.Event().wait()


async def follow_until_asked_again() -> int:
    watcher = FailingWatcher()
    task = asyncio.create_task(process._follow(watcher))
    async with asyncio.timeout(30):
        await watcher.asked_again.wait()
    task.cancel()
    return watcher.looks


def test_unforeseen_fault_does_not_end_following(monkeypatch, caplog):
    """A gateway that stopped following would serve on and silently take no further config."""
    monkeypatch.setattr(process, "_FOLLOW_AGAIN_S", 0.0)
    monkeypatch.setattr(process.gc, "freeze", lambda: None)  # for the gateway's process, not for the tests'

    looks = asyncio.run(follow_until_asked_again())

    assert looks == 2
    assert caplog.text.count("config.following_failed") == 2


class BrokenServed:
    """Has a fault that nobody foresaw whenever it is to serve something."""

    current = None

    async def apply(self, config: EndpointConfig) -> None:
        raise RuntimeError("unforeseen")


def test_config_that_meets_an_unforeseen_fault_is_told_as_refused(tmp_path):
    """Who waits for a generation hears that it will not come, instead of waiting in vain."""
    state = GatewayState(tmp_path)
    digest = digest_bytes(b"package")
    config = EndpointConfig("delay", 3, "delay", "salt", (Route(1, 1.0),), {1: digest})
    write_config(state.config_path, config)
    watcher = ConfigWatcher(state, BrokenServed())

    with pytest.raises(RuntimeError, match="unforeseen"):
        asyncio.run(watcher.check())

    assert watcher.status.refused_generation == 3
    assert "RuntimeError" in watcher.status.refusal
