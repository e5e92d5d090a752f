"""Logged models: made by runs, finalized, measured, tagged, deleted and found."""

import math
from datetime import timedelta

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata
from paddock.objects import open_objects
from paddock.tracking import (
    Experiments,
    LoggedModelQuery,
    LoggedModels,
    MeasuredOn,
    MetricPoint,
    ModelOrder,
    ModelPoint,
    RunBatch,
    Tracking,
)


class Shop:
    """A tracking store with short ways to runs and models."""

    def __init__(self, metadata: Metadata, clock: SimulatedClock):
        actor = Actor(ProjectId("default"), "ann")
        self.metadata, self.clock = metadata, clock
        self.tracking = Tracking(metadata, open_objects("memory:"), clock, actor)
        self.experiments = Experiments(metadata, clock, actor)
        self.models = LoggedModels(metadata, clock, actor)
        self.other = LoggedModels(metadata, clock, Actor(ProjectId("other"), "eve"))
        self.run_id = self.tracking.start_run(experiment="Flights").run_id

    def wait_s(self, seconds: int) -> None:
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))

    def measure(self, model_id: str, value: float, *, key="auc", step=0, at=0, dataset="", digest="") -> None:
        point = ModelPoint(model_id, MetricPoint(key, value, step, at), dataset, digest)
        self.models.log_metrics(self.run_id, [point])

    def found(self, text="", *, order=(), datasets=(), limit=50, experiments=("1",)) -> list[str]:
        """Return the names that a search finds, page by page."""
        names: list[str] = []
        cursor = ""
        while True:
            query = LoggedModelQuery(experiments, text, datasets, order, limit, cursor)
            page = self.models.search(query)
            names += [each.name for each in page.models]
            cursor = page.next_cursor
            if not cursor:
                return names


@pytest.fixture
def shop(metadata: Metadata, clock: SimulatedClock) -> Shop:
    return Shop(metadata, clock)


def test_model_is_pending_until_it_is_finalized(shop):
    """A new model is pending, with what it was made with; finalizing it changes nothing else."""
    made = shop.models.create(
        "1", name="forest", model_type="agent", source_run_id=shop.run_id, params={"d": "6"}, tags={"a": "b"}
    )
    shop.wait_s(1)

    ready = shop.models.set_status(made.model_id, "ready")

    assert (made.status, made.created_at) == ("pending", made.updated_at)
    assert (ready.name, ready.model_type, ready.source_run_id) == ("forest", "agent", shop.run_id)
    assert (ready.params, ready.tags, ready.metrics) == ({"d": "6"}, {"a": "b"}, ())
    assert (ready.status, ready.updated_at) == ("ready", shop.clock.now())
    assert shop.models.get(made.model_id) == ready
    kinds = [event.kind for event in shop.metadata.events("default", kind="logged_model.")]
    assert kinds == ["logged_model.created", "logged_model.finalized"]


def test_files_lie_below_the_experiment(shop):
    """The server keeps the files, unless the experiment has a place of its own for them."""
    shop.experiments.create("Stored", artifact_location="s3://bucket/runs/")

    here, there = shop.models.create("1"), shop.models.create("2")

    assert here.artifact_uri == f"mlflow-artifacts:/1/models/{here.model_id}/artifacts"
    assert there.artifact_uri == f"s3://bucket/runs/models/{there.model_id}/artifacts"
    assert here.model_id.startswith("m-")
    assert here.name == f"model-{here.model_id[-6:]}"


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "50%", "it's", 'a"b', "a\nb", "x" * 501])
def test_name_that_cannot_stand_in_a_path_is_refused(shop, name):
    """The characters that MLflow refuses in names of models are refused."""
    with pytest.raises(InvalidInput, match="Invalid model name"):
        shop.models.create("1", name=name)


@pytest.mark.parametrize(
    ("experiment_id", "said", "words"),
    [
        ("9", {}, "No Experiment with id=9 exists"),
        ("1", {"source_run_id": "unknown"}, "Run with id=unknown not found"),
    ],
)
def test_model_needs_its_experiment_and_run(shop, experiment_id, said, words):
    """A model is made in an experiment, by a run, that are there."""
    with pytest.raises(NotFound, match=words):
        shop.models.create(experiment_id, **said)


