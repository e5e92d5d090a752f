"""Places at a store that one process at a time may have: its server, and the loop of each project.

A claim is a lock on a file of the store's folder, so it ends with its process, however that ends. The file
names the process and its address for whoever comes second. A store in a database is not claimed: several
servers may share it.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.app.root import ensure_folder, is_in_database
from paddock.kernel.errors import StoreInUse
from paddock.kernel.names import check_name

if TYPE_CHECKING:
    from paddock.kernel.settings import Settings

log = logging.getLogger("paddock.app")

_MOST_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """What this process holds. descriptor: a child that inherits it holds the place too; -1 for no lock."""

    descriptor: int = -1

    def announce(self, url: str) -> None:
        """Tell whoever comes second where this process answers."""
        if self.descriptor < 0:
            return
        text = f"{os.getpid()} {url}\n".encode()
        try:
            os.pwrite(self.descriptor, text, 0)
            os.ftruncate(self.descriptor, len(text))
        except OSError as error:  # a full disk: the lock holds all the same, it only names nobody
            log.warning("claim.not_named", extra={"errno": error.errno})


@contextmanager
def claim_server(settings: Settings) -> Iterator[Claim]:
    """Be the only server of the store while the block runs; StoreInUse tells where the other one is."""
    with _claim(settings, "server.lock", f"the store `{settings.text('store')}` is served") as claim:
        yield claim


@contextmanager
def claim_loop(settings: Settings) -> Iterator[Claim]:
    """Be the only loop of the project in the store while the block runs; StoreInUse names the other one."""
    store, project = settings.text("store"), check_name("project", settings.text("project"))
    what = f"the loop of project `{project}` in the store `{store}` is run"
    with _claim(settings, f"loop-{project}.lock", what) as claim:
        yield claim


@contextmanager
def _claim(settings: Settings, name: str, what: str) -> Iterator[Claim]:
    from paddock.metadata import check_writable

    if is_in_database(settings):
        yield Claim()
        return
    check_writable(settings.text("store"))
    path = ensure_folder(settings).resolve() / name
    descriptor = _lock(path, what)
    try:
        claim = Claim(descriptor)
        claim.announce("")
        yield claim
    finally:
        path.unlink(missing_ok=True)  # before the lock goes, so that nobody's file but ours is removed
        os.close(descriptor)


def _lock(path: Path, what: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            refusal = _refusal(descriptor, what)
            os.close(descriptor)
            raise refusal from error
        if _is_named(path, descriptor):
            return descriptor
        os.close(descriptor)  # its last holder has removed it meanwhile; another one may stand there by now


def _is_named(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _refusal(descriptor: int, what: str) -> StoreInUse:
    pid, _, url = os.pread(descriptor, _MOST_BYTES, 0).decode("utf-8", "replace").strip().partition(" ")
    owner = f"process {pid}" if pid else "another process"
    where = f" at {url}" if url else ""
    stop = f"kill {pid}" if pid else "stop that process"
    hint = f"use {url}, or end it first: {stop}" if url else f"end it first: {stop}"
    return StoreInUse(f"{what} by {owner}{where} already", hint=hint, pid=pid, url=url)
