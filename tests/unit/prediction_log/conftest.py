"""Records of made-up flights for the tests of the log."""

from collections.abc import Callable, Sequence
from struct import pack

import pytest

from paddock.kernel.ids import new_id
from paddock.prediction_log import (
    FeatureColumn,
    LabelRecord,
    PredictionRecord,
    Stage,
    digest_rows,
    pack_features,
)

HOUR = 3_600_000_000
COLUMNS = (FeatureColumn("carrier", "text"), FeatureColumn("hour", "number"))

MakeRecord = Callable[..., PredictionRecord]
MakeLabels = Callable[..., LabelRecord]


@pytest.fixture
def make_record() -> MakeRecord:
    """Build a record of n rows; the prediction of row i is `start + i`, its event time that many hours."""

    def make(
        start: int = 0,
        rows: int = 1,
        *,
        keys: Sequence[str] = (),
        columns: tuple[FeatureColumn, ...] = COLUMNS,
        values: dict[str, list[object]] | None = None,
    ) -> PredictionRecord:
        numbers = range(start, start + rows)
        values = values or {"carrier": ["AA"] * rows, "hour": [float(n) for n in numbers]}
        features = pack_features(columns, values, rows)  # type: ignore[arg-type]  # test data
        return PredictionRecord(
            model="delay",
            received_at=HOUR,
            features=features,
            prediction_ids=b"".join(bytes.fromhex(new_id()) for _ in numbers),
            event_times=pack(f"<{rows}q", *[n * HOUR for n in numbers]),
            versions=pack(f"<{rows}I", *[3] * rows),
            stages=bytes([Stage.CHAMPION] * rows),
            predictions=pack(f"<{rows}d", *numbers),
            keys=keys,
            digests=digest_rows(features, rows) if keys else b"",
        )

    return make


@pytest.fixture
def make_labels() -> MakeLabels:
    def make(ids: Sequence[str], labels: Sequence[float], *, event_hour: int = 0) -> LabelRecord:
        return LabelRecord(
            received_at=HOUR,
            prediction_ids=b"".join(bytes.fromhex(one) for one in ids),
            labels=pack(f"<{len(labels)}d", *labels),
            event_times=pack(f"<{len(labels)}q", *[event_hour * HOUR] * len(labels)),
        )

    return make
