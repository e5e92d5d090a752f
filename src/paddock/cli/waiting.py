"""Waiting for the end of a foreground command: Ctrl-C, SIGTERM, or the parent's death."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


def run_until_stopped(work: Callable[[], object], every_s: float, *, parent_fd: int = -1) -> bool:
    """Call `work` every `every_s` seconds until told to stop; return whether Ctrl-C was the reason.

    parent_fd: the reading end of a pipe; when its other end closes, this stops too. A second Ctrl-C
    raises KeyboardInterrupt at once.
    """
    stopped = threading.Event()
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        if signal.SIGINT in received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)
        stopped.set()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    if parent_fd >= 0:
        threading.Thread(target=_watch, args=(parent_fd, stopped), daemon=True).start()
    try:
        while not stopped.is_set():
            work()
            stopped.wait(every_s)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return signal.SIGINT in received


def _watch(descriptor: int, stopped: threading.Event) -> None:
    while os.read(descriptor, 1024):
        pass
    stopped.set()
