"""A process that stores, completes and frees artifacts, and kills itself at the n-th step on the disk.

    artifact_steps.py FOLDER N

A step is a flush, a new name, a renewal or a deletion in the object store. Says on stdout what was done.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

from paddock.app import App, open_app
from paddock.governance import ignore_progress
from paddock.governance.collecting import Collector
from paddock.kernel.settings import resolve_settings
from paddock.objects import files

P = ParamSpec("P")
T = TypeVar("T")
BODY = b"body " * 1_800_000


class Countdown:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def watch(self, step: Callable[P, T]) -> Callable[P, T]:
        """Return `step`, which ends this process, before it does anything, when it is the last one left."""

        def act(*arguments: P.args, **named: P.kwargs) -> T:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments, **named)

        return act


def work(app: App) -> None:
    app.artifacts.put("", "small", b"small")
    say("small")
    app.artifacts.put_stream("", "large", iter((BODY[:999], BODY[999:])))
    say("large")
    upload = app.uploads.create("", "parts")
    app.uploads.put_part(upload.upload_id, 1, b"small")
    app.uploads.put_part(upload.upload_id, 2, BODY)
    app.uploads.complete(upload.upload_id)
    say("parts")
    app.objects.put(b"loose")
    root = app.store.folder / "objects"
    for digest in app.objects.list_digests():
        os.utime(root / digest[:2] / digest[2:], (time.time() - 172_800,) * 2)
    Collector(
        app.metadata, app.objects, app.clock, "ann", app.store.folder, timedelta(days=1), ignore_progress
    ).collect(deletes=True)
    say("collected")


def say(what: str) -> None:
    os.write(1, f"{what}\n".encode())  # one system call: a killed process leaves whole lines


def main(folder: str, steps: int) -> None:
    countdown = Countdown(steps)
    with closing(open_app(resolve_settings({"store": folder, "principal": "ann"}, {}, {}))) as app:
        files._sync_data = countdown.watch(files._sync_data)
        for name in ("fsync", "rename", "unlink", "mkdir", "utime"):
            setattr(os, name, countdown.watch(getattr(os, name)))
        work(app)


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), int(sys.argv[2]))
