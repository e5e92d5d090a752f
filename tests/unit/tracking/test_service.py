"""Runs as a caller meets them: started, logged to, ended, found again."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddock.kernel.clock import SimulatedClock, to_micros
from paddock.kernel.errors import (
    AlreadyExists,
    Conflict,
    IdempotencyConflict,
    IntegrityError,
    InvalidInput,
    NotFound,
)
from paddock.kernel.ids import RunId, new_id
from paddock.kernel.refs import Actor, DatasetRef, ProjectId
from paddock.metadata import Metadata
from paddock.tracking import (
    DescribedDataset,
    DescribedInput,
    Experiments,
    MetricPoint,
    ModelLink,
    RunBatch,
    RunInput,
    Tracking,
    capture_environment,
)


def test_run_comes_back_with_all_that_was_logged(tracking: Tracking, clock: SimulatedClock) -> None:
    """A run is read back as it was written, part by part."""
    run = tracking.start_run(experiment="delay", name="depth 6", params={"depth": "6"}, tags={"by": "ann"})
    tracking.log_params(run.run_id, {"rate": "0.1"})
    tracking.set_tags(run.run_id, {"by": "bob"})
    tracking.log_metrics(run.run_id, [MetricPoint("auc", 0.7, 1, to_micros(clock.now()))])
    tracking.log_input(run.run_id, DatasetRef("flights", 3), role="train")
    artifact = tracking.log_artifact(run.run_id, "plots/roc.svg", b"<svg/>")
    clock.move_to(clock.now() + timedelta(minutes=5))

    ended = tracking.finish_run(run.run_id)

    assert ended == replace(
        run,
        status="finished",
        ended_at=clock.now(),
        params={"depth": "6", "rate": "0.1"},
        tags={"by": "bob"},
        metrics={"auc": 0.7},
        inputs=(RunInput(DatasetRef("flights", 3), "train"),),
        artifacts=(artifact,),
    )
    assert tracking.read_artifact(run.run_id, "plots/roc.svg") == b"<svg/>"


def test_start_and_end_are_events_and_points_are_not(tracking: Tracking, metadata: Metadata) -> None:
    """The ledger tells when a run started and how it ended, and nothing of its metrics."""
    run = tracking.start_run(experiment="delay")
    tracking.log_metrics(run.run_id, [MetricPoint("auc", 0.7, 1, to_micros(run.started_at))])
    tracking.finish_run(run.run_id, "failed")
    tracking.finish_run(run.run_id, "failed")

    events = metadata.events("default", kind="run.")

    assert [event.kind for event in events] == ["run.started", "run.finished"]
    assert events[1].data["status"] == "failed"


def test_same_key_starts_one_run(tracking: Tracking) -> None:
    """A start sent twice under one key is one run; the key is not good for another start."""
    first = tracking.start_run(experiment="delay", params={"depth": "6"}, key="k1")
    second = tracking.start_run(experiment="delay", params={"depth": "6"}, key="k1")

    assert second == first
    assert len(tracking.search_runs().runs) == 1
    with pytest.raises(IdempotencyConflict):
        tracking.start_run(experiment="other", key="k1")


def test_same_run_id_starts_one_run(tracking: Tracking) -> None:
    """A client that chose the id may repeat the start; for another run the id is taken."""
    chosen = RunId(new_id())
    first = tracking.start_run(experiment="delay", run_id=chosen)

    assert tracking.start_run(experiment="delay", run_id=chosen) == first
    with pytest.raises(AlreadyExists):
        tracking.start_run(experiment="other", run_id=chosen)


def test_run_id_of_another_project_is_taken(tracking: Tracking) -> None:
    """An id in use by another project is refused, and that project's run is not shown."""
    run = tracking.start_run(experiment="delay")
    stranger = replace(tracking, actor=Actor(ProjectId("other"), "eve"))

    with pytest.raises(AlreadyExists):
        stranger.start_run(experiment="delay", run_id=run.run_id)
    with pytest.raises(NotFound):
        stranger.get_run(run.run_id)
    assert stranger.search_runs().runs == ()
    assert Experiments(stranger.metadata, stranger.clock, stranger.actor).list() == ()


