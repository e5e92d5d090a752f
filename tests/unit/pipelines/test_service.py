"""Pipelines as a caller meets them: run, cached, failed, interrupted, read back."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from paddock.kernel.errors import Conflict, IdempotencyConflict, IntegrityError, InvalidInput, NotFound
from paddock.kernel.ids import new_id
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata
from paddock.objects import MemoryBackend
from paddock.pipelines import PipelineRun, Pipelines, pipeline, run_pipeline, step


def states(run: PipelineRun) -> dict[str, str]:
    return {item.name: item.state for item in run.steps}


@step
def load(rows: int) -> pa.Table:
    print(f"loading {rows} rows")
    return pa.table({"x": list(range(rows))})


@step
def total(table: pa.Table) -> int:
    return int(sum(table["x"].to_pylist()))


@step
def halve(value: int) -> int:
    return value // 2


@pipeline
def train(rows: int = 4) -> int:
    return halve(total(load(rows)))


@step
def fail(value: int) -> int:
    print("before the end")
    raise ValueError(f"bad value {value}")


@step
def one(value: int) -> int:
    return value + 1


@pipeline
def partly_broken() -> list[int]:
    broken = fail(1)
    return [one(broken), halve(one(2))]


def test_run_gives_values_and_is_recorded(pipelines: Pipelines) -> None:
    """A run returns what the pipeline returns; its steps are read back with inputs, output, log, times."""
    run = pipelines.run(train, {"rows": 4})

    assert (run.output, run.status) == (3, "succeeded")
    stored = pipelines.get_run(run.pipeline_run_id)
    assert stored == run
    first, second, _ = pipelines.steps(run.pipeline_run_id)
    assert first.inputs[0].name == "rows"
    assert (second.inputs[0].digest, second.inputs[0].source) == (first.output_digest, "load")
    assert pipelines.read_log(first.step_run_id) == "loading 4 rows\n"
    assert pipelines.read_log(second.step_run_id) == ""
    assert first.started_at is not None
    assert first.ended_at is not None
    assert first.started_at <= first.ended_at
    assert pipelines.load_output(first.step_run_id).equals(pa.table({"x": [0, 1, 2, 3]}))  # type: ignore[attr-defined]


def test_second_run_is_cached(pipelines: Pipelines) -> None:
    """The same pipeline again takes every output from the cache, and says from which step run."""
    first = pipelines.run(train)
    second = pipelines.run(train)

    assert set(states(second).values()) == {"cached"}
    assert second.output == first.output
    assert second.steps[0].reason == (
        f"same code, inputs and packages as step run `{first.steps[0].step_run_id}`"
    )


def test_equal_output_stops_the_cascade(pipelines: Pipelines) -> None:
    """Early cutoff: when a step that ran again gives the same output, the steps after it are cached."""
    pipelines.run(train, {"rows": 2})  # total 1, half 0

    run = pipelines.run(train, {"rows": 1})  # total 0, half 0
    again = pipelines.run(rows_in_two_ways, {"way": "a"})
    other = pipelines.run(rows_in_two_ways, {"way": "b"})

    assert states(run) == {"load": "succeeded", "total": "succeeded", "halve": "succeeded"}
    assert states(again) == {"rows_of": "succeeded", "total": "succeeded"}
    assert states(other) == {"rows_of": "succeeded", "total": "cached"}


@step
def rows_of(way: str) -> pa.Table:
    return pa.table({"x": [len(way), 2]})


@pipeline
def rows_in_two_ways(way: str) -> int:
    return total(rows_of(way))


def test_miss_says_why(pipelines: Pipelines) -> None:
    """A step that ran says what differs from its newest kept output."""
    first = pipelines.run(train, {"rows": 4})
    second = pipelines.run(train, {"rows": 5})

    assert first.get_step("load").reason == "no output of this step is kept yet"
    assert second.get_step("load").reason == "its inputs changed"


def test_failing_step_fails_the_run_and_only_its_dependants(pipelines: Pipelines) -> None:
    """What needs the failed step is skipped, what does not finishes, and the run says why it failed."""
    run = pipelines.run(partly_broken)

    assert states(run) == {"fail": "failed", "one": "skipped", "one#2": "succeeded", "halve": "succeeded"}
    assert (run.status, run.reason) == ("failed", "step `fail` failed: ValueError: bad value 1")
    log = pipelines.read_log(run.steps[0].step_run_id)
    assert log.startswith("before the end\nTraceback")
    assert log.endswith("ValueError: bad value 1\n")
    assert "attempt.py" not in log
    with pytest.raises(Conflict, match="pipeline `partly_broken` failed: step `fail` failed"):
        _ = run.output


def test_failure_is_never_cached(pipelines: Pipelines) -> None:
    """A step that failed runs again; one beside it that succeeded does not."""
    pipelines.run(partly_broken)

    again = pipelines.run(partly_broken)

    assert states(again) == {"fail": "failed", "one": "skipped", "one#2": "cached", "halve": "cached"}


BARRIER = [threading.Barrier(2, timeout=30)]


@step(cache=False)
def meet(name: str) -> str:
    print(f"{name} is here")
    BARRIER[0].wait()
    print(f"{name} goes on")
    return name


@pipeline
def meeting() -> tuple[str, str]:
    return meet("ann"), meet("bob")


def test_independent_steps_overlap_and_log_apart(pipelines: Pipelines) -> None:
    """Two steps that wait for each other both end, each with its own lines in its log."""
    run = pipelines.run(meeting, parallel=2)

    assert run.output == ("ann", "bob")
    assert [pipelines.read_log(item.step_run_id) for item in run.steps] == [
        "ann is here\nann goes on\n",
        "bob is here\nbob goes on\n",
    ]


def test_step_declared_uncached_runs_each_time(pipelines: Pipelines) -> None:
    """`cache=False` runs every time and says so."""
    pipelines.run(meeting)

    run = pipelines.run(meeting)

    assert set(states(run).values()) == {"succeeded"}
    assert run.steps[0].reason == "not cached: the step is declared with `cache=False`"


@step
def make_large(size: int) -> np.ndarray:
    return np.arange(size, dtype=np.float64)


@step
def last(values: np.ndarray) -> float:
    return float(values[-1])


@pipeline
def large(size: int = 5_000) -> float:
    return last(make_large(size))


def test_damaged_object_is_recomputed(pipelines: Pipelines, backend: MemoryBackend) -> None:
    """A large output tampered with in the object store is not used; the step runs again and is right."""
    first = pipelines.run(large)
    digest = first.steps[0].output_digest
    backend.delete(digest)  # type: ignore[arg-type]
    backend.write(digest, b"tampered")  # type: ignore[arg-type]

    second = pipelines.run(large)

    assert (second.output, states(second)) == (4999.0, {"make_large": "succeeded", "last": "cached"})
    assert second.steps[0].reason == "the kept output is damaged, so the step ran again"


def test_lost_object_is_recomputed(pipelines: Pipelines, backend: MemoryBackend) -> None:
    """A large output that is gone is made again, and is there afterwards."""
    first = pipelines.run(large)
    backend.delete(first.steps[0].output_digest)  # type: ignore[arg-type]

    second = pipelines.run(large)
    third = pipelines.run(large)

    assert second.steps[0].reason == "the kept output is gone, so the step ran again"
    assert set(states(third).values()) == {"cached"}


def test_damaged_row_is_recomputed_and_mended(pipelines: Pipelines, metadata: Metadata) -> None:
    """A small output tampered with in its row is not used, made again, and sound afterwards."""
    first = pipelines.run(train)
    digest = first.get_step("halve").output_digest
    metadata.write(
        lambda tx: tx.execute(
            "UPDATE step_values SET body = :body WHERE digest = :digest", {"body": b"\x07", "digest": digest}
        )
    )
    with pytest.raises(IntegrityError):
        pipelines.load_output(first.get_step("halve").step_run_id)

    second = pipelines.run(train)
    third = pipelines.run(train)

    assert states(second) == {"load": "cached", "total": "cached", "halve": "succeeded"}
    assert (second.output, states(third)["halve"]) == (3, "cached")


class Opaque:
    """Has no serializer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


