"""What was asked and what was answered, and the labels that came later.

A folder of append-only segments, one writer, any number of readers beside it, and no database.

Invariants:
- a row whose `append` returned in mode `wal` is on disk: it survives kill -9 and power loss;
- a reader never yields a row that was not written as it stands: damage is an IntegrityError that
  names segment and offset, an unfinished tail is left out;
- a key that was answered is answered the same again, with the same prediction id;
- labels are kept whether or not their prediction is known; the last one of an id counts.

The bytes are described in docs/formats/prediction-log.md. Names are loaded at first use: a gateway writes
without pyarrow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.prediction_log.answers import AnswerIndex, Claim
    from paddock.prediction_log.labels import LabelJoin, join_labels
    from paddock.prediction_log.log import (
        LabelLog,
        LogMode,
        LogOptions,
        LogStats,
        PredictionLog,
        append_labels,
        open_label_log,
        open_log,
    )
    from paddock.prediction_log.reader import (
        read_labels,
        read_labels_since,
        read_predictions,
        read_predictions_since,
    )
    from paddock.prediction_log.records import (
        FIXED_COLUMNS,
        FeatureBlock,
        FeatureColumn,
        FeatureKind,
        LabelRecord,
        LogCursor,
        LoggedAnswer,
        PredictionRecord,
        Scalar,
        Stage,
        digest_rows,
        pack_features,
    )

_HOMES = {
    "answers": ("AnswerIndex", "Claim"),
    "labels": ("LabelJoin", "join_labels"),
    "log": (
        "LabelLog",
        "LogMode",
        "LogOptions",
        "LogStats",
        "PredictionLog",
        "append_labels",
        "open_label_log",
        "open_log",
    ),
    "reader": ("read_labels", "read_labels_since", "read_predictions", "read_predictions_since"),
    "records": (
        "FIXED_COLUMNS",
        "FeatureBlock",
        "FeatureColumn",
        "FeatureKind",
        "LabelRecord",
        "LogCursor",
        "LoggedAnswer",
        "PredictionRecord",
        "Scalar",
        "Stage",
        "digest_rows",
        "pack_features",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "FIXED_COLUMNS",
    "AnswerIndex",
    "Claim",
    "FeatureBlock",
    "FeatureColumn",
    "FeatureKind",
    "LabelJoin",
    "LabelLog",
    "LabelRecord",
    "LogCursor",
    "LogMode",
    "LogOptions",
    "LogStats",
    "LoggedAnswer",
    "PredictionLog",
    "PredictionRecord",
    "Scalar",
    "Stage",
    "append_labels",
    "digest_rows",
    "join_labels",
    "open_label_log",
    "open_log",
    "pack_features",
    "read_labels",
    "read_labels_since",
    "read_predictions",
    "read_predictions_since",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
