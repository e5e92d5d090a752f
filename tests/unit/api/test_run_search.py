"""Runs found, counted, grouped and changed through the API."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import page_store
import pytest

from paddock.api import routes
from paddock.app import App
from paddock.kernel.errors import Conflict, InvalidInput, NotFound
from paddock.server.guard import read_query
from paddock.tracking import MetricPoint
from paddock.wire import Answer, Call, decode_json, structs
from paddock.wire.structs import Resource


class Client:
    """Calls the handlers as the server does."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.specs = {f"{spec.method} {spec.path}": spec for spec in routes(app)}

    def get(self, address: str, body: object = None, *, method: str = "GET", key: str = "") -> Resource:
        path, _, query = address.partition("?")
        spec = self.specs[f"{method} /api/v1{path}"]
        decoded = decode_json(json.dumps(body).encode(), spec.request) if spec.request else None
        found = read_query(query.encode(), spec.query, 64, spec.lists)
        answer = spec.handler(Call({}, found, self.app.actor, "r1", key=key, body=decoded))
        assert isinstance(answer, Answer)
        assert spec.response is not None
        return msgspec.json.decode(answer.body, type=spec.response)

    def change(self, key: str = "", **body: object) -> structs.RunsChanged:
        changed = self.get("/run-changes", body, method="POST", key=key)
        assert isinstance(changed, structs.RunsChanged)
        return changed

    def ids(self, query: str = "") -> list[str]:
        page = self.get(f"/runs?{query}")
        assert isinstance(page, structs.RunPage)
        return [run.run_id for run in page.runs]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Six runs, newest last, in the experiments `delay` and `price`; `auc` rises, `model` changes once."""
    app, clock = page_store.open_page_app(tmp_path)
    for number in range(6):
        params = {"depth": str(number), "model": "forest" if number < 4 else "tree"}
        run = app.tracking.start_run(
            experiment=("delay", "price")[number % 2], name=f"run {number}", params=params
        )
        app.tracking.log_metrics(run.run_id, [MetricPoint("auc", number / 10, 0, 0)])
        clock.move_to(clock.now() + timedelta(minutes=1))
    yield Client(app)
    app.close()


def test_filter_order_and_lifecycle_choose_runs(client: Client):
    """A search finds what its filter names, sorted as it says, of the lifecycle that is asked for."""
    newest_first = client.ids()

    assert client.ids("filter=metrics.auc+>=+0.2&order_by=params.model,metrics.auc") == [
        newest_first[place] for place in (3, 2, 1, 0)
    ]
    client.change(run_ids=newest_first[:1], change="delete")
    assert client.ids() == newest_first[1:]
    assert client.ids("lifecycle=deleted") == newest_first[:1]
    assert client.ids("lifecycle=all") == newest_first


def test_experiments_are_named_or_listed(client: Client):
    """One by its name, several by ids; an unknown one has no runs, and none of both is all of them."""
    experiments = client.get("/experiments")
    assert isinstance(experiments, structs.ExperimentPage)
    ids = {each.name: each.experiment_id for each in experiments.experiments}

    assert len(client.ids("experiment=delay")) == 3
    assert client.ids(f"experiments={ids['delay']}") == client.ids("experiment=delay")
    assert len(client.ids(f"experiments={ids['delay']}&experiments={ids['price']}")) == 6
    assert client.ids("experiment=churn") == client.ids("experiments=99") == []


def test_children_are_found_beside_any_filter(client: Client):
    """parent_id narrows a filter with OR in it as a whole."""
    parent = client.ids()[0]
    child = client.app.tracking.start_run(experiment="delay", parent_id=parent).run_id

    assert client.ids(f"parent_id={parent}") == [child]
    assert client.ids(f"parent_id={parent}&filter=status+=+'running'+OR+status+=+'failed'") == [child]
    assert client.ids(f"parent_id={parent}&filter=metrics.auc+>+0") == []


def test_columns_leave_out_what_nobody_asked_for(client: Client):
    """Of each run come the named metrics, params and tags, and all of its attributes."""
    page = client.get("/runs?columns=metrics.auc,params.depth&limit=1")

    assert isinstance(page, structs.RunPage)
    assert (page.runs[0].metrics, page.runs[0].params) == ({"auc": 0.5}, {"depth": "5"})
    assert page.runs[0].name == "run 5"


def test_fault_of_a_filter_points_at_the_character(client: Client):
    """The problem carries the position, for programs that mark it."""
    with pytest.raises(InvalidInput) as caught:
        client.ids("filter=metrics.auc+>>+1")

    assert caught.value.details["position"] == 13


def test_runs_are_counted_up_to_a_bound(client: Client):
    """The count says whether it is exact."""
    assert client.get("/run-count") == structs.RunCount(run_count=6, is_exact=True)
    assert client.get("/run-count?filter=metrics.auc+>+0.3") == structs.RunCount(run_count=2, is_exact=True)
    assert client.get("/run-count?at_most=4") == structs.RunCount(run_count=4, is_exact=False)


def test_groups_have_counts_and_the_metric(client: Client):
    """The largest group first, with mean, least and largest of the metric."""
    groups = client.get("/run-groups?by=params.model&metric=auc")

    assert isinstance(groups, structs.RunGroups)
    assert [(each.value, each.run_count, each.maximum) for each in groups.groups] == [
        ("forest", 4, 0.3),
        ("tree", 2, 0.5),
    ]
    assert groups.groups[0].mean == pytest.approx(0.15)
    for by in ("", "params.a,params.b", "start_time"):
        with pytest.raises(InvalidInput):
            client.get(f"/run-groups?by={by}")


def test_keys_come_as_filters_name_them(client: Client):
    """Each key has its name in a filter, in backticks where it needs them, the most used first."""
    client.app.tracking.log_params(client.ids()[0], {"batch size": "32"})

    keys = client.get("/run-keys")

    assert isinstance(keys, structs.RunKeys)
    assert [(use.name, use.run_count) for use in keys.params] == [
        ("params.depth", 6),
        ("params.model", 6),
        ("params.`batch size`", 1),
    ]
    assert [use.key for use in keys.metrics] == ["auc"]
    assert "start_time" in keys.attributes
    for use in (*keys.params, *keys.metrics):
        client.ids(f"filter={use.name}+IS+NOT+NULL".replace("`", "%60"))


def test_many_runs_are_changed_at_once_and_once(client: Client):
    """A change says how many runs it concerned and how many were otherwise; with a key it is done once."""
    ids = client.ids()

    tagged = client.change(run_ids=ids[:3], change="tag", tags={"stage": "final"})
    deleted = client.change("k1", run_ids=ids[:2], change="delete")
    again = client.change("k1", run_ids=ids[:2], change="delete")

    assert tagged == structs.RunsChanged(run_count=3, changed_count=3)
    assert deleted == again == structs.RunsChanged(run_count=2, changed_count=2)
    assert client.change(run_ids=ids, change="restore").changed_count == 2
    assert client.ids("filter=tags.stage+=+'final'") == ids[:3]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"run_ids": [], "change": "delete"}, InvalidInput),
        ({"run_ids": ["f" * 32], "change": "delete"}, NotFound),
        ({"run_ids": ["f" * 32], "change": "purge"}, InvalidInput),
        ({"run_ids": ["f" * 32], "change": "tag"}, InvalidInput),
        ({"run_ids": ["f" * 32], "change": "delete", "tags": {"a": "b"}}, InvalidInput),
        ({"run_ids": ["f" * 32] * 1001, "change": "delete"}, InvalidInput),
    ],
)
def test_change_that_means_nothing_is_refused(
    client: Client, body: dict[str, object], error: type[Exception]
):
    """No run, too many, one that is not there, an unknown change, tags where they do not belong."""
    with pytest.raises(error):
        client.change(**body)


def test_deleted_run_is_not_tagged(client: Client):
    """A tag on a deleted run is a conflict, and the others stay without it."""
    ids = client.ids()
    client.change(run_ids=ids[:1], change="delete")

    with pytest.raises(Conflict):
        client.change(run_ids=ids, change="tag", tags={"a": "b"})