@step
def make_opaque() -> Opaque:
    return Opaque()


@step
def use_opaque(value: Opaque) -> bool:
    return isinstance(value, Opaque)


@pipeline
def opaque() -> bool:
    return use_opaque(make_opaque())


def test_output_without_serializer_is_used_but_not_cached(pipelines: Pipelines) -> None:
    """A value that cannot be stored goes on to the next step; neither is cached, and both say why."""
    pipelines.run(opaque)

    run = pipelines.run(opaque)

    assert run.output is True
    assert set(states(run).values()) == {"succeeded"}
    made, used = run.steps
    assert made.reason == f"not cached: its output: value is a `{__name__}.Opaque`, which has no serializer"
    assert used.reason.startswith("not cached: argument `value`: output of step `make_opaque`")
    assert (made.output_digest, used.inputs[0].digest) == ("", "")
    with pytest.raises(NotFound, match="has no output"):
        pipelines.load_output(made.step_run_id)


@step
def sort_in_place(values: np.ndarray) -> float:
    values.sort()
    return float(values[0])


@step
def first_of(values: np.ndarray) -> float:
    return float(values[0])


@step
def make_unsorted() -> np.ndarray:
    return np.array([3.0, 1.0, 2.0])


@pipeline
def mutating() -> tuple[float, float]:
    values = make_unsorted()
    return sort_in_place(values), first_of(values)


