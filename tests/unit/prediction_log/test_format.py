"""The bytes on disk: a frozen folder of each format, read again; that of today written again too."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from struct import pack

import pyarrow as pa
import pytest

from paddock.kernel.errors import StoreTooNew
from paddock.prediction_log import (
    FeatureColumn,
    LabelRecord,
    PredictionRecord,
    Stage,
    append_labels,
    digest_rows,
    join_labels,
    pack_features,
    read_labels,
    read_predictions,
)
from paddock.prediction_log.batches import encode_batch, encode_prediction
from paddock.prediction_log.frames import SegmentKind
from paddock.prediction_log.segments import SegmentWriter

FROZEN = Path(__file__).parents[2] / "frozen"
FIRST, TODAY = FROZEN / "prediction-log-v1", FROZEN / "prediction-log-v2"
DAY = 86_400_000_000


def frozen_records() -> list[PredictionRecord]:
    """Return what is frozen in each format, and last the record that the first one had no stage for."""
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
        PredictionRecord(
            model="delay",
            received_at=DAY + 2,
            features=second,
            prediction_ids=bytes(range(48, 64)),
            event_times=pack("<q", 5 * DAY),
            versions=pack("<I", 2),
            stages=bytes([Stage.PINNED]),
            predictions=pack("<d", 0.875),
        ),
    ]


def frozen_labels() -> LabelRecord:
    return LabelRecord(2 * DAY, bytes(range(16)), pack("<d", 1.0), pack("<q", 9 * DAY))


def pinned_label() -> LabelRecord:
    return LabelRecord(3 * DAY, bytes(range(48, 64)), pack("<d", 0.0), pack("<q", 9 * DAY))


def write_records(folder: Path, records: Sequence[PredictionRecord]) -> None:
    """Write records in one batch, then a clean end."""
    writer = SegmentWriter(folder, SegmentKind.PREDICTIONS, segment_bytes=1 << 20)
    writer.append(encode_batch([encode_prediction(record) for record in records]))
    writer.close()


def write_log(folder: Path) -> None:
    """Write what is frozen in the format of today: all records, then a label, then that of the last one."""
    write_records(folder, frozen_records())
    append_labels(folder, frozen_labels())
    append_labels(folder, pinned_label())


def as_json(rows: pa.Table) -> object:
    return json.loads(json.dumps(rows.to_pylist(), default=lambda moment: moment.isoformat()))


@pytest.mark.parametrize("folder", [FIRST, TODAY], ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ["predictions", "labels"])
def test_frozen_log_reads_the_same(folder, name):
    """A log written in any format gives the same rows today."""
    expected = json.loads((folder / f"{name}.json").read_text())

    table = read_predictions(folder) if name == "predictions" else read_labels(folder)

    assert as_json(table) == expected


@pytest.mark.parametrize("name", ["predictions-00000001.log", "labels-00000001.log", "labels-00000002.log"])
def test_same_records_are_the_same_bytes(tmp_path, name):
    """What is written today is what was frozen last, byte for byte."""
    write_log(tmp_path)

    assert (tmp_path / name).read_bytes() == (TODAY / name).read_bytes()


def test_labels_are_written_as_by_the_first_release(tmp_path):
    """Their format did not change with that of the predictions, so an earlier reader has them all."""
    append_labels(tmp_path, frozen_labels())

    name = "labels-00000001.log"
    assert (tmp_path / name).read_bytes() == (FIRST / name).read_bytes()


def test_log_of_the_first_format_is_written_on(tmp_path):
    """A log from before goes on in a segment of its own, and both formats are read as one log."""
    folder = Path(shutil.copytree(FIRST, tmp_path / "log"))

    write_records(folder, frozen_records()[2:])

    assert read_predictions(folder).equals(read_predictions(TODAY))
    segments = [folder / f"predictions-0000000{number}.log" for number in (1, 2)]
    assert segments[0].read_bytes() == (FIRST / segments[0].name).read_bytes()
    assert [segment.read_bytes()[8] for segment in segments] == [1, 2]


def test_reader_of_the_first_format_refuses_a_pinned_row(monkeypatch):
    """It has no name for the stage: it refuses the folder with a word on why, and reads its labels."""
    monkeypatch.setattr("paddock.prediction_log.frames.FORMATS", dict.fromkeys(SegmentKind, 1))

    with pytest.raises(
        StoreTooNew, match=r"`predictions-00000001\.log` has format 2; this Paddock reads up to 1"
    ):
        read_predictions(TODAY)
    assert read_labels(TODAY).num_rows == 2


def test_label_of_a_pinned_row_joins_it():
    """What was asked of one version has its label beside it, and its stage says what it is."""
    joined = join_labels(read_predictions(TODAY), read_labels(TODAY))

    assert joined.table.select(["stage", "label"]).to_pylist() == [
        {"stage": "champion", "label": 1.0},
        {"stage": "canary", "label": None},
        {"stage": "fallback", "label": None},
        {"stage": "pinned", "label": 0.0},
    ]
    assert joined.unknown_count == 0
