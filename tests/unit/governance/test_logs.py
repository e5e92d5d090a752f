"""Copies of prediction logs: any prefix that a writer has acknowledged, and never a broken one."""

import asyncio
import threading
from struct import pack

import pytest
from store_kit import add_label

from paddock.governance.logs import check_log, copy_log
from paddock.kernel.ids import new_id
from paddock.prediction_log import LabelRecord, LogOptions, open_label_log, read_labels


def label_record(prediction_id):
    return LabelRecord(0, bytes.fromhex(prediction_id), pack("<d", 1.0), pack("<q", 3_600_000_000))


def write_until(stop, folder, acknowledged):
    """Append labels, a few to each segment, until told to stop. 600 last longer than the copies."""

    async def write():
        log = open_label_log(folder, LogOptions(segment_bytes=400, sync=lambda descriptor: None))
        while not stop.is_set() and len(acknowledged) < 600:
            prediction_id = new_id()
            await log.append(label_record(prediction_id))
            acknowledged.append(prediction_id)
        log.close()

    asyncio.run(write())


def test_copy_beside_a_writer_has_what_was_acknowledged(tmp_path):
    """However often segments end while a copy is made, it can be read and holds every row from before it."""
    stop, acknowledged = threading.Event(), []
    writer = threading.Thread(target=write_until, args=(stop, tmp_path / "log", acknowledged))
    writer.start()
    try:
        while len(acknowledged) < 20:
            assert writer.is_alive()
        for number in range(8):
            before = tuple(acknowledged)
            copy_log(tmp_path / "log", tmp_path / f"copy{number}")

            assert check_log(tmp_path / f"copy{number}").words == ""
            assert set(before) <= set(read_labels(tmp_path / f"copy{number}")["prediction_id"].to_pylist())
    finally:
        stop.set()
        writer.join()


def test_segment_that_was_just_begun_is_passed_over(tmp_path):
    """A last segment whose header is not whole yet neither fails a copy nor adds to it."""
    log = tmp_path / "log"
    known = add_label(log)
    (log / "labels-00000002.log").write_bytes(b"PADLOG")

    copy_log(log, tmp_path / "copy")

    assert read_labels(tmp_path / "copy")["prediction_id"].to_pylist() == [known]
    assert check_log(log).words == ""


@pytest.mark.parametrize("number", [1, 2])
def test_damage_in_any_segment_is_found(tmp_path, number):
    """A flipped byte in a finished segment, and in the last one before its last frame, is told."""
    log = tmp_path / "log"

    async def write():
        writer = open_label_log(log, LogOptions(segment_bytes=400))
        for _ in range(6):
            await writer.append(label_record(new_id()))
        writer.close()

    asyncio.run(write())
    segment = sorted(log.glob("labels-*.log"))[number - 1]
    body = bytearray(segment.read_bytes())
    body[110] ^= 1
    segment.write_bytes(body)

    assert segment.name in check_log(log).words


def test_folder_without_a_log_is_in_order(tmp_path):
    """A gateway that never answered has nothing to copy and no fault."""
    assert copy_log(tmp_path / "none", tmp_path / "copy") == ()
    assert check_log(tmp_path / "none") == (0, "")
