"""The bytes on disk: a frozen folder of the first format, read and written again."""

import json
from pathlib import Path
from struct import pack

import pytest

from paddock.prediction_log import (
    FeatureColumn,
    LabelRecord,
    PredictionRecord,
    Stage,
    append_labels,
    digest_rows,
    pack_features,
    read_labels,
    read_predictions,
)
from paddock.prediction_log.batches import encode_batch, encode_prediction
from paddock.prediction_log.frames import SegmentKind
from paddock.prediction_log.segments import SegmentWriter

FROZEN = Path(__file__).parents[2] / "frozen" / "prediction-log-v1"
DAY = 86_400_000_000


def frozen_records() -> list[PredictionRecord]:
    columns = (
        FeatureColumn("carrier", "text"),
        FeatureColumn("holiday", "boolean"),
        FeatureColumn("hour", "number"),
    )
    values = {"carrier": ["AA", None], "holiday": [True, None], "hour": [7, None]}
    first = pack_features(columns, values, 2)
    second = pack_features((FeatureColumn("hour", "number"),), {"hour": [8.25]}, 1)
    return [
        PredictionRecord(
            model="delay",
            received_at=DAY,
            features=first,
            prediction_ids=bytes(range(32)),
            event_times=pack("<2q", 2 * DAY, 3 * DAY),
            versions=pack("<2I", 1, 2),
            stages=bytes([Stage.CHAMPION, Stage.CANARY]),
            predictions=pack("<2d", 0.25, 0.5),
            keys=["first", ""],
            routing_keys=["", "plane"],
            shadow_version=3,
            shadow_predictions=pack("<2d", 0.75, 1.0),
            digests=digest_rows(first, 2),
        ),
        PredictionRecord(
            model="delay",
            received_at=DAY + 1,
            features=second,
            prediction_ids=bytes(range(32, 48)),
            event_times=pack("<q", 4 * DAY),
            versions=pack("<I", 1),
            stages=bytes([Stage.FALLBACK]),
            predictions=pack("<d", 0.125),
        ),
    ]


def frozen_labels() -> LabelRecord:
    return LabelRecord(2 * DAY, bytes(range(16)), pack("<d", 1.0), pack("<q", 9 * DAY))


def write_log(folder: Path) -> None:
    """Write what is frozen: both records in one batch, then a clean end; then one label."""
    writer = SegmentWriter(folder, SegmentKind.PREDICTIONS, segment_bytes=1 << 20)
    writer.append(encode_batch([encode_prediction(record) for record in frozen_records()]))
    writer.close()
    append_labels(folder, frozen_labels())


@pytest.mark.parametrize("name", ["predictions", "labels"])
def test_frozen_log_reads_the_same(name):
    """A log written by the first release gives the same rows today."""
    expected = json.loads((FROZEN / f"{name}.json").read_text())

    table = read_predictions(FROZEN) if name == "predictions" else read_labels(FROZEN)

    assert json.loads(json.dumps(table.to_pylist(), default=lambda moment: moment.isoformat())) == expected


@pytest.mark.parametrize("name", ["predictions-00000001.log", "labels-00000001.log"])
def test_same_records_are_the_same_bytes(tmp_path, name):
    """What is written today is what the first release wrote, byte for byte."""
    write_log(tmp_path)

    assert (tmp_path / name).read_bytes() == (FROZEN / name).read_bytes()
