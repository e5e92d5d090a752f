"""Searches for runs and experiments: filters, orders, pages and views."""

import pytest

pytestmark = pytest.mark.mlflow


def make_runs(client, experiment_id):
    """Five runs: names a to e, depth 1 to 5, loss 0.5 to 0.1; c is failed, d has no loss, e no depth."""
    runs = {}
    for place, name in enumerate("abcde", start=1):
        tags = {"team": "delays" if place % 2 else "weather", "Mixed Case": f"Value {name.upper()}"}
        run_id = client.create_run(
            experiment_id, start_time=place * 1_000, run_name=name, tags=tags
        ).info.run_id
        if name != "d":
            client.log_metric(run_id, "loss", (6 - place) / 10)
        if name != "e":
            client.log_param(run_id, "depth", str(place))
        client.set_terminated(run_id, "FAILED" if name == "c" else "FINISHED", end_time=place * 1_000 + 500)
        runs[name] = run_id
    return runs


def names(runs):
    return "".join(run.info.run_name for run in runs)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "edcba"),
        ("metrics.loss < 0.35", "ec"),
        ("metrics.loss >= 0.4", "ba"),
        ("metric.loss = 0.5", "a"),
        ("metrics.loss != 0.5", "ecb"),
        ("params.depth = '3'", "c"),
        ("params.depth != '3'", "dba"),
        ("parameter.depth LIKE '_'", "dcba"),
        ("params.depth IS NULL", "e"),
        ("params.depth IS NOT NULL", "dcba"),
        ("tags.team = 'weather'", "db"),
        ("tag.team ILIKE 'WEA%'", "db"),
        ("tags.team LIKE 'WEA%'", ""),
        ("tags.`Mixed Case` = 'Value B'", "b"),
        ('tags."Mixed Case" ILIKE "%value c"', "c"),
        ("attributes.status = 'FAILED'", "c"),
        ("status != 'FAILED'", "edba"),
        ("attributes.run_name = 'b'", "b"),
        ("run_name LIKE 'a%'", "a"),
        ("attributes.start_time > 3000", "ed"),
        ("end_time <= 2500", "ba"),
        ("metrics.loss < 0.45 AND params.depth = '2'", "b"),
        ("metrics.loss < 0.45 and tags.team = 'delays' and status = 'FINISHED'", "e"),
        ("metrics.loss > 0.45 OR params.depth = '4'", "da"),
        ("NOT (tags.team = 'weather')", "eca"),
        ("(metrics.loss < 0.25 OR metrics.loss > 0.45) AND tags.team = 'delays'", "ea"),
        ("metrics.nothing > 0", ""),
    ],
)
def test_filter_finds_runs(client, experiment_id, query, found):
    """A filter finds what it says, the newest first."""
    make_runs(client, experiment_id)

    assert names(client.search_runs([experiment_id], query)) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (["metrics.loss ASC"], "ecbad"),
        (["metrics.loss DESC"], "abced"),
        (["params.depth DESC"], "dcbae"),
        (["params.depth"], "abcde"),
        (["tags.team ASC", "metrics.loss ASC"], "ecabd"),
        (["start_time ASC"], "abcde"),
        (["attributes.run_name DESC"], "edcba"),
        (["status ASC", "start_time ASC"], "cabde"),
    ],
)
def test_order_sorts_runs(client, experiment_id, order, found):
    """Runs come in the order that is asked for, those without a value last, equal ones the newest first."""
    make_runs(client, experiment_id)

    assert names(client.search_runs([experiment_id], order_by=order)) == found


def test_nan_comes_last(client, experiment_id):
    """A run whose metric is NaN stands behind those with a number, in either direction."""
    runs = make_runs(client, experiment_id)
    client.log_metric(runs["b"], "loss", float("nan"), step=1)

    for order, found in (("ASC", "eca"), ("DESC", "ace")):
        ordered = names(client.search_runs([experiment_id], order_by=[f"metrics.loss {order}"]))
        assert ordered[:3] == found
        assert set(ordered[3:]) == {"b", "d"}


def test_pages_hold_every_run_once(client, experiment_id):
    """Page by page every run comes once and in order, though runs are added meanwhile."""
    make_runs(client, experiment_id)

    seen, token = "", None
    while True:
        page = client.search_runs(
            [experiment_id], max_results=2, order_by=["start_time DESC"], page_token=token
        )
        seen += names(page)
        client.create_run(experiment_id, start_time=9_000, run_name="z")
        token = page.token
        if not token:
            break
    assert seen == "edcba"


def test_last_page_has_no_token(client, experiment_id):
    """A page that holds all that is left is the last one."""
    make_runs(client, experiment_id)

    assert client.search_runs([experiment_id], max_results=5).token is None
    assert client.search_runs([experiment_id], max_results=4).token


