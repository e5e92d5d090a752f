"""A pipeline that fails outside of its steps is a run that failed, and says where."""

import sys
from collections.abc import Callable

import pytest

from paddock.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from paddock.metadata import Metadata
from paddock.pipelines import PipelineRun, Pipelines, pipeline, step
from paddock.pipelines.failures import find_own_place


@step
def give(value: object) -> object:
    return value


@step(cache=False)
def leave(code: object) -> None:
    sys.exit(code)  # type: ignore[arg-type]


@pipeline
def broken(months: list[int]) -> object:
    return give(pick_month(months))


def pick_month(months: list[int]) -> int:
    return {4: 1}[months[0]]


def only_run(pipelines: Pipelines) -> PipelineRun:
    (run,) = pipelines.list_runs().runs
    return pipelines.get_run(run.pipeline_run_id)


def test_pipeline_function_that_raises_fails_the_run(pipelines: Pipelines, metadata: Metadata) -> None:
    """The run is recorded as failed with the error and its place; its output is a Conflict from that."""
    line = pick_month.__code__.co_firstlineno + 1

    run = pipelines.run(broken, {"months": [5]})

    assert run == only_run(pipelines)
    assert (run.status, run.steps) == ("failed", ())
    assert (
        run.reason == f"the pipeline function failed: KeyError: 5 (test_failures.py:{line} in `pick_month`)"
    )
    with pytest.raises(Conflict, match="pipeline `broken` failed: the pipeline function failed") as caught:
        _ = run.output
    assert isinstance(caught.value.__cause__, KeyError)
    assert [event.data.get("status") for event in metadata.events("default", kind="pipeline.")] == [
        None,
        "failed",
    ]


def test_error_of_paddock_in_the_function_is_raised_after_the_record(pipelines: Pipelines) -> None:
    """An error that is meant for a person keeps its class and its hint; the run has failed."""

    @pipeline
    def asking() -> object:
        raise Unavailable("the store is busy", hint="try again")

    with pytest.raises(Unavailable, match="the store is busy"):
        pipelines.run(asking)

    run = only_run(pipelines)
    assert run.status == "failed"
    assert run.reason.startswith(
        "the pipeline function failed: Unavailable: the store is busy (test_failures.py:"
    )


def test_wrong_use_of_a_value_fails_the_run(pipelines: Pipelines) -> None:
    """A value used before it is there, and an output that cannot be planned, fail the run."""

    @pipeline
    def comparing() -> object:
        return give(1) > 0  # type: ignore[operator]

    @pipeline
    def hiding() -> object:
        return {give(1)}

    assert "known only when the pipeline runs" in pipelines.run(comparing).reason
    with pytest.raises(InvalidInput, match="in a set"):
        pipelines.run(hiding)
    assert {run.status for run in pipelines.list_runs().runs} == {"failed"}


def test_output_without_the_part_asked_for_fails_the_run(pipelines: Pipelines) -> None:
    """A part that a step's value turns out not to have fails the run, not the caller's process."""

    @pipeline
    def returning() -> object:
        return give({"auc": 0.7})["roc"]  # type: ignore[index]

    run = pipelines.run(returning)

    assert run == only_run(pipelines)
    assert run.reason == "its output: InvalidInput: a value of type `dict` has no part `['roc']`"
    assert (run.status, run.get_step("give").state) == ("failed", "succeeded")


def test_step_asking_for_a_part_that_is_missing_fails(pipelines: Pipelines) -> None:
    """The step that takes a missing part is the one that failed; what does not need it runs."""

    @pipeline
    def taking() -> object:
        return [give(give([0.7])[3]), give("beside")]  # type: ignore[index]

    run = pipelines.run(taking, parallel=1)

    assert {item.name: item.state for item in run.steps} == {
        "give": "succeeded",
        "give#2": "failed",
        "give#3": "succeeded",
    }
    assert run.get_step("give#2").reason == "InvalidInput: a value of type `list` has no part `[3]`"
    assert "IndexError" in pipelines.read_log(run.get_step("give#2").step_run_id)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3)])
def test_stop_in_the_function_is_recorded_and_goes_on(pipelines: Pipelines, stop: BaseException) -> None:
    """What ends the process ends it, after the run was marked as killed."""

    @pipeline
    def stopping() -> object:
        raise stop

    with pytest.raises(type(stop)) as caught:
        pipelines.run(stopping)

    assert caught.value is stop
    assert only_run(pipelines).status == "killed"


def test_exit_in_a_step_is_recorded_and_goes_on(pipelines: Pipelines) -> None:
    """A step that ends the process has failed, its run is killed, and the exit code is the step's."""

    @pipeline
    def leaving() -> object:
        return give(leave(3))  # type: ignore[func-returns-value]

    with pytest.raises(SystemExit) as caught:
        pipelines.run(leaving)

    assert caught.value.code == 3
    run = only_run(pipelines)
    assert (run.status, run.reason) == ("killed", "its code asked the process to end: SystemExit: 3")
    assert [(item.state, item.reason) for item in run.steps] == [
        ("failed", "SystemExit: 3"),
        ("skipped", run.reason),
    ]


def test_failed_function_of_a_key_is_run_again(pipelines: Pipelines) -> None:
    """A key whose pipeline function failed is free for a run that succeeds."""
    failing = [True]

    @pipeline
    def healing() -> object:
        if failing[0]:
            raise ValueError("not yet")
        return give("well")

    first = pipelines.run(healing, key="nightly")
    failing[0] = False
    second = pipelines.run(healing, key="nightly")

    assert (first.status, second.output) == ("failed", "well")


def test_key_of_a_pipeline_with_other_steps_since_is_run_again(pipelines: Pipelines) -> None:
    """A run of the key whose steps are not those of today cannot give today's output, so it runs."""
    names = ["a"]

    @pipeline
    def growing() -> object:
        return [give(name) for name in names]

    first = pipelines.run(growing, key="k")
    names.append("b")
    second = pipelines.run(growing, key="k")

    assert (first.output, second.output) == (["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (lambda: sys.modules["json"].loads("{"), "in `<lambda>`"),
        (lambda: NotFound(), "in `<lambda>`"),
        (lambda: give(1, 2), "in `<lambda>`"),
    ],
)
def test_place_is_in_the_users_own_code(function: Callable[[], object], place: str) -> None:
    """Frames of the standard library and of Paddock below the user's code are passed over."""
    with pytest.raises((ValueError, TypeError)) as caught:
        function()

    found = find_own_place(caught.value)

    assert found.startswith("test_failures.py:")
    assert found.endswith((place, "in `test_place_is_in_the_users_own_code`"))


def test_error_without_a_trace_has_no_place() -> None:
    """An error that was never raised came from nowhere."""
    assert find_own_place(ValueError("x")) == ""