def test_refused_params_leave_nothing(tracking: Tracking) -> None:
    """When one parameter clashes, none of the call is stored."""
    run = tracking.start_run(experiment="delay", params={"depth": "6"})

    with pytest.raises(Conflict):
        tracking.log_params(run.run_id, {"rate": "0.1", "depth": "7"})

    assert tracking.get_run(run.run_id).params == {"depth": "6"}


def test_other_end_is_a_conflict(tracking: Tracking) -> None:
    """A run that failed does not become finished."""
    run = tracking.start_run(experiment="delay")
    tracking.finish_run(run.run_id, "failed")

    with pytest.raises(Conflict, match="is failed already"):
        tracking.finish_run(run.run_id, "finished")


_VALUES = st.floats().filter(lambda value: abs(value) != sys.float_info.max)  # which stands for infinity
_POINTS = st.lists(st.tuples(_VALUES, st.integers(-3, 3), st.integers(0, 2)), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(_POINTS)
def test_latest_metric_is_the_highest_step_then_time(
    tracking: Tracking, drawn: list[tuple[float, int, int]]
) -> None:
    """However points are batched and ordered, the latest value is the largest at the highest (step, at)."""
    run = tracking.start_run(experiment="delay")
    points = [
        MetricPoint("auc", value, step, to_micros(run.started_at) + second) for value, step, second in drawn
    ]
    for point in points[: len(points) // 2]:
        tracking.log_metrics(run.run_id, [point])
    tracking.log_metrics(run.run_id, points[len(points) // 2 :])

    latest = tracking.get_run(run.run_id).metrics["auc"]

    place = max((point.step, point.at) for point in points)
    there = [point.value for point in points if (point.step, point.at) == place]
    numbers = [value for value in there if not math.isnan(value)]
    assert latest == max(numbers) if numbers else math.isnan(latest)


def test_history_keeps_nan_and_infinities_in_order(tracking: Tracking) -> None:
    """Points come back by step, with NaN and the infinities as such; a repeated write adds nothing."""
    run = tracking.start_run(experiment="delay")
    values = [math.nan, math.inf, -math.inf, 0.5]
    points = [
        MetricPoint("loss", value, step, to_micros(run.started_at)) for step, value in enumerate(values)
    ]
    tracking.log_metrics(run.run_id, points[::-1])
    tracking.log_metrics(run.run_id, points)

    history = tracking.metric_history(run.run_id, "loss")

    assert [repr(point.value) for point in history] == ["nan", "inf", "-inf", "0.5"]
    assert [point.step for point in history] == [0, 1, 2, 3]
    assert tracking.metric_history(run.run_id, "other") == ()


def test_pages_list_every_run_once_while_new_ones_start(tracking: Tracking, clock: SimulatedClock) -> None:
    """Paging newest first neither skips nor repeats a run, also when runs share a time or start meanwhile."""
    started = []
    for position in range(7):
        if position % 2:
            clock.move_to(clock.now() + timedelta(seconds=1))
        started.append(tracking.start_run(experiment="delay").run_id)

    seen: list[str] = []
    cursor = ""
    while True:
        page = tracking.search_runs(experiment="delay", limit=3, cursor=cursor)
        seen += [run.run_id for run in page.runs]
        tracking.start_run(experiment="delay")
        cursor = page.next_cursor
        if not cursor:
            break

    pairs = [started[5:7], started[3:5], started[1:3], started[:1]]  # two each share a time
    assert [run_id for run_id in seen if run_id in started] == [one for pair in pairs for one in pair]
    assert len(seen) == len(set(seen))


def test_runs_are_found_by_experiment_and_parent(tracking: Tracking) -> None:
    """Filters narrow the list to one experiment or to the children of one run."""
    parent = tracking.start_run(experiment="delay")
    child = tracking.start_run(experiment="delay", parent_id=parent.run_id)
    other = tracking.start_run(experiment="churn")

    assert [run.run_id for run in tracking.search_runs(parent_id=parent.run_id).runs] == [child.run_id]
    assert [run.run_id for run in tracking.search_runs(experiment="churn").runs] == [other.run_id]
    experiments = Experiments(tracking.metadata, tracking.clock, tracking.actor)
    assert {e.name: e.run_count for e in experiments.list()} == {"delay": 2, "churn": 1}


def test_missing_parent_is_not_found(tracking: Tracking) -> None:
    """A run cannot be the child of a run that is not there, and is not started."""
    with pytest.raises(NotFound):
        tracking.start_run(experiment="delay", parent_id=new_id())
    assert tracking.search_runs().runs == ()


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_page_limit_is_checked(tracking: Tracking, limit: int) -> None:
    """A page has 1 to 1,000 runs."""
    with pytest.raises(InvalidInput):
        tracking.search_runs(limit=limit)


_WRITES: list[Callable[[Tracking, str], object]] = [
    lambda t, run_id: t.log_params(run_id, {"a": "1"}),
    lambda t, run_id: t.set_tags(run_id, {"a": "1"}),
    lambda t, run_id: t.log_metrics(run_id, [MetricPoint("a", 1.0, 1, to_micros(t.clock.now()))]),
    lambda t, run_id: t.log_input(run_id, DatasetRef("flights", 1)),
    lambda t, run_id: t.log_artifact(run_id, "a.txt", b"a"),
    lambda t, run_id: t.finish_run(run_id),
    lambda t, run_id: t.metric_history(run_id, "a"),
    lambda t, run_id: t.read_artifact(run_id, "a.txt"),
]


@pytest.mark.parametrize("write", _WRITES)
def test_unknown_run_is_not_found(tracking: Tracking, write: Callable[[Tracking, str], object]) -> None:
    """Whatever is asked of a run that is not there is NotFound."""
    with pytest.raises(NotFound):
        write(tracking, new_id())


def test_artifact_file_is_stored_and_replaced(tracking: Tracking, tmp_path: Path) -> None:
    """A file is stored under its path; a later one of that path takes its place."""
    run = tracking.start_run(experiment="delay")
    (tmp_path / "model.bin").write_bytes(b"two")
    tracking.log_artifact(run.run_id, "model.bin", b"one")

    artifact = tracking.log_artifact_file(run.run_id, "model.bin", tmp_path / "model.bin")

    assert artifact.size_bytes == 3
    assert tracking.get_run(run.run_id).artifacts == (artifact,)
    assert tracking.read_artifact(run.run_id, "model.bin") == b"two"
    with pytest.raises(NotFound, match="no artifact"):
        tracking.read_artifact(run.run_id, "other.bin")


def test_environment_is_kept_by_content(tracking: Tracking, tmp_path: Path) -> None:
    """Runs of one environment share one object, and it reads back equal."""
    environment = capture_environment(tmp_path, seeds={"numpy": 7}, arguments=["fit.py"])
    first = tracking.start_run(experiment="delay", environment=environment)
    second = tracking.start_run(experiment="delay", environment=environment)

    assert first.environment_digest == second.environment_digest
    assert tracking.get_environment(first.environment_digest) == environment


def test_object_that_is_no_environment_is_an_integrity_error(tracking: Tracking) -> None:
    """A digest of something else is not read as an environment."""
    digest = tracking.objects.put(b"{}")

    with pytest.raises(IntegrityError, match="is not an environment"):
        tracking.get_environment(digest)


def test_batch_is_stored_as_a_whole_or_not_at_all(tracking: Tracking) -> None:
    """When one part of a batch clashes, no point, tag or input of it is there."""
    run = tracking.start_run(experiment="delay", params={"depth": "6"})
    batch = RunBatch(
        points=[MetricPoint("auc", 0.7, 1, 0)],
        params={"depth": "7"},
        tags={"by": "ann"},
        inputs=(RunInput(DatasetRef("flights", 1), ""),),
    )

    with pytest.raises(Conflict):
        tracking.log_batch(run.run_id, batch)

    assert tracking.get_run(run.run_id) == run
    assert tracking.metric_history(run.run_id, "auc") == ()


def test_deleted_run_is_out_of_lists_and_takes_nothing(tracking: Tracking) -> None:
    """A deleted run is not listed nor written to, can be read, and comes back as it was."""
    run = tracking.start_run(experiment="delay")
    tracking.delete_run(run.run_id)
    tracking.delete_run(run.run_id)

    with pytest.raises(Conflict, match="is deleted"):
        tracking.set_tags(run.run_id, {"by": "ann"})
    assert tracking.search_runs().runs == ()
    assert tracking.get_run(run.run_id) == replace(run, lifecycle="deleted")

    tracking.restore_run(run.run_id)

    assert tracking.search_runs().runs == (run,)


def test_tag_is_deleted(tracking: Tracking) -> None:
    """A deleted tag is gone from the run and from its summary; a second time it is NotFound."""
    run = tracking.start_run(experiment="delay", tags={"by": "ann", "for": "ops"})

    tracking.delete_tag(run.run_id, "by")

    assert tracking.get_run(run.run_id).tags == {"for": "ops"}
    with pytest.raises(NotFound, match="no tag"):
        tracking.delete_tag(run.run_id, "by")


def test_a_client_may_go_on_with_an_ended_run(tracking: Tracking, clock: SimulatedClock) -> None:
    """A run is renamed, ended, opened again and ended at the time it is told."""
    run = tracking.start_run(experiment="delay")
    tracking.finish_run(run.run_id, "failed")
    reopened = tracking.update_run(run.run_id, status="running", name="second try")
    ended = tracking.update_run(run.run_id, status="finished", ended_at=clock.now() + timedelta(hours=1))

    assert (reopened.status, reopened.ended_at, reopened.name) == ("running", None, "second try")
    assert (ended.status, ended.ended_at) == ("finished", clock.now() + timedelta(hours=1))


def test_clients_name_a_run_and_its_parent_by_tags(tracking: Tracking) -> None:
    """The tags by which MLflow's clients name a run and its parent do so."""
    parent, child = (tracking.start_run(experiment="delay") for _ in range(2))

    tracking.set_tags(child.run_id, {"mlflow.runName": "fold 1", "mlflow.parentRunId": parent.run_id})

    found = tracking.search_runs(parent_id=parent.run_id).runs
    assert [(run.run_id, run.name) for run in found] == [(child.run_id, "fold 1")]


def test_described_datasets_and_models_stand_in_the_document(tracking: Tracking) -> None:
    """What a run has read and made is in its document once, in the form that is sent to clients."""
    run = tracking.start_run(experiment="delay")
    flights = DescribedDataset("flights", "abc", "local", "/data/flights.csv", "{}", "")
    batch = RunBatch(
        described_inputs=(DescribedInput(flights, (("mlflow.data.context", "train"),)),),
        models_read=(ModelLink("m-1"),),
        models_made=(ModelLink("m-2", 3),),
    )
    tracking.log_batch(run.run_id, batch)
    tracking.log_batch(run.run_id, batch)

    found = json.loads(tracking.get_document(run.run_id).summary)

    assert found["inputs"]["dataset_inputs"] == [
        {
            "tags": [{"key": "mlflow.data.context", "value": "train"}],
            "dataset": {
                "name": "flights",
                "digest": "abc",
                "source_type": "local",
                "source": "/data/flights.csv",
                "schema": "{}",
            },
        }
    ]
    assert found["inputs"]["model_inputs"] == [{"model_id": "m-1"}]
    assert found["outputs"]["model_outputs"] == [{"model_id": "m-2", "step": 3}]


def test_summary_that_is_too_large_is_put_together(tracking: Tracking) -> None:
    """A run with more than a summary holds is read like any other."""
    params = {f"layer_{number}": "x" * 500 for number in range(100)}
    run = tracking.start_run(experiment="delay", params=params)
    tracking.set_tags(run.run_id, {"by": "ann"})
    tracking.log_metrics(run.run_id, [MetricPoint("auc", math.nan, 1, 0)])

    found = tracking.search_runs().runs[0]

    assert found.params == params
    assert (found.tags, repr(found.metrics)) == ({"by": "ann"}, "{'auc': nan}")
    assert len(json.loads(tracking.get_document(run.run_id).summary)["data"]["params"]) == 100


def test_run_may_be_told_late(tracking: Tracking, clock: SimulatedClock) -> None:
    """A run that was started and ended away from the store keeps its own times."""
    then = clock.now() - timedelta(days=2)
    run = tracking.start_run(experiment="delay", started_at=then, run_id=RunId("imported-1"))

    ended = tracking.finish_run(run.run_id, ended_at=then + timedelta(hours=1))

    assert (ended.run_id, ended.started_at, ended.ended_at) == ("imported-1", then, then + timedelta(hours=1))
