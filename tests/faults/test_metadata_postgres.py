"""PostgreSQL's own faults: cut connections, a COMMIT without an answer, a server that does not sync."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Conflict, InvalidSettings, Unavailable
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, NewEvent, Once, Reader, StoreLoad, Transaction, open_metadata
from paddock.testing.postgres import PostgresServer

pytestmark = pytest.mark.postgres

_NOW = datetime(2013, 4, 1, tzinfo=UTC)
_EVENT = NewEvent(DEFAULT_PROJECT, "ann", "note.added", "note:a", _NOW, {})

# ends the session that commits an event, while it commits, the first time only
_CUT_AT_COMMIT = """
    CREATE SEQUENCE cuts;
    CREATE FUNCTION cut_connection() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('cuts') = 1 THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
        END IF;
        RETURN NULL;
    END;
    $$;
    CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut_connection();
"""


@pytest.fixture
def store(postgres_url: str) -> Iterator[Metadata]:
    store = open_metadata(postgres_url, clock=SimulatedClock(_NOW), busy_timeout_s=5)
    yield store
    store.close()


def _append(tx: Transaction) -> int:
    tx.append_event(_EVENT)
    return 1


def _run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def _count(store: Metadata) -> int:
    return store.verify_ledger().checked_count


def test_cut_connections_are_replaced(postgres_url: str, store: Metadata) -> None:
    """When the server cuts every connection the next write and read make new ones and succeed."""
    with ThreadPoolExecutor(8) as pool:  # so that several connections lie idle
        list(pool.map(lambda _: store.write(_append), range(8)))
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    )
    _run(postgres_url, f"{cut} current_database()")

    assert store.write(_append) == 1
    assert _count(store) == 9


def test_connection_cut_inside_change_is_repeated(postgres_url: str, store: Metadata) -> None:
    """A change whose connection breaks before COMMIT runs again; it had left nothing."""
    runs: list[int] = []

    def change(tx: Transaction) -> None:
        tx.append_event(_EVENT)
        row = tx.fetch_one("SELECT pg_backend_pid() AS pid")
        if not runs and row:
            runs.append(1)
            _run(postgres_url, f"SELECT pg_terminate_backend({row['pid']}, 5000)")
        tx.append_event(_EVENT)

    store.write(change)
    assert _count(store) == 2


def test_commit_without_answer_is_not_guessed(postgres_url: str, store: Metadata) -> None:
    """A connection that breaks during COMMIT is reported as undecided, not as success or failure."""
    _run(postgres_url, _CUT_AT_COMMIT)

    with pytest.raises(Unavailable, match="may have been stored or not"):
        store.write(_append)


def test_commit_without_answer_is_repeated_with_a_key(postgres_url: str, store: Metadata) -> None:
    """With an idempotency key the same is repeated, and ends in one effect."""
    _run(postgres_url, _CUT_AT_COMMIT)

    assert store.write(_append, once=Once("k1", "d1", int)) == 1
    assert _count(store) == 1


def test_answered_commit_is_found_by_its_key(postgres_url: str, store: Metadata) -> None:
    """A client that repeats a write whose answer it has lost gets the stored answer."""
    once = Once("k1", "d1", int)
    assert store.write(_append, once=once) == 1

    other = open_metadata(postgres_url, clock=SimulatedClock(_NOW))
    assert other.write(_append, once=once) == 1
    assert _count(other) == 1
    other.close()


def test_server_that_does_not_sync_is_refused(postgres_url: str) -> None:
    """A database with synchronous_commit off could lose an acknowledged write, so it is not opened."""
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
    _run(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = off")

    with pytest.raises(InvalidSettings, match="synchronous_commit = off"):
        open_metadata(postgres_url, clock=SimulatedClock(_NOW))


def test_absent_server_is_unavailable() -> None:
    """A server that is not there is Unavailable, after a few attempts."""
    with pytest.raises(Unavailable, match="5 attempts"):
        open_metadata("postgresql://nobody@/none?host=/nonexistent", clock=SimulatedClock(_NOW))


def test_tables_of_another_program_are_left_alone(postgres_url: str) -> None:
    """A database that holds other tables of our names is refused and not changed."""
    _run(postgres_url, "CREATE TABLE events (id BIGINT)")

    with pytest.raises(Conflict, match="another program"):
        open_metadata(postgres_url, clock=SimulatedClock(_NOW))
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT to_regclass('schema_migrations')").fetchone()
        assert row == (None,)


def test_events_of_a_dead_process_are_sealed_by_a_reader(postgres_url: str, store: Metadata) -> None:
    """Events whose process died between COMMIT and sealing are counted, then sealed by who reads next."""
    columns = "event_id, project_id, principal, kind, subject, event_time, received_at, data"
    for number in range(3):
        values = f"'e{number}', 'default', 'ann', 'note.added', 'note:a', 0, {number}, '{{}}'"
        _run(postgres_url, f"INSERT INTO events ({columns}) VALUES ({values})")

    assert [event.event_id for event in store.events(DEFAULT_PROJECT)] == ["e0", "e1", "e2"]
    assert store.verify_ledger().ok


def test_held_seal_delays_readers_only_shortly(postgres_url: str, store: Metadata) -> None:
    """While another process holds the seal, reads answer with what is sealed and the rest is counted."""
    store.write(_append)
    assert _count(store) == 1
    with psycopg.connect(postgres_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, 2)", (0x50646B4D,))
        store.write(_append)

        verdict = store.verify_ledger()
        assert (verdict.ok, verdict.checked_count, verdict.unsealed_count) == (True, 1, 1)
    assert _count(store) == 2


def test_restarted_server_is_found_again() -> None:
    """A store outlives the crash of its server: writes work again once that is back."""
    server = PostgresServer()
    store = open_metadata(server.create_database(), clock=SimulatedClock(_NOW))
    try:
        store.write(_append)
        server.kill()
        with pytest.raises(Unavailable):
            store.write(_append)
        server.start()
        store.write(_append)
        assert _count(store) == 2
    finally:
        store.close()
        server.close()


def test_calls_without_a_connection_are_counted(postgres_url: str) -> None:
    """A call that finds all connections lent waits visibly, and is counted when it is refused."""
    store = open_metadata(postgres_url, clock=SimulatedClock(_NOW), busy_timeout_s=1)
    go_on, all_in = threading.Event(), threading.Barrier(17)

    def hold(_: Reader) -> None:
        all_in.wait(30)
        go_on.wait(30)

    with ThreadPoolExecutor(17) as pool:
        held = [pool.submit(store.read, hold) for _ in range(16)]
        all_in.wait(30)
        late = pool.submit(store.write, _append)
        while store.load().waiting_count == 0:
            os.sched_yield()
        with pytest.raises(Unavailable, match="all 16 connections"):
            late.result(30)
        go_on.set()
        for each in held:
            each.result(30)

    assert store.load() == StoreLoad(waiting_count=0, refused_count=1)
    store.close()