def test_token_belongs_to_its_search(mlflow, client, experiment_id):
    """A token of another search, or one that nobody gave out, is refused."""
    make_runs(client, experiment_id)
    token = client.search_runs([experiment_id], max_results=2).token

    for wrong in (token, "xx", "eyJvZmZzZXQiOiAxfQ=="):
        with pytest.raises(mlflow.MlflowException) as caught:
            client.search_runs([experiment_id], "metrics.loss > 0", max_results=2, page_token=wrong)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_deleted_runs_are_found_when_asked_for(mlflow, client, experiment_id):
    """Deleted runs are out of sight unless a search names them."""
    runs = make_runs(client, experiment_id)
    client.delete_run(runs["b"])
    view = mlflow.entities.ViewType

    assert names(client.search_runs([experiment_id])) == "edca"
    assert names(client.search_runs([experiment_id], run_view_type=view.DELETED_ONLY)) == "b"
    assert names(client.search_runs([experiment_id], run_view_type=view.ALL)) == "edcba"


def test_found_runs_have_all_that_was_logged(mlflow, client, experiment_id):
    """A found run is the same as one that is read by its id."""
    run_id = make_runs(client, experiment_id)["a"]
    client.log_inputs(
        run_id, [mlflow.entities.DatasetInput(mlflow.entities.Dataset("flights", "abc", "local", "{}"), [])]
    )

    (found,) = client.search_runs([experiment_id], "run_name = 'a'")
    assert found.to_dictionary() == client.get_run(run_id).to_dictionary()


def test_runs_are_found_by_their_ids(client, experiment_id):
    """A list of ids finds those runs, or all others."""
    runs = make_runs(client, experiment_id)
    wanted = f"('{runs['a']}', '{runs['c']}')"

    assert names(client.search_runs([experiment_id], f"attributes.run_id IN {wanted}")) == "ca"
    assert names(client.search_runs([experiment_id], f"run_id NOT IN {wanted}")) == "edb"


def test_runs_are_found_by_what_they_read(mlflow, client, experiment_id):
    """Name, digest and context of a dataset find the runs that read it."""
    runs = make_runs(client, experiment_id)
    for name, context in (("a", "training"), ("b", "test")):
        tags = [mlflow.entities.InputTag("mlflow.data.context", context)]
        dataset = mlflow.entities.Dataset("flights", f"digest-{name}", "local", "{}")
        client.log_inputs(runs[name], [mlflow.entities.DatasetInput(dataset, tags)])

    assert names(client.search_runs([experiment_id], "dataset.name = 'flights'")) == "ba"
    assert names(client.search_runs([experiment_id], "datasets.digest = 'digest-a'")) == "a"
    assert names(client.search_runs([experiment_id], "dataset.context LIKE 'te%'")) == "b"


def test_children_are_found_by_their_parent(mlflow, client, experiment_id):
    """The tag of the parent finds its children."""
    with mlflow.start_run() as parent:
        for name in "xy":
            with mlflow.start_run(run_name=name, nested=True):
                pass

    found = client.search_runs([experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert names(found) == "yx"


def test_several_experiments_are_searched_at_once(client, experiment_id):
    """Runs of all experiments that are named are found, and of no other one."""
    other, third = (client.create_experiment(f"other {place} {experiment_id}") for place in range(2))
    client.create_run(experiment_id, run_name="a", start_time=1_000)
    client.create_run(other, run_name="b", start_time=2_000)
    client.create_run(third, run_name="c", start_time=3_000)

    assert names(client.search_runs([experiment_id, other])) == "ba"
    assert client.search_runs([]) == []
    assert client.search_runs(["987654"]) == []


def test_search_gives_a_table(mlflow, client, experiment_id):
    """`mlflow.search_runs` is a data frame with a column for each metric, param and tag."""
    make_runs(client, experiment_id)

    table = mlflow.search_runs([experiment_id], "metrics.loss > 0.25", order_by=["metrics.loss ASC"])
    assert list(table["metrics.loss"]) == [0.3, 0.4, 0.5]
    assert list(table["params.depth"]) == ["3", "2", "1"]
    assert list(table["status"]) == ["FAILED", "FINISHED", "FINISHED"]
    assert list(table["tags.team"]) == ["delays", "weather", "delays"]


def test_search_gives_a_list_of_all_experiments(mlflow, client, experiment_id):
    """Searches by the name of the experiment, and through all of them, find the run."""
    with mlflow.start_run(run_name=f"one of {experiment_id}"):
        pass
    query, name = f"run_name = 'one of {experiment_id}'", client.get_experiment(experiment_id).name

    by_name = mlflow.search_runs(experiment_names=[name], output_format="list")
    everywhere = mlflow.search_runs(search_all_experiments=True, filter_string=query, output_format="list")
    assert names(by_name) == names(everywhere) == f"one of {experiment_id}"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("metrics.loss >> 1", "character 14"),
        ("metrics.loss > 'a'", "character 16"),
        ("metrics.loss", "its end"),
        ("params.depth > 1", "depth"),
        ("nonsense.loss > 1", "nonsense"),
        ("metrics.loss > 1 AND", "its end"),
        ("(metrics.loss > 1", "its end"),
        ("metrics.loss > 1 metrics.auc > 1", "metrics.auc"),
    ],
)
def test_faulty_filter_is_refused_where_it_is_wrong(mlflow, client, experiment_id, query, words):
    """The message of a filter that cannot be read points at the place."""
    with pytest.raises(mlflow.MlflowException) as caught:
        client.search_runs([experiment_id], query)

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert words in caught.value.message


