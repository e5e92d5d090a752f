"""Steps that call Paddock: cached when they only read dataset versions by number, else run each time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyarrow as pa
import pytest

import paddock as pk
from paddock import dataset
from paddock.app import App, open_app
from paddock.kernel.errors import NotFound
from paddock.kernel.settings import resolve_settings
from paddock.pipelines import Pipeline, StepRun


@pytest.fixture
def app() -> Iterator[App]:
    """The store that both the pipelines and the calls of their steps go to, with `flights@1` of 2 rows."""
    with closing(open_app(resolve_settings({"store": "store"}, {}, {}))) as app:
        pk.connect(app)
        add_rows(2)
        yield app
        pk.disconnect()


def add_rows(count: int) -> pk.Dataset:
    return pk.add_dataset("flights", pa.table({"delay": list(range(count))}))


def run_steps(app: App, pipeline: Pipeline[..., object], **params: object) -> tuple[StepRun, ...]:
    run = app.pipelines.run(pipeline, params)
    assert run.status == "succeeded", run.reason
    return run.steps


def alone(function: Callable[[], object]) -> Pipeline[[], object]:
    """Return a pipeline of one step, `function`."""
    step = pk.step(function)

    @pk.pipeline(name="alone")
    def pipeline() -> object:
        return step()

    return pipeline


def read_pinned() -> int:
    return pk.dataset("flights@1").to_arrow().num_rows


def read_pinned_by_name() -> int:
    return dataset("flights@1").to_arrow().num_rows


def describe_pinned() -> pk.Signature:
    return pk.infer_signature(pk.dataset("flights@1").to_arrow())


@pytest.mark.parametrize("function", [read_pinned, read_pinned_by_name, describe_pinned])
def test_step_that_reads_a_version_by_number_is_cached(app: App, function: Callable[[], object]):
    """The rows of a version never change, so the second run takes the output of the first."""
    pipeline = alone(function)

    states = [run_steps(app, pipeline)[0].state for _ in range(2)]

    assert states == ["succeeded", "cached"]


@pk.step
def count_newest() -> int:
    return pk.dataset("flights").to_arrow().num_rows


@pk.step
def double(count: int) -> int:
    return 2 * count


@pk.pipeline
def double_newest() -> int:
    return double(count_newest())


def test_step_that_reads_the_newest_version_is_never_answered_from_the_cache(app: App):
    """It gives the rows that are there now; the step after it is cached as long as these are as many."""
    runs = [app.pipelines.run(double_newest) for _ in range(2)]
    add_rows(5)
    runs.append(app.pipelines.run(double_newest))

    assert [run.output for run in runs] == [4, 4, 10]
    assert [[step.state for step in run.steps] for run in runs] == [
        ["succeeded", "succeeded"],
        ["succeeded", "cached"],
        ["succeeded", "succeeded"],
    ]


def test_step_that_is_not_cached_says_what_to_do(app: App):
    """The step run and its log have the reason, with the version to name."""
    step = run_steps(app, alone(count_newest.function))[0]

    assert step.reason == (
        "not cached: it asks for the newest version of dataset `flights`, which may be another one next time;"
        " name it (`flights@1`) or hand it to the step as an argument"
    )
    assert app.pipelines.read_log(step.step_run_id) == f"{step.reason}\n"


@pk.step
def count(flights: pk.Dataset) -> int:
    return flights.to_arrow().num_rows


@pk.pipeline
def count_given() -> int:
    return count(pk.dataset("flights"))


def test_dataset_that_is_handed_to_a_step_is_pinned(app: App):
    """The pipeline function asks for the newest version each time; the step is cached for the same one."""
    runs = [app.pipelines.run(count_given) for _ in range(2)]
    add_rows(5)
    runs += [app.pipelines.run(count_given) for _ in range(2)]

    assert [(run.output, run.steps[0].state) for run in runs] == [
        (2, "succeeded"),
        (2, "cached"),
        (5, "succeeded"),
        (5, "cached"),
    ]


def read_or_make_do() -> int:
    try:
        return pk.dataset("weather@1").to_arrow().num_rows
    except NotFound:
        return -1


def test_version_that_is_not_there_yet_is_asked_for_again(app: App):
    """A step that goes on without a dataset does not go on without it for ever."""
    pipeline = alone(read_or_make_do)
    before = app.pipelines.run(pipeline)
    pk.add_dataset("weather", pa.table({"wind": [1.0]}))

    assert (before.output, app.pipelines.run(pipeline).output) == (-1, 1)


def start_run() -> str:
    with pk.run("delay") as run:
        run.log({"auc": 0.7})
    return run.run_id


def add_version() -> int:
    return add_rows(9).version.version


def read_in_threads() -> list[int]:
    with ThreadPoolExecutor(2) as pool:
        return [each.to_arrow().num_rows for each in pool.map(pk.dataset, ["flights", "flights"])]


def choose_store() -> None:
    pk.connect("elsewhere")


def ask_for_rollout() -> str:
    try:
        return pk.rollout("delay").phase
    except NotFound:
        return ""


def take_back() -> str:
    try:
        return pk.rollback("delay").alias
    except NotFound:
        return ""


@pytest.mark.parametrize(
    "function", [start_run, add_version, read_in_threads, choose_store, ask_for_rollout, take_back]
)
def test_step_that_does_more_runs_each_time(app: App, function: Callable[[], object]):
    """What it writes is written by each run, and what it asks for is asked for again, in threads too."""
    pipeline = alone(function)

    steps = [run_steps(app, pipeline)[0] for _ in range(2)]

    assert [step.state for step in steps] == ["succeeded", "succeeded"]
    assert all(step.reason.startswith("not cached: it ") for step in steps)


def test_step_with_a_run_of_its_own_logs_one_each_time(app: App):
    """Two runs of the pipeline leave two runs of the experiment."""
    pipeline = alone(start_run)

    ids = {app.pipelines.run(pipeline).output for _ in range(2)}

    assert {run.run_id for run in app.tracking.search_runs(experiment="delay").runs} == ids
    assert len(ids) == 2


def test_step_that_reads_for_a_run_around_it_runs_each_time(app: App):
    """Each run that a pipeline stands in gets its input, also one that an earlier step has read."""
    pipeline = read_twice

    inputs = []
    for _ in range(2):
        with pk.run("delay") as run:
            steps = run_steps(app, pipeline)
        inputs.append([str(ref) for ref in run.inputs])

    assert inputs == [["flights@1"], ["flights@1"]]
    assert [step.state for step in steps] == ["succeeded", "succeeded"]


@pk.step
def count_pinned(name: str) -> int:
    return pk.dataset(name).to_arrow().num_rows


@pk.pipeline
def read_twice() -> int:
    first = count_pinned("flights@1")
    return count_again(first)


@pk.step
def count_again(first: int) -> int:
    return first + pk.dataset("flights@1").to_arrow().num_rows
