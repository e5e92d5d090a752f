"""What a view of the run table means in this store: its experiments, its filter, its pinned runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paddock.kernel.errors import NotFound
from paddock.tracking import FilterFault, Run, RunsWanted, check_experiment_name, check_filter, read_document
from paddock.web.views.run_view import RunView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.app import App
    from paddock.tracking import Experiment


@dataclass(frozen=True, slots=True)
class Question:
    """A view, with its experiments by their ids alone.

    chosen: these experiments, empty for all of the project. fault: of the filter, without which the runs are
    shown then. wanted: what is searched for. pinned: the runs on top that are there.
    """

    view: RunView
    chosen: tuple[Experiment, ...]
    fault: FilterFault | None
    wanted: RunsWanted
    pinned: tuple[Run, ...]

    @property
    def experiment_ids(self) -> tuple[str, ...] | None:
        """The experiments as a search takes them."""
        return self.view.experiments or None

    @property
    def filter(self) -> str:
        """The filter as far as it can be read."""
        return "" if self.fault else self.view.filter


def ask_store(app: App, view: RunView) -> Question:
    """Return what `view` asks of the store; NotFound for an experiment that is not there."""
    chosen = _find_experiments(app, view)
    fault = check_filter(view.filter)
    named = replace(view, experiment="", experiments=tuple(each.experiment_id for each in chosen))
    if fault is not None:
        named = named.first_page  # a cursor goes with its filter
    wanted = named.wanted(named.experiments or None, "" if fault else view.filter)
    return Question(named, chosen, fault, wanted, find_runs(app, view.pins))


def find_runs(app: App, run_ids: Sequence[str]) -> tuple[Run, ...]:
    """Return those of these runs that are there, deleted or not, in this order."""
    if not run_ids:
        return ()
    listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
    wanted = RunsWanted(filter=f"run_id IN ({listed})", lifecycle="all")
    documents = app.searches.runs(wanted, limit=len(run_ids)).documents
    found = {str(each.run.run_id): read_document(each) for each in documents}
    return tuple(found[run_id] for run_id in run_ids if run_id in found)


def _find_experiments(app: App, view: RunView) -> tuple[Experiment, ...]:
    found = {each: app.experiments.get(each) for each in view.experiments}
    if view.experiment:
        named = app.experiments.find_by_name(check_experiment_name(view.experiment))
        if named is None:
            raise NotFound(f"there is no experiment `{view.experiment[:80]}`")
        found.setdefault(named.experiment_id, named)
    return tuple(found.values())
