"""Labels beside predictions: pure functions over the tables of the reader."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class LabelJoin(NamedTuple):
    """table: the predictions in their order, with `label` and `label_event_time` (null: none yet).

    unknown_count: labels whose prediction is not in the table.
    """

    table: pa.Table
    unknown_count: int


def join_labels(predictions: pa.Table, labels: pa.Table) -> LabelJoin:
    """Put the labels of `read_labels` beside the predictions of `read_predictions`."""
    places = pc.index_in(predictions["prediction_id"], value_set=labels["prediction_id"].combine_chunks())
    known = len(places) - places.null_count
    table = predictions
    for name, source in (("label", "label"), ("label_event_time", "label_event_time")):
        table = table.append_column(name, labels[source].take(places))
    return LabelJoin(table, labels.num_rows - known)


def keep_last(labels: pa.Table) -> pa.Table:
    """Keep the last label of each prediction id, in the order in which they came."""
    codes = labels["prediction_id"].combine_chunks().dictionary_encode()
    last = np.empty(len(codes.dictionary), dtype=np.int64)
    last[codes.indices.to_numpy()] = np.arange(labels.num_rows)  # of equal indices the last one stays
    return labels.take(pa.array(np.sort(last)))
