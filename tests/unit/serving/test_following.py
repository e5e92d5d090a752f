"""Following the config of a gateway, whatever happens on the way."""

import asyncio

from paddock.serving.gateway import process


class FailingWatcher:
    """Fails at the first look, and tells when it is asked again."""

    def __init__(self) -> None:
        self.looks = 0
        self.asked_again = asyncio.Event()

    async def start(self) -> None:
        pass

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
    assert "config.following_failed" in caplog.text
