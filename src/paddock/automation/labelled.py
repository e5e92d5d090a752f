"""Labelled live rows, kept as dataset versions to train on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow.compute as pc

from paddock.automation.live import LiveRows, feature_names, labelled
from paddock.datasets import Datasets
from paddock.kernel.errors import NotFound
from paddock.kernel.refs import DatasetRef

_ONE_MICRO = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """The versions of dataset `name` are consecutive stretches of the endpoint's rows, in event time.

    They hold the features as they were served, so training sees no skew, the column `event_time`, and the
    label under `label_name`. A label that comes after its row was kept is not looked at again.
    """

    name: str
    label_name: str
    opened_at: datetime
    datasets: Datasets
    live: LiveRows
    _last: "dict[tuple[datetime, datetime], tuple[DatasetRef, ...]]" = field(
        default_factory=dict, repr=False, compare=False
    )

    def keep_until(self, until: datetime, now: datetime) -> tuple[DatasetRef, ...]:
        """Add the rows before `until` that are not kept yet; return all versions, oldest first.

        Called again for the same times it adds nothing, and reads nothing the next time in a row.
        """
        if (until, now) not in self._last:
            found = self._keep(until, now)
            self._last.clear()
            self._last[until, now] = found
        return self._last[until, now]

    def _keep(self, until: datetime, now: datetime) -> tuple[DatasetRef, ...]:
        kept = self._versions()
        since = self._end_of(kept[-1]) if kept else self.opened_at
        rows = labelled(self.live.between(since, until, now))
        if rows.num_rows:
            features = rows.select([*feature_names(rows), "event_time"])
            version = self.datasets.add_table(
                self.name, features.append_column(self.label_name, rows["label"])
            )
            kept = (*kept, DatasetRef(self.name, version.version))
        return kept

    def _versions(self) -> tuple[DatasetRef, ...]:
        try:
            found = self.datasets.list_versions(self.name)
        except NotFound:
            return ()
        return tuple(DatasetRef(self.name, number) for number in sorted(each.version for each in found))

    def _end_of(self, ref: DatasetRef) -> datetime:
        times = self.datasets.read(str(ref))["event_time"]
        last: datetime = pc.max(times).as_py()
        return last + _ONE_MICRO
