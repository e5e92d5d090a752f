"""Metric points: in the tail, as chunks, read back and sampled."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddock.kernel.errors import IntegrityError
from paddock.metadata import Metadata, Reader
from paddock.tracking import MetricPoint, Tracking
from paddock.tracking.points.columns import (
    PointColumns,
    decode_chunk,
    decode_tail,
    encode_chunk,
    join_columns,
)
from paddock.tracking.points.rules import CHUNK_POINTS, TAIL_BATCHES, count_to_merge
from paddock.tracking.points.sampling import sample_extremes
from paddock.tracking.points.tail import encode_batch

_KEYS = st.sampled_from(["auc", "loss", "größe"])
_POINT = st.builds(
    MetricPoint, _KEYS, st.floats(), st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)
)


def columns_of(points: Sequence[MetricPoint]) -> PointColumns:
    return PointColumns(
        np.array([point.step for point in points], np.int64),
        np.array([point.at_micros for point in points], np.int64),
        np.array([point.value for point in points], np.float64),
    )


def rows_of(columns: PointColumns) -> list[tuple[int, int, str]]:
    """Rows that compare, NaN as a word."""
    values = [repr(value) for value in columns.values.tolist()]
    return list(zip(columns.steps.tolist(), columns.at_micros.tolist(), values, strict=True))


@given(st.lists(_POINT, min_size=1, max_size=40))
def test_batch_comes_back_by_key(points: list[MetricPoint]) -> None:
    """A batch keeps each point, in the order of its key."""
    found = dict(decode_tail(encode_batch(points)))

    assert {key: rows_of(columns) for key, columns in found.items()} == {
        key: rows_of(columns_of([point for point in points if point.key == key]))
        for key in {point.key for point in points}
    }


@given(st.lists(_POINT, max_size=200))
def test_chunk_comes_back(points: list[MetricPoint]) -> None:
    """A chunk keeps every point, few or many, steps and times of any size."""
    columns = columns_of(points)

    assert rows_of(decode_chunk(encode_chunk(columns), len(columns))) == rows_of(columns)


@pytest.mark.parametrize("count", [3, 500])
def test_damaged_chunk_is_an_integrity_error(count: int) -> None:
    """A chunk that was cut, or that holds another number of points, is never read as points."""
    x = np.arange(count)
    body = encode_chunk(PointColumns(x, x, x * 0.5))

    for damaged, wanted in ((body[:-1], count), (body, count + 1), (b"\x07" + body[1:], count)):
        with pytest.raises(IntegrityError):
            decode_chunk(damaged, wanted)


@given(st.lists(_POINT, max_size=60), st.integers(0, 60))
def test_joined_parts_are_sorted_and_unique(points: list[MetricPoint], cut: int) -> None:
    """However points are spread over parts, each comes back once, by step, time and value, NaN last."""
    joined = join_columns([columns_of(points[:cut]), columns_of(points[cut:])])

    unique = {
        (p.step, p.at_micros, math.isnan(p.value), p.value if p.value == p.value else 0.0) for p in points
    }
    wanted = [(step, at, "nan" if is_nan else repr(value)) for step, at, is_nan, value in sorted(unique)]
    assert [row[:2] for row in rows_of(joined)] == [row[:2] for row in wanted]
    assert {row[2].lstrip("-") for row in rows_of(joined)} == {row[2].lstrip("-") for row in wanted}


def test_each_point_is_written_a_few_times_only() -> None:
    """Merging chunks of like size writes a point at most log2 of a chunk's size times."""
    chunks: list[int] = []
    written = 0
    for _ in range(CHUNK_POINTS // 8 * 3):
        merged = count_to_merge(chunks, 8)
        size = sum(chunks[len(chunks) - merged :]) + 8
        chunks[len(chunks) - merged :] = [size]
        written += size

    total = sum(chunks)
    assert total == CHUNK_POINTS * 3
    assert written / total <= math.log2(CHUNK_POINTS)
    assert len(chunks) <= 3 + math.log2(CHUNK_POINTS)


def test_history_is_whole_while_the_tail_becomes_chunks(tracking: Tracking, metadata: Metadata) -> None:
    """Every point is there once and in order, whether it stands in the tail or in a chunk."""
    run = tracking.start_run(experiment="delay")
    batches = TAIL_BATCHES * 2 + 7
    for step in range(batches):
        points = [MetricPoint(key, step * 0.5, step, step * 1000) for key in ("auc", "loss")]
        tracking.log_metrics(run.run_id, points)
    tracking.log_metrics(run.run_id, [MetricPoint("auc", 1.5, 3, 3000)])  # sent again, long after

    def count_rows(reader: Reader) -> tuple[object, object]:
        tail = reader.fetch_one("SELECT COUNT(*) AS count FROM metric_tail")
        chunks = reader.fetch_one("SELECT COUNT(*) AS count FROM metric_chunks")
        assert tail is not None
        assert chunks is not None
        return tail["count"], chunks["count"]

    tail_count, chunk_count = metadata.read(count_rows)
    for key in ("auc", "loss"):
        assert [point.step for point in tracking.metric_history(run.run_id, key)] == list(range(batches))
    assert tracking.get_run(run.run_id).metrics == {"auc": (batches - 1) * 0.5, "loss": (batches - 1) * 0.5}
    assert (tail_count, chunk_count) == (8, 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(st.lists(st.lists(_POINT, min_size=1, max_size=5), min_size=1, max_size=6))
def test_batches_sent_again_change_nothing(tracking: Tracking, batches: list[list[MetricPoint]]) -> None:
    """A history and its latest values are the same when every batch came twice."""
    once, twice = (tracking.start_run(experiment="delay").run_id for _ in range(2))
    for batch in batches:
        tracking.log_metrics(once, batch)
        tracking.log_metrics(twice, batch)
        tracking.log_metrics(twice, batch)

    for key in {point.key for batch in batches for point in batch}:
        assert rows_of(tracking.metric_columns(once, key)) == rows_of(tracking.metric_columns(twice, key))
    assert repr(tracking.get_run(once).metrics) == repr(tracking.get_run(twice).metrics)


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=300), st.integers(1, 20))
def test_sample_keeps_the_extremes(values: list[float], buckets: int) -> None:
    """A sample has at most four points a bucket, with the first, the last, the largest and the smallest."""
    x = np.arange(len(values))
    points = PointColumns(x, x, np.array(values))

    sampled = sample_extremes(points, buckets)

    numbers = [value for value in values if not math.isnan(value)]
    assert len(sampled) <= max(4 * buckets, 4)
    assert (int(sampled.steps[0]), int(sampled.steps[-1])) == (0, len(values) - 1)
    if numbers:
        assert np.nanmax(sampled.values) == max(numbers)
        assert np.nanmin(sampled.values) == min(numbers)


def test_sample_of_points_at_one_step() -> None:
    """Points that share one step are sampled as one bucket."""
    x = np.zeros(100, np.int64)

    sampled = sample_extremes(PointColumns(x, np.arange(100), np.arange(100) * 1.0), 5)

    assert sampled.values.tolist() == [0.0, 99.0]
