"""The log as its users see it: what was appended is read back."""

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paddock.kernel.errors import QueueFull, StoreInUse, Unavailable
from paddock.prediction_log import (
    FIXED_COLUMNS,
    FeatureColumn,
    LogCursor,
    LogOptions,
    PredictionRecord,
    append_labels,
    join_labels,
    open_log,
    pack_features,
    read_labels,
    read_labels_since,
    read_predictions,
    read_predictions_since,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def append_all(folder: Path, *records: PredictionRecord, options: LogOptions | None = None) -> None:
    async def run() -> None:
        log = open_log(folder, options)
        try:
            for record in records:
                await log.append(record)
        finally:
            log.close()

    asyncio.run(run())


def test_rows_come_back_as_written(tmp_path, make_record):
    """Every field of a record is read back, row by row."""
    record = make_record(5, 2, keys=["k5", ""])

    append_all(tmp_path, record)
    rows = read_predictions(tmp_path).to_pylist()

    assert [row["prediction"] for row in rows] == [5.0, 6.0]
    assert rows[0] == {
        "prediction_id": record.prediction_ids[:16].hex(),
        "event_time": EPOCH + timedelta(hours=5),
        "received_at": EPOCH + timedelta(hours=1),
        "idempotency_key": "k5",
        "routing_key": "k5",
        "model": "delay",
        "version": 3,
        "stage": "champion",
        "prediction": 5.0,
        "shadow_version": 0,
        "shadow_prediction": None,
        "carrier": "AA",
        "hour": 5.0,
    }


def test_routing_key_defaults_to_key_then_to_id(tmp_path, make_record):
    """A row routed by nothing else was routed by its key, a row without key by its prediction id."""
    record = make_record(0, 2, keys=["k", ""])

    append_all(tmp_path, record)

    assert read_predictions(tmp_path)["routing_key"].to_pylist() == ["k", record.prediction_ids[16:].hex()]


def test_empty_folder_is_an_empty_table(tmp_path):
    """A log nothing was written to has no rows and all fixed columns."""
    table = read_predictions(tmp_path)

    assert table.num_rows == 0
    assert tuple(table.column_names) == FIXED_COLUMNS


def test_missing_values_are_null(tmp_path, make_record):
    """A missing number, boolean or text is null, not NaN and not false."""
    columns = (
        FeatureColumn("big", "boolean"),
        FeatureColumn("carrier", "text"),
        FeatureColumn("hour", "number"),
    )
    values = {"big": [True, None], "carrier": [None, "AA"], "hour": [None, 1.0]}

    append_all(tmp_path, make_record(0, 2, columns=columns, values=values))

    assert read_predictions(tmp_path, columns=["big", "carrier", "hour"]).to_pydict() == {
        "big": [True, None],
        "carrier": [None, "AA"],
        "hour": [None, 1.0],
    }


def test_requests_with_other_columns_keep_the_order_of_the_log(tmp_path, make_record):
    """Rows of different column sets stand in the order in which they were logged."""
    other = (FeatureColumn("hour", "text"), FeatureColumn("wind", "number"))
    odd = make_record(1, 1, columns=other, values={"hour": ["one"], "wind": [7.5]})

    append_all(tmp_path, make_record(0), odd, make_record(2))
    table = read_predictions(tmp_path, columns=["prediction", "hour", "carrier", "wind"])

    assert table.to_pydict() == {
        "prediction": [0.0, 1.0, 2.0],
        "carrier": ["AA", None, "AA"],
        "hour": ["0", "one", "2"],
        "wind": [None, 7.5, None],
    }


def test_feature_named_like_a_fixed_column_is_prefixed(tmp_path, make_record):
    """A plane's `model` does not hide the model that answered."""
    columns = (FeatureColumn("model", "text"),)

    append_all(tmp_path, make_record(0, 1, columns=columns, values={"model": ["A320"]}))
    row = read_predictions(tmp_path).to_pylist()[0]

    assert (row["model"], row["feature.model"]) == ("delay", "A320")


def test_event_time_range_is_half_open(tmp_path, make_record):
    """`since` is included, `until` is not, also within one request."""
    append_all(tmp_path, make_record(0, 10), make_record(10, 10))

    table = read_predictions(tmp_path, since=EPOCH + timedelta(hours=8), until=EPOCH + timedelta(hours=12))

    assert table["prediction"].to_pylist() == [8.0, 9.0, 10.0, 11.0]


def test_segments_outside_the_range_are_not_opened(tmp_path, make_record):
    """A finished segment whose event times lie outside is passed over by its neighbour's header."""
    append_all(tmp_path, *[make_record(n) for n in range(3)], options=LogOptions(segment_bytes=1))
    damaged = tmp_path / "predictions-00000001.log"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")

    table = read_predictions(tmp_path, since=EPOCH + timedelta(hours=1))

    assert table["prediction"].to_pylist() == [1.0, 2.0]


def test_cursor_reads_each_row_once_across_segments(tmp_path, make_record):
    """Reading on from a cursor yields what was appended since, over closed and new segments."""
    options = LogOptions(segment_bytes=400)
    seen: list[float] = []
    cursor = LogCursor()

    for start in range(0, 12, 3):
        append_all(tmp_path, *[make_record(start + n) for n in range(3)], options=options)
        table, cursor = read_predictions_since(tmp_path, cursor)
        seen += table["prediction"].to_pylist()

    assert seen == [float(n) for n in range(12)]
    assert read_predictions_since(tmp_path, cursor)[0].num_rows == 0


def test_many_waiting_requests_share_a_sync(tmp_path, make_record):
    """One hundred requests at once need far fewer syncs than one hundred."""

    async def run() -> int:
        log = open_log(tmp_path)
        await asyncio.gather(*[log.append(make_record(n)) for n in range(100)])
        syncs = log.stats().syncs
        log.close()
        return syncs

    assert asyncio.run(run()) < 20
    assert sorted(read_predictions(tmp_path)["prediction"].to_pylist()) == [float(n) for n in range(100)]


def test_full_queue_refuses_in_wal_mode(tmp_path, make_record):
    """Rows that would wait beyond the limit are refused at once, and nothing of them is logged."""
    may_sync = threading.Event()

    async def run() -> None:
        log = open_log(
            tmp_path, LogOptions(queue_rows=5, sync=lambda fd: may_sync.wait() and os.fdatasync(fd))
        )
        first = asyncio.ensure_future(log.append(make_record(0, 5)))
        await asyncio.sleep(0)
        try:
            with pytest.raises(QueueFull):
                await log.append(make_record(5, 5))
        finally:
            may_sync.set()
            await first
            log.close()

    asyncio.run(run())
    assert read_predictions(tmp_path).num_rows == 5


def test_bounded_mode_counts_every_lost_row(tmp_path, make_record):
    """In mode `bounded` what does not fit the queue is counted, and logged plus lost is everything."""

    async def run() -> int:
        may_sync = threading.Event()
        options = LogOptions(mode="bounded", queue_rows=30, sync=lambda _: may_sync.wait() and None)
        log = open_log(tmp_path, options)
        for n in range(50):
            await log.append(make_record(10 * n, 10))
        may_sync.set()
        log.close()
        return log.stats().lost_rows

    lost = asyncio.run(run())
    assert lost == 470
    assert read_predictions(tmp_path).num_rows == 30


def test_second_writer_is_refused_by_name(tmp_path):
    """While one process writes, another is told which."""
    log = open_log(tmp_path)
    code = "import sys, pathlib, paddock.prediction_log as p; p.open_log(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]

    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        with pytest.raises(StoreInUse, match="is written by process"):
            open_log(tmp_path)
    finally:
        log.close()

    assert "StoreInUse" in result.stderr


def test_closed_log_refuses(tmp_path, make_record):
    """A record handed to a closed log is refused, not forgotten."""
    log = open_log(tmp_path)
    log.close()

    with pytest.raises(Unavailable):
        asyncio.run(log.append(make_record()))


def test_start_without_traffic_leaves_no_segment(tmp_path):
    """Opening and closing a log writes no segment."""
    open_log(tmp_path).close()

    assert list(tmp_path.glob("*.log")) == []


def test_last_label_of_an_id_wins(tmp_path, make_record, make_labels):
    """A label written again replaces the first; unknown ids are kept and counted."""
    record = make_record(0, 2)
    known = [record.prediction_ids[:16].hex(), record.prediction_ids[16:].hex()]
    append_all(tmp_path, record)

    append_labels(tmp_path, make_labels([known[0], "0" * 32], [0.0, 1.0]))
    append_labels(tmp_path, make_labels([known[0]], [1.0], event_hour=9))
    joined = join_labels(read_predictions(tmp_path), read_labels(tmp_path))

    assert joined.table["label"].to_pylist() == [1.0, None]
    assert joined.table["label_event_time"].to_pylist() == [EPOCH + timedelta(hours=9), None]
    assert joined.unknown_count == 1
    assert read_labels_since(tmp_path)[0].num_rows == 3


def test_labels_as_of_a_moment(tmp_path, make_labels):
    """A label of later event time does not hide the one that counted before it."""
    append_labels(tmp_path, make_labels(["a" * 32], [0.0], event_hour=1))
    append_labels(tmp_path, make_labels(["a" * 32], [1.0], event_hour=5))

    assert read_labels(tmp_path, until=EPOCH + timedelta(hours=5))["label"].to_pylist() == [0.0]
    assert read_labels(tmp_path)["label"].to_pylist() == [1.0]


@pytest.mark.parametrize("rows", [1, 3])
def test_packing_one_row_and_many_agree(rows):
    """The short way for one row packs what the general way packs."""
    columns = (FeatureColumn("a", "number"), FeatureColumn("b", "boolean"))
    values = {"a": [2, None, 0.5][:rows], "b": [True, False, None][:rows]}

    many = pack_features(columns, {name: [*column, *column] for name, column in values.items()}, 2 * rows)

    assert pack_features(columns, values, rows).numbers * 2 == many.numbers