def test_deleted_experiment_takes_no_model(shop):
    """Nothing is made in an experiment that is deleted."""
    shop.experiments.delete("1")

    with pytest.raises(Conflict, match="experiment `Flights` is deleted"):
        shop.models.create("1")


def test_deleted_model_is_found_by_who_asks_for_deleted_ones(shop):
    """A deleted model takes nothing more and is in no search, but its rows are still there."""
    model_id = shop.models.create("1").model_id
    shop.models.delete(model_id)
    shop.models.delete(model_id)

    with pytest.raises(NotFound, match=rf"Logged model with ID '{model_id}' not found\."):
        shop.models.get(model_id)
    with pytest.raises(NotFound):
        shop.models.set_tags(model_id, {"a": "b"})
    with pytest.raises(NotFound):
        shop.measure(model_id, 0.5)
    assert shop.models.get(model_id, include_deleted=True).lifecycle == "deleted"
    assert shop.found() == []


def test_model_of_another_project_is_not_there(shop):
    """A project knows its own models."""
    model_id = shop.models.create("1").model_id

    with pytest.raises(NotFound):
        shop.other.get(model_id)
    with pytest.raises(NotFound):
        shop.other.delete(model_id)


def test_tags_are_overwritten_and_deleted(shop):
    """A tag has its last value; one that is not there cannot be deleted."""
    model_id = shop.models.create("1", tags={"a": "1"}).model_id

    assert shop.models.set_tags(model_id, {"a": "2", "b": "3"}).tags == {"a": "2", "b": "3"}
    shop.models.delete_tag(model_id, "a")
    assert shop.models.get(model_id).tags == {"b": "3"}
    with pytest.raises(NotFound, match=f"No tag with key 'a' found for model with ID '{model_id}'"):
        shop.models.delete_tag(model_id, "a")


def test_parameter_is_set_once(shop):
    """The same value again is fine, another one is refused, and then none is stored."""
    model_id = shop.models.create("1", params={"d": "6"}).model_id

    shop.models.log_params(model_id, {"d": "6", "rate": "0.1"})
    with pytest.raises(Conflict, match=r"param `d` of logged model .* is `6` and cannot become `7`"):
        shop.models.log_params(model_id, {"d": "7", "new": "1"})

    assert shop.models.get(model_id).params == {"d": "6", "rate": "0.1"}


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ({"": "x"}, InvalidInput),
        ({"k" * 251: "x"}, InvalidInput),
        ({"k": "x" * 100_001}, InvalidInput),
        ({f"k{n}": "x" for n in range(1_001)}, LimitExceeded),
    ],
)
def test_tags_that_cannot_be_kept_are_refused(shop, tags, error):
    """Keys, values and their number have limits."""
    model_id = shop.models.create("1").model_id

    with pytest.raises(error):
        shop.models.set_tags(model_id, tags)


def test_points_stand_in_order_with_what_they_were_measured_on(shop):
    """All points of a key come back, the oldest first, each with its run and dataset."""
    model_id = shop.models.create("1").model_id
    shop.measure(model_id, 0.7, step=1, at=2_000)
    shop.measure(model_id, 0.6, step=0, at=1_000, dataset="flights", digest="abc")
    shop.measure(model_id, math.nan, key="loss", at=5)
    shop.measure(model_id, math.inf, key="top", at=5)

    auc, later, loss, top = shop.models.get(model_id).metrics

    assert (auc.value, auc.step, auc.at_micros, auc.run_id) == (0.6, 0, 1_000, shop.run_id)
    assert (auc.dataset_name, auc.dataset_digest, later.value) == ("flights", "abc", 0.7)
    assert math.isnan(loss.value)
    assert top.value == math.inf


