"""The spool of runs under torn tails, flipped bits, a full disk and folders that nobody may write to."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from spool_kit import Bench, open_bench, points

import paddock as pk
from paddock.app import App, open_app
from paddock.kernel.errors import Unavailable
from paddock.kernel.settings import resolve_settings
from paddock.sdk.spool.records import End, Record, Tags

END = End("finished", 0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = open_bench(tmp_path)
    yield bench
    bench.app.close()


@contextmanager
def store_at(folder: Path) -> Iterator[App]:
    """Let the calls go to a store in `folder`, and look at it."""
    pk.connect(str(folder))
    try:
        with closing(open_app(resolve_settings({"store": str(folder)}, {}, {}))) as app:
            yield app
    finally:
        pk.disconnect()


def left_behind(bench: Bench, *records: Record) -> tuple[str, Path]:
    """Return a run of a killed process, and the file its records are in."""
    head = bench.leave_behind(*records)
    (folder,) = [path for path in bench.spool.iterdir() if path.name.startswith(head.run_id)]
    return head.run_id, folder / "00000000000000000000.log"


def deliver(bench: Bench, run_id: str) -> tuple[list[int], list[str]]:
    """Deliver a run; return the steps the store has of it and what is refused of it."""
    delivery = bench.deliver(bench.adopt(run_id))
    delivery.leave()
    return [step for step, _ in bench.history(run_id, "auc")], [each.what for each in delivery.refusals]


def test_every_torn_tail_is_passed_over(bench: Bench):
    """Wherever the last write was cut short, all before it is delivered, and nothing is called damaged."""
    run_id, segment = left_behind(bench, *points(3))
    whole = segment.read_bytes()
    size = len(whole) // 3

    for length in range(2 * size, len(whole)):
        run_id, segment = left_behind(bench, *points(3))
        segment.write_bytes(whole[:length])
        assert deliver(bench, run_id) == ([0, 1], [])


def test_tail_of_zeros_is_passed_over(bench: Bench):
    """A file that grew without its bytes, as after power loss, has the records that are whole."""
    run_id, segment = left_behind(bench, *points(3))
    segment.write_bytes(segment.read_bytes() + bytes(5_000))

    assert deliver(bench, run_id) == ([0, 1, 2], [])


def test_every_flipped_byte_costs_one_record_and_is_told(bench: Bench):
    """What is behind the damage is delivered, no wrong value is, and the gap is kept as refused."""
    run_id, segment = left_behind(bench, *points(3))
    size = segment.stat().st_size // 3

    for at in range(size):
        run_id, segment = left_behind(bench, *points(3))
        body = bytearray(segment.read_bytes())
        body[size + at] ^= 0x10
        segment.write_bytes(body)
        assert deliver(bench, run_id) == ([0, 2], ["damaged bytes"])
        assert bench.history(run_id, "auc") == [(0, 0.0), (2, 0.002)]


def test_a_lost_segment_is_told(bench: Bench):
    """Somebody has removed a file in the middle: what is before and behind it is delivered."""
    run_id, first = left_behind(
        bench, points(1)[0], *[Tags({"a": "x" * 7_000})] * 1_500, *points(1, first=1), END
    )
    second = sorted(first.parent.glob("*.log"))[1]
    second.unlink()

    assert deliver(bench, run_id) == ([0, 1], ["damaged bytes"])
    assert bench.app.tracking.get_run(run_id).status == "finished"


def test_a_full_disk_drops_and_counts_and_heals(small_disk, fill_disk, monkeypatch, tmp_path):
    """Training goes on while the disk of the spool is full; the run says how much it has lost."""
    monkeypatch.setenv("PADDOCK_SPOOL", str(small_disk / "spool"))

    def train() -> str:
        with pk.run("full") as run:
            run.log({"auc": 0.0}, step=0)
            run.flush()
            ballast = fill_disk(small_disk)
            for step in range(1, 2_001):
                run.log({"auc": step}, step=step)
            run.log_text("lost", "note.txt")
            ballast.unlink()
            run.log({"auc": 2_001}, step=2_001)
        return run.run_id

    with store_at(tmp_path / "store") as app:
        with pytest.warns(pk.SpoolWarning, match="No space left on device"):
            run_id = train()
        found = app.tracking.get_run(run_id)
        steps = [point.step for point in app.tracking.metric_history(run_id, "auc")]

    dropped_count = int(found.tags["spool.dropped"])
    assert found.status == "finished"
    assert (steps[0], steps[-1]) == (0, 2_001)
    assert len(steps) + dropped_count == 2_002 + 1
    assert dropped_count > 1_000


def test_a_run_ends_on_a_full_disk(small_disk, fill_disk, monkeypatch, tmp_path):
    """Its end is told to the store although there is no room for it in the spool."""
    monkeypatch.setenv("PADDOCK_SPOOL", str(small_disk / "spool"))

    def train() -> str:
        with pk.run("full") as run:
            fill_disk(small_disk)
            for step in range(2_000):
                run.log({"auc": step}, step=step)
        return run.run_id

    with store_at(tmp_path / "store") as app:
        with pytest.warns(pk.SpoolWarning, match="No space left on device"):
            run_id = train()

        assert app.tracking.get_run(run_id).status == "finished"


def test_a_run_begins_on_a_full_disk(small_disk, fill_disk, monkeypatch, tmp_path):
    """What it logs waits where temporary files are instead, and the warning says so."""
    fill_disk(small_disk)
    monkeypatch.setenv("PADDOCK_SPOOL", str(small_disk / "spool"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with store_at(tmp_path / "store") as app:
        with pytest.warns(pk.SpoolWarning, match="the spool cannot be written"), pk.run("full") as run:
            run.log({"auc": 0.5})

        assert app.tracking.get_run(run.run_id).metrics == {"auc": 0.5}


def test_a_spool_that_cannot_be_made_is_told(monkeypatch, tmp_path):
    """With neither the spool nor a temporary folder the run does not begin; the hint names the setting."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PADDOCK_SPOOL", str(tmp_path / "file" / "spool"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with (
        store_at(tmp_path / "store"),
        pytest.raises(Unavailable, match="cannot be kept in") as told,
        pk.run("nowhere"),
    ):
        pass

    assert told.value.hint == "PADDOCK_SPOOL names another folder"


def test_only_its_owner_reads_a_spool(bench: Bench):
    """What waits in it, code and parameters included, is nobody else's."""
    bench.leave_behind(*points(1))

    modes = [path.stat().st_mode & 0o777 for path in (bench.spool, *bench.spool.iterdir())]
    assert modes == [0o700, 0o700]
