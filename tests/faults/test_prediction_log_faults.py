"""The prediction log under torn tails, flipped bits, a full disk, a failing sync and two writers."""

import asyncio
import errno
import os
from pathlib import Path
from struct import pack

import pytest

from paddock.kernel.errors import IntegrityError, StorageFull, StoreTooNew, Unavailable
from paddock.kernel.ids import new_id
from paddock.prediction_log import (
    FeatureColumn,
    LogOptions,
    PredictionRecord,
    open_log,
    pack_features,
    read_predictions,
)

COLUMNS = (FeatureColumn("hour", "number"), FeatureColumn("note", "text"))


def record_of(value: int, note: str = "n") -> PredictionRecord:
    return PredictionRecord(
        model="delay",
        received_at=1,
        features=pack_features(COLUMNS, {"hour": [float(value)], "note": [note]}, 1),
        prediction_ids=bytes.fromhex(new_id()),
        event_times=pack("<q", value),
        versions=pack("<I", 1),
        stages=b"\0",
        predictions=pack("<d", value),
    )


async def append_each(folder: Path, records: list[PredictionRecord], *, close: bool = True) -> None:
    log = open_log(folder)
    for record in records:
        await log.append(record)
    if close:
        log.close()


def values_in(folder: Path) -> list[float]:
    return read_predictions(folder, columns=["prediction"])["prediction"].to_pylist()


@pytest.fixture
def killed_log(tmp_path) -> Path:
    """The segment of three synced records, as a killed process leaves it: no mark of a clean end."""
    folder = tmp_path / "killed"
    asyncio.run(append_each(folder, [record_of(n) for n in range(3)]))
    segment = folder / "predictions-00000001.log"
    segment.write_bytes(segment.read_bytes()[:-40])
    return segment


def test_every_torn_tail_is_cut(killed_log):
    """Wherever the last write was cut short, the records before it are read and the log goes on."""
    whole = killed_log.read_bytes()
    last_frame = whole.rindex(b"\xf5LOG")

    for length in range(last_frame, len(whole)):
        killed_log.write_bytes(whole[:length])
        assert values_in(killed_log.parent) == [0.0, 1.0]
    asyncio.run(append_each(killed_log.parent, [record_of(9)]))

    assert values_in(killed_log.parent) == [0.0, 1.0, 9.0]
    assert killed_log.stat().st_size == last_frame


def test_tail_of_zeros_is_cut(killed_log):
    """A file that grew without its bytes, as after power loss, loses nothing that was acknowledged."""
    killed_log.write_bytes(killed_log.read_bytes() + bytes(5000))

    asyncio.run(append_each(killed_log.parent, [record_of(9)]))

    assert values_in(killed_log.parent) == [0.0, 1.0, 2.0, 9.0]


def test_every_flipped_byte_in_the_middle_is_named(killed_log):
    """No flipped byte before the last record yields a wrong row: the error names segment and offset."""
    whole = killed_log.read_bytes()
    last_frame = whole.rindex(b"\xf5LOG")
    frames = [at for at in range(last_frame) if whole.startswith(b"\xf5LOG", at)]

    for at in range(last_frame):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        killed_log.write_bytes(damaged)
        with pytest.raises(IntegrityError, match=r"predictions-00000001\.log") as caught:
            read_predictions(killed_log.parent)
        assert caught.value.details["offset"] == max((f for f in frames if f <= at), default=0)


def test_flipped_byte_in_a_cleanly_closed_log_is_named(tmp_path):
    """After a clean end the last record is protected too."""
    asyncio.run(append_each(tmp_path, [record_of(0)]))
    segment = tmp_path / "predictions-00000001.log"
    body = bytearray(segment.read_bytes())
    body[-50] ^= 1
    segment.write_bytes(body)

    with pytest.raises(IntegrityError):
        read_predictions(tmp_path)
    with pytest.raises(IntegrityError):
        open_log(tmp_path)