def test_point_that_is_there_is_that_one(shop):
    """A batch that is sent twice counts once, and two values of one moment are the higher one."""
    model_id = shop.models.create("1").model_id
    points = [ModelPoint(model_id, MetricPoint("auc", value, 1, 7)) for value in (0.5, math.nan, 0.8, 0.6)]

    for _ in range(2):
        shop.models.log_metrics(shop.run_id, points)
    shop.measure(model_id, 0.7, step=1, at=7)

    assert [(each.value, each.step) for each in shop.models.get(model_id).metrics] == [(0.8, 1)]


def test_batch_of_a_run_measures_models_in_the_same_write(shop):
    """Points of a batch stand in the run and in the model, or in neither."""
    model_id = shop.models.create("1").model_id
    point = MetricPoint("auc", 0.9, 1, 7)

    shop.tracking.log_batch(
        shop.run_id, RunBatch(points=(point,), model_points=(ModelPoint(model_id, point, "flights", "abc"),))
    )
    with pytest.raises(NotFound, match="Logged model with ID 'm-unknown' not found"):
        shop.tracking.log_batch(
            shop.run_id, RunBatch(params={"d": "6"}, model_points=(ModelPoint("m-unknown", point),))
        )

    run = shop.tracking.get_run(shop.run_id)
    assert (run.metrics, run.params) == ({"auc": 0.9}, {})
    assert [each.value for each in shop.models.get(model_id).metrics] == [0.9]


def test_newest_thousand_points_of_a_key_are_shown(shop):
    """A model with a long history is read in bounded time, and still has each of its metrics."""
    model_id = shop.models.create("1").model_id
    points = [ModelPoint(model_id, MetricPoint("loss", float(n), n, n)) for n in range(1_500)]
    shop.models.log_metrics(shop.run_id, [*points, ModelPoint(model_id, MetricPoint("auc", 0.9, 0, 0))])

    metrics = shop.models.get(model_id).metrics

    assert [each.key for each in metrics] == ["auc", *["loss"] * 1_000]
    assert [each.step for each in metrics[1:]] == list(range(500, 1_500))


@pytest.fixture
def shelf(shop: Shop) -> Shop:
    """Four models of two experiments, with parameters, tags and measurements."""
    shop.tracking.start_run(experiment="Fares")
    for name, experiment, depth, auc in (
        ("a", "1", "6", 0.9),
        ("b", "1", "8", 0.7),
        ("C", "1", "6", None),
        ("d", "2", "6", 0.8),
    ):
        made = shop.models.create(
            experiment, name=name, source_run_id=shop.run_id if name == "a" else "", params={"depth": depth}
        )
        shop.models.set_tags(made.model_id, {"team": "ops" if depth == "6" else "science"})
        if auc is not None:
            shop.measure(made.model_id, 0.1, step=0, at=1)
            shop.measure(made.model_id, auc, step=1, at=2, dataset=name * 2, digest="abc")
        shop.wait_s(1)
    return shop


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["C", "b", "a"]),
        ("metrics.auc > 0.8", ["a"]),
        ("metrics.auc < 0.2", ["b", "a"]),
        ("metrics.auc IS NULL", ["C"]),
        ("params.depth = '6'", ["C", "a"]),
        ("params.depth = '6' AND tags.team LIKE 'o%'", ["C", "a"]),
        ("tags.team = 'science' OR name = 'a'", ["b", "a"]),
        ("name = 'C'", ["C"]),
        ("name ILIKE 'c'", ["C"]),
        ("name IN ('a', 'b')", ["b", "a"]),
        ("status = 'PENDING'", ["C", "b", "a"]),
        ("source_run_id IS NOT NULL", ["a"]),
        ("attributes.name != 'a' AND NOT params.depth = '8'", ["C"]),
        ("creation_timestamp >= 0", ["C", "b", "a"]),
        ("creation_time > 1e18", []),
    ],
)
def test_search_finds_what_fits(shelf, text, names):
    """A metric fits when one of its points does; the newest models come first."""
    assert shelf.found(text) == names
    assert shelf.found(text, limit=1) == names


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ((ModelOrder("metrics.auc", is_descending=True),), ["a", "b", "C"]),
        ((ModelOrder("metrics.auc"),), ["b", "a", "C"]),
        ((ModelOrder("name"),), ["C", "a", "b"]),
        ((ModelOrder("creation_timestamp"),), ["a", "b", "C"]),
        ((ModelOrder("metrics.auc", measured_on=MeasuredOn("bb")),), ["b", "C", "a"]),
        ((ModelOrder("metrics.auc", measured_on=MeasuredOn("bb", "xyz")),), ["C", "b", "a"]),
    ],
)
def test_search_is_sorted_as_asked(shelf, order, names):
    """The newest point of a metric counts, on the dataset that is named; models without one come last."""
    assert shelf.found(order=order) == names
    assert shelf.found(order=order, limit=1) == names