@pytest.mark.parametrize(
    "order", [["metrics.loss SIDEWAYS"], ["nonsense.loss"], ["start_time", "start_time DESC"]]
)
def test_faulty_order_is_refused(mlflow, client, experiment_id, order):
    """An order names what can be sorted by, once, and a direction."""
    with pytest.raises(mlflow.MlflowException) as caught:
        client.search_runs([experiment_id], order_by=order)

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("place", ["runs/search", "experiments/search"])
@pytest.mark.parametrize("most", [0, -1, 50_001, "x", 2**40])
def test_page_has_limits(api, place, most):
    """A page has 1 to 50,000 rows."""
    status, refusal = api("POST", place, {"experiment_ids": ["0"], "max_results": most})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "max_results" in refusal["message"]


def test_experiments_are_found_by_name_and_tag(client, experiment_id):
    """Filters on the name and on tags find experiments, in the order that is asked for."""
    made = {}
    for place, team in enumerate(["delays", "weather", "delays"]):
        name = f"search {experiment_id} {place}"
        made[name] = client.create_experiment(name, tags={"team": team})
    mine = f"name LIKE 'search {experiment_id} %'"

    found = client.search_experiments(filter_string=f"{mine} AND tags.team = 'delays'", order_by=["name ASC"])
    assert [each.name for each in found] == [f"search {experiment_id} 0", f"search {experiment_id} 2"]
    newest = client.search_experiments(filter_string=mine)
    assert [each.experiment_id for each in newest] == list(made.values())[::-1]
    assert newest[0].tags == {"team": "delays"}
    assert client.search_experiments(filter_string=f"name = 'search {experiment_id} 1'")[0].tags == {
        "team": "weather"
    }


def test_experiments_come_by_page(client, experiment_id):
    """Page by page every experiment comes once."""
    wanted = [client.create_experiment(f"page {experiment_id} {place}") for place in range(5)]

    seen, token = [], None
    while True:
        page = client.search_experiments(
            filter_string=f"name LIKE 'page {experiment_id} %'",
            max_results=2,
            order_by=["name"],
            page_token=token,
        )
        seen += [each.experiment_id for each in page]
        token = page.token
        if not token:
            break
    assert seen == wanted


def test_deleted_experiments_are_found_when_asked_for(mlflow, client, experiment_id):
    """Deleted experiments are out of sight unless a search names them."""
    kept, gone = (client.create_experiment(f"view {experiment_id} {place}") for place in range(2))
    client.delete_experiment(gone)
    view, mine = mlflow.entities.ViewType, f"name LIKE 'view {experiment_id} %'"

    found = {
        each: [
            experiment.experiment_id
            for experiment in client.search_experiments(each, filter_string=mine, order_by=["name"])
        ]
        for each in (view.ACTIVE_ONLY, view.DELETED_ONLY, view.ALL)
    }
    assert found == {view.ACTIVE_ONLY: [kept], view.DELETED_ONLY: [gone], view.ALL: [kept, gone]}


def test_experiments_are_searched_by_get(api, client, experiment_id):
    """The same search is answered to a GET, whose lists are repeated names."""
    name = client.get_experiment(experiment_id).name
    asked = f"filter=name%20%3D%20'{name}'&max_results=5&view_type=ALL&order_by=name&order_by=creation_time"

    status, page = api("GET", f"experiments/search?{asked}")

    assert (status, [each["experiment_id"] for each in page["experiments"]]) == (200, [experiment_id])


def test_search_sees_what_was_written_before(mlflow, client, experiment_id):
    """A search behind a write shows it, also of many runs at once."""
    for place in range(30):
        client.create_run(experiment_id, run_name=f"run {place}")

    assert len(client.search_runs([experiment_id])) == 30
