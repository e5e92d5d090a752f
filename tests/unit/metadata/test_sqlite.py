"""SQLite's own matters: files, queue, groups, locks."""

import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import InvalidInput, QueueFull, Unavailable, UnreadableFile
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, NewEvent, StoreLoad, Transaction, open_metadata
from paddock.metadata.sqlite_connection import open_connection
from paddock.metadata.sqlite_files import find_filesystem
from paddock.metadata.turnstile import Turnstile
from paddock.metadata.writer import Writer, WriteRequest

_NOW = datetime(2013, 4, 1, tzinfo=UTC)
_EVENT = NewEvent(DEFAULT_PROJECT, "ann", "note.added", "note:a", _NOW, {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Metadata]:
    store = open_metadata(str(tmp_path / "store"), clock=SimulatedClock(_NOW), write_queue_size=4)
    yield store
    store.close()


class _Blocker:
    """Keeps the writer busy inside a change until it is told to go on."""

    def __init__(self) -> None:
        self.is_running = threading.Event()
        self.go_on = threading.Event()

    def change(self, _tx: Transaction) -> None:
        self.is_running.set()
        assert self.go_on.wait(30)


def _count_events(store: Metadata) -> int:
    return store.verify_ledger().checked_count


def test_files_are_private(store: Metadata, tmp_path: Path) -> None:
    """Nobody but the owner can read the folder or a file of the store."""
    store.write(lambda tx: tx.append_event(_EVENT))

    folder = tmp_path / "store"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
        ("metadata.db", "metadata.db-wal", "metadata.db-shm", "metadata.db-turn"), 0o600
    )


def test_header_names_paddock(store: Metadata, tmp_path: Path) -> None:
    """The file says whose it is, and the settings that durability rests on are in force."""
    connection = open_connection(tmp_path / "store" / "metadata.db", busy_timeout_s=1, is_writable=True)

    assert connection.pragma("application_id") == 0x50646B4D
    assert connection.pragma("user_version") >= 1
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("foreign_keys") == 1
    assert connection.pragma("trusted_schema") == 0
    assert connection.pragma("wal_autocheckpoint") == 0
    connection.close()


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """A SQLite file that is not ours is left alone, and so is a file that is no database."""
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    (tmp_path / "text.db").write_text("not a database at all " * 100)

    with pytest.raises(UnreadableFile, match="another program"):
        open_metadata(str(tmp_path / "other.db"), clock=SimulatedClock(_NOW))
    with pytest.raises(UnreadableFile, match="not a database"):
        open_metadata(str(tmp_path / "text.db"), clock=SimulatedClock(_NOW))


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file where the store's folder should be is named in the error."""
    (tmp_path / "store").write_text("")

    with pytest.raises(InvalidInput, match="store"):
        open_metadata(str(tmp_path / "store"), clock=SimulatedClock(_NOW))


def test_full_queue_refuses(store: Metadata) -> None:
    """When the queue is full a write is refused at once and counted, and those that wait are committed."""
    blocker = _Blocker()
    with ThreadPoolExecutor(6) as pool:
        pool.submit(store.write, blocker.change)
        assert blocker.is_running.wait(30)
        waiting = [pool.submit(store.write, lambda tx: tx.append_event(_EVENT)) for _ in range(4)]
        while store.load().waiting_count < 4:
            os.sched_yield()
        with pytest.raises(QueueFull, match="4 writes are waiting"):
            store.write(lambda tx: tx.append_event(_EVENT))
        assert store.load() == StoreLoad(waiting_count=4, refused_count=1)
        blocker.go_on.set()
        for future in waiting:
            future.result(30)

    assert _count_events(store) == 4
    assert store.load() == StoreLoad(waiting_count=0, refused_count=1)


