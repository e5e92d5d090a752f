"""Experiments: made, renamed, tagged, deleted with their runs and restored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata
from paddock.tracking import Experiments, Tracking


@pytest.fixture
def experiments(tracking: Tracking) -> Experiments:
    return Experiments(tracking.metadata, tracking.clock, tracking.actor)


def test_experiment_comes_back_as_it_was_made(experiments: Experiments, clock: SimulatedClock) -> None:
    """An experiment keeps name, place for files and tags; its id counts up within the project."""
    first = experiments.create("delay", artifact_location="s3://ours/delay", tags={"team": "ops"})
    second = experiments.create("churn")

    assert experiments.get(first.experiment_id) == first
    assert experiments.find_by_name("delay") == first
    assert (first.experiment_id, second.experiment_id) == ("1", "2")
    assert (first.tags, first.artifact_location) == ({"team": "ops"}, "s3://ours/delay")
    assert (first.created_at, first.updated_at) == (clock.now(), clock.now())


def test_default_has_id_0_in_each_project(experiments: Experiments) -> None:
    """The experiment that clients log to without choosing one is there once, with id 0, in every project."""
    other = replace(experiments, actor=Actor(ProjectId("other"), "ann"))
    experiments.create("delay")
    for each in (experiments, experiments, other):
        each.ensure_default()

    assert experiments.get("0").name == other.get("0").name == "Default"
    assert [each.name for each in other.list()] == ["Default"]


def test_a_name_is_taken_once_also_by_a_deleted_one(experiments: Experiments) -> None:
    """Two experiments never share a name, whether one is made, renamed or deleted."""
    delay, churn = experiments.create("delay"), experiments.create("churn")
    experiments.delete(delay.experiment_id)

    with pytest.raises(AlreadyExists, match="in deleted state"):
        experiments.create("delay")
    with pytest.raises(AlreadyExists):
        experiments.rename(churn.experiment_id, "delay")
    assert experiments.find_by_name("churn") == churn


def test_renaming_takes_the_runs_along(experiments: Experiments, tracking: Tracking) -> None:
    """Runs are found under the new name of their experiment; the id stays."""
    run = tracking.start_run(experiment="delay")

    renamed = experiments.rename(run.experiment_id, "lateness")

    assert (renamed.experiment_id, renamed.name) == (run.experiment_id, "lateness")
    assert tracking.get_run(run.run_id).experiment == "lateness"
    assert [each.run_id for each in tracking.search_runs(experiment="lateness").runs] == [run.run_id]


def test_restoring_brings_back_the_runs_that_went_with_it(
    experiments: Experiments, tracking: Tracking, clock: SimulatedClock
) -> None:
    """A run that was deleted before its experiment stays deleted when the experiment is restored."""
    kept, gone = (tracking.start_run(experiment="delay") for _ in range(2))
    tracking.delete_run(gone.run_id)
    clock.move_to(clock.now() + timedelta(seconds=1))
    experiments.delete(kept.experiment_id)
    hidden = tracking.search_runs(experiment="delay").runs
    clock.move_to(clock.now() + timedelta(seconds=1))

    experiments.restore(kept.experiment_id)

    assert hidden == ()
    assert [run.run_id for run in tracking.search_runs(experiment="delay").runs] == [kept.run_id]
    assert tracking.get_run(gone.run_id).lifecycle == "deleted"


def test_tags_are_set_overwritten_and_deleted(experiments: Experiments) -> None:
    """A tag has one value; deleting one that is not there is NotFound."""
    made = experiments.create("delay", tags={"team": "ops"})
    experiments.set_tags(made.experiment_id, {"team": "data", "phase": "2"})
    experiments.delete_tag(made.experiment_id, "phase")

    assert experiments.get(made.experiment_id).tags == {"team": "data"}
    with pytest.raises(NotFound):
        experiments.delete_tag(made.experiment_id, "phase")


_CHANGES: list[Callable[[Experiments, str], object]] = [
    lambda e, number: e.rename(number, "other"),
    lambda e, number: e.delete(number),
    lambda e, number: e.set_tags(number, {"a": "1"}),
    lambda e, number: e.delete_tag(number, "a"),
]


@pytest.mark.parametrize("change", _CHANGES)
def test_deleted_and_unknown_experiments_are_not_changed(
    experiments: Experiments, change: Callable[[Experiments, str], object]
) -> None:
    """A deleted experiment is a Conflict, one that is not there is NotFound."""
    made = experiments.create("delay")
    experiments.delete(made.experiment_id)

    with pytest.raises(Conflict):
        change(experiments, made.experiment_id)
    with pytest.raises(NotFound):
        change(experiments, "77")


def test_run_is_not_started_in_a_deleted_experiment(experiments: Experiments, tracking: Tracking) -> None:
    """A run needs an experiment that is there."""
    made = experiments.create("delay")
    experiments.delete(made.experiment_id)

    with pytest.raises(Conflict, match="is deleted"):
        tracking.start_run(experiment="delay")


@pytest.mark.parametrize("name", ["", "x" * 501, "a\x00b", "a\nb"])
def test_bad_name_is_refused(experiments: Experiments, name: str) -> None:
    """An experiment is named by one line of at most 500 bytes."""
    with pytest.raises(InvalidInput, match="cannot name an experiment"):
        experiments.create(name)


@pytest.mark.parametrize("experiment_id", ["", "x", "-1", "1.0", "٣", "9" * 30])
def test_text_that_is_no_id_is_not_found(experiments: Experiments, experiment_id: str) -> None:
    """An id is a whole number; anything else names no experiment."""
    with pytest.raises(NotFound):
        experiments.get(experiment_id)


def test_changes_are_events(experiments: Experiments, metadata: Metadata) -> None:
    """The ledger tells who made, renamed, deleted and restored an experiment."""
    made = experiments.create("delay")
    experiments.rename(made.experiment_id, "lateness")
    experiments.delete(made.experiment_id)
    experiments.restore(made.experiment_id)

    kinds = [event.kind for event in metadata.events("default", kind="experiment.")]

    assert kinds == [f"experiment.{what}" for what in ("created", "renamed", "deleted", "restored")]
