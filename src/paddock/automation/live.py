"""The rows an endpoint has answered, and their labels, as a loop follows them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paddock.kernel.clock import to_micros
from paddock.prediction_log import (
    FIXED_COLUMNS,
    LogCursor,
    Stage,
    join_labels,
    read_labels,
    read_predictions,
    read_predictions_since,
)


@dataclass(slots=True)
class LiveRows:
    """The prediction log of one endpoint, read forward and kept in memory without its features.

    One row is about 100 bytes here. Features are read from the log for the windows that need them.
    What is returned depends on the times asked for and on nothing else: rows in order of event time
    and key, labels only when they were true by `until`. Rows that were asked of one version are left out:
    the traffic split did not give them to it, so they say nothing about the traffic.
    """

    folder: Path
    _cursor: LogCursor = field(default_factory=LogCursor)
    _tables: list[pa.Table] = field(default_factory=list)

    def since(self, moment: datetime, until: datetime) -> pa.Table:
        """Return the rows with event times from `moment` up to `until`, with `label`, without features."""
        return self._with_labels(self._inside(moment, until), moment, until)

    def count_labelled(self, since: datetime, end: datetime, until: datetime) -> int:
        """Return how many rows of `between` something can be measured on, without reading features."""
        return int(labelled(self._with_labels(self._inside(since, end), since, until)).num_rows)

    def between(self, since: datetime, end: datetime, until: datetime) -> pa.Table:
        """Return whole rows, features included, with event times from `since` up to `end`, and `label`.

        until: labels that became true later are left out.
        """
        return self._with_labels(read_predictions(self.folder, since=since, until=end), since, until)

    def once_since(self, moment: datetime, until: datetime) -> pa.Table:
        """Return the same as `since`, for who asks once: only that time's log is read, nothing is kept."""
        rows = read_predictions(self.folder, since=moment, until=until, columns=_NO_ROWS.column_names)
        return self._with_labels(rows, moment, until)

    def _with_labels(self, rows: pa.Table, since: datetime, until: datetime) -> pa.Table:
        labels = read_labels(self.folder, since=since, until=until + _ONE_MICRO)
        traffic = rows.filter(pc.not_equal(rows["stage"], _PINNED))
        joined = join_labels(traffic, labels).table
        return joined.sort_by([("event_time", "ascending"), ("idempotency_key", "ascending")])

    def _inside(self, since: datetime, end: datetime) -> pa.Table:
        self._follow()
        rows = pa.concat_tables(self._tables) if self._tables else _NO_ROWS
        micros = rows["event_time"].cast(pa.int64())
        return rows.filter(
            pc.and_(pc.greater_equal(micros, to_micros(since)), pc.less(micros, to_micros(end)))
        )

    def _follow(self) -> None:
        table, self._cursor = read_predictions_since(self.folder, self._cursor)
        if table.num_rows:
            self._tables.append(table.select(_NO_ROWS.column_names))


_PINNED = Stage.PINNED.name.lower()
_ONE_MICRO = timedelta(microseconds=1)
_NO_ROWS = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("idempotency_key", pa.string()),
        ("version", pa.int64()),
        ("stage", pa.string()),
        ("prediction", pa.float64()),
        ("shadow_version", pa.int64()),
        ("shadow_prediction", pa.float64()),
    ]
).empty_table()


def labelled(table: pa.Table) -> pa.Table:
    """Keep the rows whose label is 0 or 1; nothing can be measured on others."""
    return table.filter(pc.is_in(table["label"], value_set=pa.array([0.0, 1.0])))


def feature_names(table: pa.Table) -> list[str]:
    """Return the columns of a table of `LiveRows.between` that were sent as features."""
    own = {*FIXED_COLUMNS, "label", "label_event_time"}
    return [name for name in table.column_names if name not in own]


def column(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Return a numeric column, shape (rows,), with NaN for missing."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
