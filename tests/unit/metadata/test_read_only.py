"""A store that is only read: nothing appears beside it, and what cannot be read truly is not read at all."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import AlreadyExists, Forbidden, Unavailable
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import NewEvent, StoreLoad, check_writable, open_metadata, restore_metadata
from paddock.metadata.sqlite_read_only import ReadOnlySqlite, lend_read_only

_NOW = datetime(2013, 4, 1, tzinfo=UTC)
_EVENT = NewEvent(DEFAULT_PROJECT, "ann", "note.added", "note:a", _NOW, {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The database of a store with one event, its newest writes in a WAL: a snapshot of a store in use."""
    store = open_metadata(str(tmp_path / "used"), clock=SimulatedClock(_NOW))
    store.write(lambda tx: tx.append_event(_EVENT))
    shutil.copytree(tmp_path / "used", tmp_path / "store")
    store.close()
    path = tmp_path / "store" / "metadata.db"
    assert path.with_name("metadata.db-wal").stat().st_size > 0
    return path


def settle(path: Path) -> None:
    """Move the WAL into the database, as the last process does that ends in order."""
    connection = apsw.Connection(str(path))
    connection.execute("SELECT 1 FROM schema_migrations").fetchall()
    connection.close()
    assert not path.with_name("metadata.db-wal").exists()


def listing(folder: Path) -> dict[str, bytes]:
    """Return the files by name, without the shared memory: a reader that may writes its locks there."""
    return {each.name: b"" if each.suffix == ".db-shm" else each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize("is_settled", [True, False], ids=["at rest", "with a WAL"])
def test_store_is_read_whole_and_left_as_it_was(path: Path, is_settled: bool):
    """Events, ledger and size are told, those of the WAL included, and no byte of the folder changes."""
    if is_settled:
        settle(path)
    before = listing(path.parent)
    store = ReadOnlySqlite(path, busy_timeout_s=1)

    assert [event.kind for event in store.events(DEFAULT_PROJECT)] == ["note.added"]
    assert [event.kind for event in store.latest_events(DEFAULT_PROJECT)] == ["note.added"]
    assert (store.verify_ledger().ok, store.verify_ledger().checked_count) == (True, 1)
    assert store.size_bytes() == sum(
        len(body) for name, body in before.items() if name in ("metadata.db", "metadata.db-wal")
    )
    assert store.load() == StoreLoad(0, 0)
    store.close()
    assert listing(path.parent) == before


@pytest.mark.parametrize("is_settled", [True, False], ids=["at rest", "with a WAL"])
def test_read_only_store_is_backed_up(path: Path, tmp_path: Path, is_settled: bool):
    """A backup of it becomes a store with the same ledger; an existing file is not replaced."""
    if is_settled:
        settle(path)
    store = ReadOnlySqlite(path, busy_timeout_s=1)

    store.backup(tmp_path / "backup.db")
    restore_metadata(tmp_path / "backup.db", str(tmp_path / "other"))

    other = open_metadata(str(tmp_path / "other"), clock=SimulatedClock(_NOW))
    assert other.verify_ledger().head_hash == store.verify_ledger().head_hash
    other.close()
    with pytest.raises(AlreadyExists):
        store.backup(tmp_path / "backup.db")


def test_every_write_is_forbidden(path: Path):
    """Whoever tries is told that the store is read-only, and which one."""
    store = ReadOnlySqlite(path, busy_timeout_s=1)

    for write in (
        lambda: store.write(lambda tx: tx.append_event(_EVENT)),
        lambda: store.purge_idempotency_keys(_NOW),
    ):
        with pytest.raises(Forbidden, match=f"the store `{path.parent}` is read-only"):
            write()


def test_wal_that_nobody_can_read_without_its_memory_is_told(path: Path):
    """Writes are never left out silently: a copied WAL without its shared memory is refused."""
    path.with_name("metadata.db-shm").unlink()

    with pytest.raises(Forbidden, match=r"its newest writes stand in `metadata\.db-wal` alone"):
        ReadOnlySqlite(path, busy_timeout_s=1)


def test_older_schema_must_be_opened_writable_once(path: Path):
    """A store that would have to be changed first is refused with what to do."""
    connection = apsw.Connection(str(path))
    connection.execute(
        "DELETE FROM schema_migrations WHERE number = (SELECT MAX(number) FROM schema_migrations)"
    )
    connection.close()

    with pytest.raises(Forbidden, match="has an older schema, and it is read-only") as refused:
        ReadOnlySqlite(path, busy_timeout_s=1)
    assert refused.value.hint == "open it once where it can be written"


def test_store_that_is_written_meanwhile_is_not_believed(path: Path):
    """What was read of a file at rest counts only if the file is the same afterwards."""
    settle(path)

    with pytest.raises(Unavailable, match="was written while it was read"), lend_read_only(path, 1):
        os.utime(path, ns=(0, 0))


def test_store_that_may_be_written_is_opened_for_writing(path: Path, tmp_path: Path):
    """Being asked whether it is writable changes nothing for an ordinary store, or for none."""
    check_writable(str(path.parent))
    check_writable(str(tmp_path / "none"))
    check_writable("postgresql://nowhere/paddock")

    store = open_metadata(str(path.parent), clock=SimulatedClock(_NOW))
    store.write(lambda tx: tx.append_event(_EVENT))
    assert store.verify_ledger().checked_count == 2
    store.close()