def test_nan_comes_behind_numbers_and_before_nothing(shelf):
    """A model whose newest point is NaN has been measured, but is not above any other."""
    (model_id,) = [
        each.model_id for each in shelf.models.search(LoggedModelQuery(("1",))).models if each.name == "a"
    ]
    shelf.measure(model_id, math.nan, step=9, at=9)

    for is_descending in (True, False):
        order = (ModelOrder("metrics.auc", is_descending=is_descending),)
        assert shelf.found(order=order) == ["b", "a", "C"]
        assert shelf.found(order=order, limit=1) == ["b", "a", "C"]


def test_datasets_narrow_metrics_and_models(shelf):
    """Asked for datasets, only points measured on them count, and models that have some."""
    on_a, on_b = MeasuredOn("aa", "abc"), MeasuredOn("bb")

    assert shelf.found(datasets=(on_a,)) == ["a"]
    assert shelf.found(datasets=(on_a, on_b)) == ["b", "a"]
    assert shelf.found("metrics.auc < 0.2", datasets=(on_a, on_b)) == []
    assert shelf.found("metrics.auc > 0.8", datasets=(on_a, on_b)) == ["a"]
    assert shelf.found(datasets=(MeasuredOn("aa", "other"),)) == []


def test_search_covers_the_experiments_that_are_named(shelf):
    """Models of several experiments come in one order; unknown experiments have none."""
    assert shelf.found(experiments=("1", "2")) == ["d", "C", "b", "a"]
    assert shelf.found(experiments=("2", "77")) == ["d"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (LoggedModelQuery(()), "experiment_ids"),
        (LoggedModelQuery(("1",), datasets=(MeasuredOn(""),)), "`dataset_name`"),
        (LoggedModelQuery(("1",), limit=0), "max_results"),
        (LoggedModelQuery(("1",), limit=1_001), "max_results"),
        (LoggedModelQuery(("1",), "metrics.auc LIKE 'x'"), "`metrics.auc` is compared by"),
        (LoggedModelQuery(("1",), "params.depth > 3"), "`params.depth` is compared by"),
        (LoggedModelQuery(("1",), order=(ModelOrder("params.depth"),)), "Only metrics are supported"),
        (LoggedModelQuery(("1",), order=(ModelOrder("colour"),)), "Invalid order by field name: colour"),
        (LoggedModelQuery(("1",), cursor="nonsense"), "no cursor"),
    ],
)
def test_wrong_query_is_refused(shop, query, words):
    """What a search cannot mean is told before anything is read."""
    with pytest.raises(InvalidInput, match=words):
        shop.models.search(query)


def test_cursor_of_another_query_is_refused(shelf):
    """Pages go on in the query they were begun in, whatever differs from it."""
    first = LoggedModelQuery(("1",), "params.depth = '6'", limit=1)
    cursor = shelf.models.search(first).next_cursor

    for other in (
        LoggedModelQuery(("2",), "params.depth = '6'", cursor=cursor),
        LoggedModelQuery(("1",), "params.depth = '8'", cursor=cursor),
        LoggedModelQuery(("1",), "params.depth = '6'", (MeasuredOn("aa"),), cursor=cursor),
    ):
        with pytest.raises(InvalidInput, match="another query"):
            shelf.models.search(other)
    again = LoggedModelQuery(("1",), "params.depth='6'", limit=2, cursor=cursor)
    assert [each.name for each in shelf.models.search(again).models] == ["a"]