def test_shortened_finished_segment_is_named(tmp_path):
    """A segment with a successor is known to reach further than it does."""
    for n in range(2):
        asyncio.run(append_each(tmp_path, [record_of(n)]))
    first = tmp_path / "predictions-00000001.log"
    first.write_bytes(first.read_bytes()[:100])

    with pytest.raises(IntegrityError, match="ends there instead of at"):
        read_predictions(tmp_path)


def test_segment_whose_creation_was_cut_short_is_no_damage(tmp_path):
    """A last file without a whole header holds nothing that was acknowledged."""
    asyncio.run(append_each(tmp_path, [record_of(0)]))
    (tmp_path / "predictions-00000002.log").write_bytes(b"PADLOG\r\n\x01")

    before = values_in(tmp_path)
    asyncio.run(append_each(tmp_path, [record_of(1)]))

    assert before == [0.0]
    assert values_in(tmp_path) == [0.0, 1.0]


def test_segment_of_a_later_format_is_refused(killed_log):
    """A log of a newer Paddock is not half understood."""
    from zlib import crc32

    body = bytearray(killed_log.read_bytes())
    body[8] = 99
    body[60:64] = crc32(bytes(body[:60])).to_bytes(4, "little")
    killed_log.write_bytes(body)

    with pytest.raises(StoreTooNew, match="has format 99"):
        read_predictions(killed_log.parent)


def test_failing_sync_refuses_and_leaves_the_segment(tmp_path):
    """After an I/O error of the sync the request is refused, its rows are gone, and a new segment goes on."""
    fails = iter([False, False, True, False, False, False, False])

    def sync(fd: int) -> None:
        if next(fails):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def run() -> None:
        log = open_log(tmp_path, LogOptions(sync=sync))
        await log.append(record_of(0))
        with pytest.raises(Unavailable, match="could not be written: Input/output error"):
            await log.append(record_of(1))
        await log.append(record_of(2))
        log.close()

    asyncio.run(run())
    assert values_in(tmp_path) == [0.0, 2.0]
    assert len(list(tmp_path.glob("*.log"))) == 2


def test_bytes_behind_a_failed_sync_are_never_read(tmp_path, monkeypatch):
    """Even when the refused bytes cannot be taken back, the next segment says where the last one ends."""
    fails = iter([False, False, True, False, False, False])

    def sync(fd: int) -> None:
        if next(fails):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def no_truncate(fd: int, length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def run() -> None:
        log = open_log(tmp_path, LogOptions(sync=sync))
        await log.append(record_of(0))
        monkeypatch.setattr(os, "ftruncate", no_truncate)
        with pytest.raises(Unavailable):
            await log.append(record_of(1))
        await log.append(record_of(2))
        log.close()

    asyncio.run(run())
    assert values_in(tmp_path) == [0.0, 2.0]


def test_full_disk_refuses_and_recovers_without_restart(small_disk, fill_disk):
    """On a full disk records are refused with 507, nothing acknowledged is lost, and freed space is used."""

    async def run() -> tuple[list[float], int]:
        log = open_log(small_disk / "log")
        acknowledged, refused = [], 0
        for n in range(30):
            if n == 10:
                ballast = fill_disk(small_disk)
            if n == 20:
                ballast.unlink()
            try:
                await log.append(record_of(n, note="x" * 6000))
                acknowledged.append(float(n))
            except StorageFull:
                refused += 1
        log.close()
        return acknowledged, refused

    acknowledged, refused = asyncio.run(run())

    assert StorageFull.http_status == 507
    assert refused >= 9  # the page that was begun may still take one
    assert {*range(10), *range(20, 30)} <= set(acknowledged)
    assert values_in(small_disk / "log") == acknowledged


def test_log_opens_on_a_full_disk(small_disk, fill_disk):
    """A log can be opened and read while nothing can be written."""
    asyncio.run(append_each(small_disk, [record_of(1)]))
    fill_disk(small_disk)

    log = open_log(small_disk)
    with pytest.raises(StorageFull):
        asyncio.run(log.append(record_of(2, note="x" * 6000)))
    log.close()

    assert values_in(small_disk) == [1.0]