def test_step_that_changes_its_input_is_not_cached_and_harms_nobody(pipelines: Pipelines) -> None:
    """A mutated input is recorded and the output not kept; a step beside it sees the input as it was."""
    run = pipelines.run(mutating, parallel=1)
    again = pipelines.run(mutating, parallel=1)

    assert run.output == (1.0, 3.0)
    assert run.get_step("sort_in_place").reason == "not cached: `values` changed while the step ran"
    assert states(again) == {"make_unsorted": "cached", "sort_in_place": "succeeded", "first_of": "cached"}


@pipeline
def mutating_param(values: list[int]) -> int:
    return pop_one(values)


@step
def pop_one(values: list[int]) -> int:
    return values.pop()


def test_param_is_not_changed_by_a_step(pipelines: Pipelines) -> None:
    """A step works on a copy of a param; the caller's value stays as it is."""
    mine = [1, 2]

    run = pipelines.run(mutating_param, {"values": mine})

    assert (run.output, mine) == (2, [1, 2])
    assert "changed while the step ran" in run.steps[0].reason


@step
def kinds(value: object) -> str:
    return type(value).__name__


@step
def give_tuple() -> tuple[int, ...]:
    return (1, 2)


@pipeline
def tuples() -> tuple[str, object]:
    pair = give_tuple()
    return kinds(pair), pair[1]


def test_value_is_the_same_cached_or_not(pipelines: Pipelines) -> None:
    """A step sees its input alike whether the one before ran or was cached, and parts can be taken."""
    assert pipelines.run(tuples).output == ("tuple", 2)
    assert pipelines.run(tuples).output == ("tuple", 2)


@step
def apply(function: Callable[[int], int], value: int) -> int:
    return function(value)


@pipeline
def applying(factor: int) -> int:
    return apply(lambda x: x * factor, 3)


def test_function_given_to_a_step_counts_by_its_code(pipelines: Pipelines) -> None:
    """A function as an argument is part of the key, with what it captured."""
    assert pipelines.run(applying, {"factor": 2}).output == 6
    assert pipelines.run(applying, {"factor": 3}).output == 9
    assert states(pipelines.run(applying, {"factor": 2})) == {"apply": "cached"}


def test_same_key_is_one_run(pipelines: Pipelines) -> None:
    """A run sent again under its key is the run that succeeded, with its output."""
    first = pipelines.run(large, {"size": 3}, key="k1")

    second = pipelines.run(large, {"size": 3}, key="k1")

    assert second == first
    assert second.output == 2.0
    assert len(pipelines.list_runs().runs) == 1
    with pytest.raises(IdempotencyConflict):
        pipelines.run(large, {"size": 4}, key="k1")
    with pytest.raises(IdempotencyConflict):
        pipelines.run(train, {"rows": 3}, key="k1")


def test_failed_run_of_a_key_is_run_again(pipelines: Pipelines) -> None:
    """A key whose run failed runs again, as a run of its own."""
    first = pipelines.run(partly_broken, key="k1")
    second = pipelines.run(partly_broken, key="k1")

    assert first.pipeline_run_id != second.pipeline_run_id


RELEASE = [threading.Event()]


@step(cache=False)
def interrupt_and_wait() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    RELEASE[0].wait(30)


@pipeline
def interrupted() -> int:
    interrupt_and_wait()
    return halve(one(1))


def test_ctrl_c_marks_the_run_killed_at_once(pipelines: Pipelines) -> None:
    """Ctrl-C ends the run without waiting for the step that runs; the record says so; the next run works."""
    RELEASE[0] = threading.Event()
    try:
        with pytest.raises(KeyboardInterrupt):
            pipelines.run(interrupted, parallel=1)
    finally:
        RELEASE[0].set()

    run = pipelines.list_runs().runs[0]
    assert (run.status, run.reason) == ("killed", "interrupted")
    assert [item.state for item in pipelines.steps(run.pipeline_run_id)] == ["failed", "skipped", "skipped"]
    assert pipelines.run(train).status == "succeeded"


def test_run_left_behind_is_marked(pipelines: Pipelines, metadata: Metadata) -> None:
    """A run whose process died is ended by `mark_killed`; one that ended by itself is left alone."""
    ended = pipelines.run(train)
    open_run = pipelines.run(large)
    metadata.write(
        lambda tx: tx.execute(
            "UPDATE pipeline_runs SET status = 'running', ended_at = NULL WHERE pipeline_run_id = :id",
            {"id": open_run.pipeline_run_id},
        )
    )

    assert pipelines.mark_killed(open_run.pipeline_run_id, reason="its process died").status == "killed"
    assert pipelines.mark_killed(ended.pipeline_run_id, reason="its process died").status == "succeeded"


