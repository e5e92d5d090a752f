"""Processes that are killed, and processes that write at the same time."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, open_metadata
from paddock.testing.postgres import PostgresServer

_PROGRAM = Path(__file__).with_name("metadata_writer.py")


def _start(url: str, name: str, *, threads: int, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(_PROGRAM), url, name, str(threads), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _stored(store: Metadata) -> list[str]:
    subjects: list[str] = []
    position = 0
    while page := store.events(DEFAULT_PROJECT, after=position):
        assert [event.position for event in page] == list(range(position + 1, position + 1 + len(page)))
        subjects += [event.subject for event in page]
        position = page[-1].position
    return subjects


def _check(url: str, acknowledged: Sequence[str]) -> None:
    """Assert that what was acknowledged is there, once, with its row, and that the chain holds."""
    store = open_metadata(url, clock=SystemClock())
    stored = _stored(store)
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    keys = store.read(lambda reader: reader.fetch_all("SELECT key FROM idempotency_keys"))
    assert {row["key"] for row in keys} == set(stored)
    verdict = store.verify_ledger()
    assert verdict.ok, verdict.words
    assert verdict.checked_count == len(stored)
    store.close()


def _kill_after(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    """Kill -9 once so many writes were acknowledged; return all that were."""
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    acknowledged += process.stdout.readlines()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.communicate()
    return [line.strip() for line in acknowledged if line.endswith("\n")]


def test_killed_writer_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """After kill -9 at random moments, again and again on one store, every acknowledged write is there."""
    url = str(tmp_path / "store")
    chance = random.Random(7)
    acknowledged: list[str] = []
    for round_number in range(6):
        process = _start(url, f"r{round_number}", threads=8, count=0)
        acknowledged += _kill_after(process, chance.randrange(1, 300))
        _check(url, acknowledged)


def test_survivor_goes_on_when_its_neighbour_is_killed(tmp_path: Path) -> None:
    """Two processes write; one is killed, the other finishes all its writes without an error."""
    url = str(tmp_path / "store")
    survivor = _start(url, "survivor", threads=4, count=60)
    victim = _start(url, "victim", threads=4, count=0)
    acknowledged = _kill_after(victim, 50)
    output, errors = survivor.communicate(timeout=120)

    assert (survivor.returncode, errors) == (0, "")
    assert len(output.splitlines()) == 240
    _check(url, acknowledged + output.splitlines())


def _write_together(url: str, *, threads: int, count: int) -> list[str]:
    processes = [_start(url, f"p{number}", threads=threads, count=count) for number in range(3)]
    lines: list[str] = []
    for process in processes:
        output, errors = process.communicate(timeout=200)
        assert (process.returncode, errors) == (0, "")
        lines += output.splitlines()
    return lines


def test_processes_share_a_fresh_store(tmp_path: Path) -> None:
    """Three processes make and fill one SQLite store at once: no error, no lost write, one chain."""
    url = str(tmp_path / "store")
    lines = _write_together(url, threads=4, count=50)

    assert len(lines) == 600
    _check(url, lines)


def test_lone_writer_is_not_starved(tmp_path: Path) -> None:
    """A process that writes one thing at a time gets its turn beside one that never stops."""
    url = str(tmp_path / "store")
    busy = _start(url, "busy", threads=8, count=0)
    assert busy.stdout is not None
    busy.stdout.readline()
    lone = _start(url, "lone", threads=1, count=50)
    output, errors = lone.communicate(timeout=60)
    acknowledged = _kill_after(busy, 0)

    assert (lone.returncode, errors) == (0, "")
    assert len(output.splitlines()) == 50
    _check(url, acknowledged + output.splitlines())


@pytest.mark.postgres
def test_processes_share_a_fresh_database(postgres_url: str) -> None:
    """Three processes make and fill one PostgreSQL store at once: no error, no lost write, one chain."""
    lines = _write_together(postgres_url, threads=4, count=25)

    assert len(lines) == 300
    _check(postgres_url, lines)


@pytest.mark.postgres
def test_crashed_server_loses_no_acknowledged_write() -> None:
    """PostgreSQL crashes under a writer and comes back: what was acknowledged is there, once."""
    server = PostgresServer()
    url = server.create_database()
    try:
        process = _start(url, "w", threads=4, count=0)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(60)]
        server.kill()
        rest, _ = process.communicate(timeout=60)  # its attempts are used up and it ends with Unavailable
        server.start()
        _check(url, acknowledged + rest.splitlines())
    finally:
        server.close()
