"""Searching runs and experiments with a filter and an order, and counting and grouping what is found."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from paddock.kernel.refs import Actor
from paddock.metadata import Metadata, Reader
from paddock.tracking import rules
from paddock.tracking.records import Experiment, RunDocument
from paddock.tracking.search import (
    EXPERIMENTS,
    RUNS,
    ExperimentQuery,
    Grouping,
    LifecycleView,
    RunGroup,
    RunQuery,
    parse_filter,
    parse_order,
)
from paddock.tracking.sql import experiments, search
from paddock.tracking.sql.datasets import DatasetUse, list_dataset_uses
from paddock.tracking.sql.runs import RunRow
from paddock.tracking.sql.search import KeyUse
from paddock.tracking.summaries import read_summary
from paddock.tracking.summary import OVERSIZE


@dataclass(frozen=True, slots=True)
class RunsWanted:
    """Which runs, in which order. The grammar of filter and order is that of docs/reference/search.md.

    experiment_ids: None for all of the project; an id that is not there holds no runs.
    """

    experiment_ids: Sequence[str] | None = None
    filter: str = ""
    order_by: Sequence[str] = ()
    lifecycle: LifecycleView = "active"


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some runs with their summaries. next_cursor: give it back for the next page; empty on the last one."""

    documents: tuple[RunDocument, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    experiments: tuple[Experiment, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class RunKeys:
    """What runs have, most used first; see KeyUse."""

    metrics: tuple[KeyUse, ...]
    params: tuple[KeyUse, ...]
    tags: tuple[KeyUse, ...]


_ALL = RunsWanted()


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches in one project. Raises InvalidInput that points at the character for a filter or an order."""

    metadata: Metadata
    actor: Actor

    def runs(self, wanted: RunsWanted = _ALL, *, limit: int = 100, cursor: str = "") -> DocumentPage:
        """Return a page of runs; runs that are equal by the order come newest first, then by run id.

        cursor: next_cursor of the page before, with the same `wanted`. Runs that start meanwhile neither
        shift nor repeat what is listed.
        """

        def query(reader: Reader) -> DocumentPage:
            found = search.find_run_rows(reader, self._query(reader, wanted, limit, cursor))
            return DocumentPage(tuple(_document(reader, row) for row in found.rows), found.next_cursor)

        return self.metadata.read(query)

    def count(self, wanted: RunsWanted = _ALL, *, at_most: int | None = None) -> int:
        """Return how many runs there are; at_most: where counting ends, so that it takes no longer."""
        return self.metadata.read(
            lambda reader: search.count_runs(reader, self._query(reader, wanted), at_most)
        )

    def keys(self, experiment_ids: Sequence[str] | None = None, *, limit: int = 100) -> RunKeys:
        """Return the keys that runs of these experiments have, at most `limit` of each kind.

        experiment_ids: None for all of the project; of more than 50 the newest are looked at.
        """

        def query(reader: Reader) -> RunKeys:
            numbers = self._numbers(reader, experiment_ids)
            metrics, params, tags = (
                search.list_keys(reader, self.actor.project_id, numbers, kind, limit)
                for kind in ("metric", "param", "tag")
            )
            return RunKeys(metrics, params, tags)

        return self.metadata.read(query)

    def group(self, wanted: RunsWanted, grouping: Grouping) -> tuple[RunGroup, ...]:
        """Return the runs by the value of a param, a tag or the status, the largest group first."""
        return self.metadata.read(
            lambda reader: search.group_runs(reader, self._query(reader, wanted), grouping)
        )

    def experiments(
        self,
        filter_text: str = "",
        *,
        order_by: Sequence[str] = (),
        lifecycle: LifecycleView = "active",
        limit: int = 100,
        cursor: str = "",
    ) -> ExperimentPage:
        """Return a page of experiments with their tags, the newest first unless an order is given."""
        wanted = ExperimentQuery(
            self.actor.project_id,
            parse_filter(filter_text, EXPERIMENTS),
            parse_order(order_by, EXPERIMENTS),
            lifecycle,
            limit,
            cursor,
        )

        def query(reader: Reader) -> ExperimentPage:
            found = search.find_experiment_rows(reader, wanted)
            return ExperimentPage(found.rows, found.next_cursor)

        return self.metadata.read(query)

    def datasets(self, experiment_ids: Sequence[str], *, limit: int = 1_000) -> tuple[DatasetUse, ...]:
        """Return the described datasets that runs of these experiments have read, each context once."""
        return self.metadata.read(
            lambda reader: list_dataset_uses(reader, self._numbers(reader, experiment_ids) or (), limit)
        )

    def _query(self, reader: Reader, wanted: RunsWanted, limit: int = 1, cursor: str = "") -> RunQuery:
        return RunQuery(
            self.actor.project_id,
            self._numbers(reader, wanted.experiment_ids),
            parse_filter(wanted.filter, RUNS),
            parse_order(wanted.order_by, RUNS),
            wanted.lifecycle,
            limit,
            cursor,
        )

    def _numbers(self, reader: Reader, ids: Sequence[str] | None) -> tuple[int, ...] | None:
        if ids is None:
            return None
        known = [rules.parse_experiment_id(each) for each in ids if rules.is_experiment_id(each)]
        return experiments.find_numbers(reader, self.actor.project_id, known)


def _document(reader: Reader, row: RunRow) -> RunDocument:
    if row.summary not in ("", OVERSIZE):
        return RunDocument(row.run, row.summary)
    return RunDocument(row.run, msgspec.json.encode(read_summary(reader, row)).decode())