def test_start_and_end_are_events(pipelines: Pipelines, metadata: Metadata) -> None:
    """The ledger tells when a pipeline started and how it ended."""
    pipelines.run(train)
    pipelines.run(partly_broken)

    events = metadata.events("default", kind="pipeline.")

    assert [event.kind for event in events] == ["pipeline.started", "pipeline.finished"] * 2
    assert [event.data["status"] for event in events[1::2]] == ["succeeded", "failed"]


def test_pages_list_every_run_once(pipelines: Pipelines) -> None:
    """Runs are listed newest first, by pages, and by pipeline."""
    runs = [pipelines.run(train, {"rows": rows}).pipeline_run_id for rows in range(1, 6)]
    pipelines.run(large)

    first = pipelines.list_runs(pipeline="train", limit=3)
    second = pipelines.list_runs(pipeline="train", limit=3, cursor=first.next_cursor)

    assert [run.pipeline_run_id for run in (*first.runs, *second.runs)] == runs[::-1]
    assert second.next_cursor == ""
    with pytest.raises(InvalidInput, match="not a cursor"):
        pipelines.list_runs(cursor="x")


def test_other_project_sees_and_shares_nothing(pipelines: Pipelines) -> None:
    """Runs and cached outputs belong to one project."""
    run = pipelines.run(train)
    stranger = replace(pipelines, actor=Actor(ProjectId("other"), "eve"))

    assert stranger.list_runs().runs == ()
    with pytest.raises(NotFound):
        stranger.get_run(run.pipeline_run_id)
    with pytest.raises(NotFound):
        stranger.load_output(run.steps[0].step_run_id)
    assert set(states(stranger.run(train)).values()) == {"succeeded"}


def test_unknown_run_and_step_are_not_found(pipelines: Pipelines) -> None:
    """An id that is not there is NotFound."""
    with pytest.raises(NotFound):
        pipelines.get_run(new_id())
    with pytest.raises(NotFound):
        pipelines.read_log(new_id())


def test_bad_call_leaves_no_run(pipelines: Pipelines) -> None:
    """Wrong params or no workers are refused before anything is recorded."""
    with pytest.raises(InvalidInput, match="no parameter `row`"):
        pipelines.run(train, {"row": 1})
    with pytest.raises(InvalidInput, match="at least 1"):
        pipelines.run(train, parallel=0)
    assert pipelines.list_runs().runs == ()


def test_pipeline_is_run_by_its_entry(pipelines: Pipelines) -> None:
    """`module:name` runs the pipeline of that name."""
    assert run_pipeline(pipelines, f"{__name__}:train", {"rows": 4}).output == 3


def test_pipeline_without_steps_and_stored_run_without_values(pipelines: Pipelines) -> None:
    """An empty pipeline succeeds; a run read from the store says where its values are."""
    run = pipelines.run(empty)

    assert run.output == "nothing"
    with pytest.raises(Conflict, match="without values"):
        _ = pipelines.get_run(run.pipeline_run_id).output


@pipeline
def empty() -> str:
    return "nothing"


def test_store_that_fails_ends_the_run_with_its_error(pipelines: Pipelines, metadata: Metadata) -> None:
    """When rows cannot be written the caller gets that error, not a run that looks recorded."""
    metadata.write(lambda tx: tx.execute("DROP TABLE step_values"))

    with pytest.raises(Exception, match="step_values"):
        pipelines.run(train)

    assert pipelines.list_runs().runs[0].status == "failed"


REFUSE_SUCCESS = {
    "SqliteMetadata": "CREATE TRIGGER refuse BEFORE UPDATE ON pipeline_runs WHEN new.status = 'succeeded' "
    "BEGIN SELECT RAISE(ABORT, 'no success'); END",
    "PostgresMetadata": "ALTER TABLE pipeline_runs ADD CONSTRAINT refuse CHECK (status <> 'succeeded')",
}


def test_last_write_that_fails_ends_the_run_with_its_error(pipelines: Pipelines, metadata: Metadata) -> None:
    """When the end of a run cannot be written as it was, the run is not left open."""
    metadata.write(lambda tx: tx.execute(REFUSE_SUCCESS[type(metadata).__name__]))

    with pytest.raises(Exception, match=r"refuse|no success"):
        pipelines.run(train)

    assert pipelines.list_runs().runs[0].status == "failed"