def test_waiting_writes_share_a_commit(tmp_path: Path, store: Metadata) -> None:
    """Whatever has queued up is committed together; a failing request rolls back alone."""
    path = tmp_path / "store" / "metadata.db"
    turnstile = Turnstile(tmp_path / "turn", 5)
    writer = Writer(path, turnstile, queue_size=100, busy_timeout_s=5)
    commits: list[int] = []
    blocker = _Blocker()

    def fail(tx: Transaction) -> None:
        tx.append_event(_EVENT)
        raise LookupError

    with ThreadPoolExecutor(12) as pool:
        pool.submit(writer.submit, WriteRequest(blocker.change, None, 0))
        assert blocker.is_running.wait(30)
        good = [
            pool.submit(writer.submit, WriteRequest(lambda tx: tx.append_event(_EVENT), None, 0))
            for _ in range(9)
        ]
        bad = pool.submit(writer.submit, WriteRequest(fail, None, 0))
        while writer._queue.qsize() < 10:
            os.sched_yield()
        writer._connection.set_commit_hook(lambda: commits.append(1) or False)
        blocker.go_on.set()
        for future in good:
            future.result(30)
        assert isinstance(bad.exception(30), LookupError)
    writer.close()
    turnstile.close()

    assert len(commits) == 2  # the blocker's own, and one for all that waited
    assert _count_events(store) == 9


def test_write_inside_change_is_refused(store: Metadata) -> None:
    """A change that calls `write` would wait for itself for ever; it is told so."""
    with pytest.raises(RuntimeError, match="wait for itself"):
        store.write(lambda _: store.write(lambda tx: tx.append_event(_EVENT)))


def test_closing_commits_what_waits(store: Metadata) -> None:
    """Writes that were accepted before `close` are committed by it."""
    blocker = _Blocker()
    with ThreadPoolExecutor(4) as pool:
        pool.submit(store.write, blocker.change)
        assert blocker.is_running.wait(30)
        waiting = pool.submit(store.write, lambda tx: tx.append_event(_EVENT))
        while store._writer._queue.empty():  # type: ignore[attr-defined]
            os.sched_yield()
        closing = pool.submit(store.close)
        blocker.go_on.set()
        waiting.result(30)
        closing.result(30)


def test_other_writer_is_waited_for(tmp_path: Path, store: Metadata) -> None:
    """A lock of another connection delays a write and does not fail it."""
    other = apsw.Connection(str(tmp_path / "store" / "metadata.db"))
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.write, lambda tx: tx.append_event(_EVENT))
        assert not waiting.done()
        other.execute("ROLLBACK")
        waiting.result(30)
    other.close()

    assert _count_events(store) == 1


def test_stuck_writer_is_unavailable(tmp_path: Path, store: Metadata) -> None:
    """A lock held longer than the timeout is Unavailable, and the store goes on when it is released."""
    impatient = open_metadata(str(tmp_path / "store"), clock=SimulatedClock(_NOW), busy_timeout_s=0.05)
    other = apsw.Connection(str(tmp_path / "store" / "metadata.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another process"):
        impatient.write(lambda tx: tx.append_event(_EVENT))
    other.execute("ROLLBACK")
    other.close()

    impatient.write(lambda tx: tx.append_event(_EVENT))
    impatient.close()
    assert _count_events(store) == 1


def test_wal_is_moved_into_the_database(tmp_path: Path, store: Metadata) -> None:
    """The WAL does not grow with the writes: it is checkpointed and used again."""
    big = NewEvent(DEFAULT_PROJECT, "ann", "note.added", "note:a", _NOW, {"text": "x" * 400_000})
    for _ in range(40):
        store.write(lambda tx: tx.append_event(big))

    assert (tmp_path / "store" / "metadata.db").stat().st_size > 8_000_000
    assert (tmp_path / "store" / "metadata.db-wal").stat().st_size < 8_000_000


def test_store_does_not_cross_a_fork(store: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the child of a fork the store says so instead of waiting for a thread that is not there."""
    monkeypatch.setattr(os, "getpid", lambda: 1)

    with pytest.raises(Unavailable, match="forked"):
        store.write(lambda tx: tx.append_event(_EVENT))


def test_filesystem_is_found_by_longest_mount() -> None:
    """The innermost mount decides, and of two on one point the later."""
    mounts = "a / ext4 rw 0 0\nb /srv nfs4 rw 0 0\nc /srv tmpfs rw 0 0\nd /srv/my\\040files cifs rw 0 0\n"

    assert find_filesystem(Path("/home/x"), mounts) == "ext4"
    assert find_filesystem(Path("/srv/x"), mounts) == "tmpfs"
    assert find_filesystem(Path("/srv/my files/x"), mounts) == "cifs"
    assert find_filesystem(Path("/srvx"), mounts) == "ext4"
