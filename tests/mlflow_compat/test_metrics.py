"""Metrics: points that are logged, the latest of them, and their history."""

import math

import pytest

pytestmark = pytest.mark.mlflow

LARGEST = 1.7976931348623157e308


def test_latest_value_is_shown_and_all_are_kept(mlflow, client):
    """A run shows the latest value of each metric, its history has every point."""
    with mlflow.start_run() as run:
        for step, loss in enumerate([0.9, 0.5, 0.7]):
            mlflow.log_metric("loss", loss, step=step)

    assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 0.7}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.9), (1, 0.5), (2, 0.7)]


def test_latest_is_the_one_of_the_highest_step(client, experiment_id):
    """A point that comes late with a lower step does not become the latest one."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_metric(run_id, "loss", 0.5, timestamp=1_000, step=10)
    client.log_metric(run_id, "loss", 0.9, timestamp=9_000, step=2)

    assert client.get_run(run_id).data.metrics == {"loss": 0.5}


def test_of_one_step_the_newest_is_the_latest(client, experiment_id):
    """Of points of one step the one measured last is the latest, of one moment the largest."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_metric(run_id, "loss", 0.9, timestamp=1_000)
    client.log_metric(run_id, "loss", 0.1, timestamp=2_000)
    client.log_metric(run_id, "auc", 0.9, timestamp=1_000)
    client.log_metric(run_id, "auc", 0.1, timestamp=1_000)

    assert client.get_run(run_id).data.metrics == {"loss": 0.1, "auc": 0.9}


def test_step_and_time_come_back(client, experiment_id):
    """Steps may be negative, times are milliseconds, and both are kept."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_metric(run_id, "loss", 0.5, timestamp=1_234_567_890_123, step=-7)

    (point,) = client.get_metric_history(run_id, "loss")
    assert (point.key, point.value, point.timestamp, point.step) == ("loss", 0.5, 1_234_567_890_123, -7)


def test_history_is_in_order_of_time(client, experiment_id):
    """A history is sorted by time, then by step, then by value, whatever the order of logging."""
    run_id = client.create_run(experiment_id).info.run_id
    points = [(2_000, 1, 0.5), (1_000, 9, 0.4), (1_000, 3, 0.3), (1_000, 3, 0.2), (3_000, 0, 0.1)]
    for timestamp, step, value in points:
        client.log_metric(run_id, "loss", value, timestamp=timestamp, step=step)

    history = client.get_metric_history(run_id, "loss")
    assert [(point.timestamp, point.step, point.value) for point in history] == sorted(points)


def test_point_logged_twice_is_one(client, experiment_id):
    """The same point again, as a client sends it that got no answer, changes nothing."""
    run_id = client.create_run(experiment_id).info.run_id
    for _ in range(3):
        client.log_metric(run_id, "loss", 0.5, timestamp=1_000, step=1)
        client.log_metric(run_id, "nan", math.nan, timestamp=1_000, step=1)

    assert len(client.get_metric_history(run_id, "loss")) == 1
    assert len(client.get_metric_history(run_id, "nan")) == 1


def test_nan_is_a_value(mlflow, client):
    """NaN is kept in the history and shown as the latest value."""
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", math.nan)

    assert math.isnan(mlflow.get_run(run.info.run_id).data.metrics["loss"])
    assert math.isnan(client.get_metric_history(run.info.run_id, "loss")[0].value)


@pytest.mark.parametrize(("sign", "shown"), [(1, LARGEST), (-1, -LARGEST)])
def test_infinity_is_shown_as_the_largest_number(mlflow, client, sign, shown):
    """MLflow's clients see an infinity as the largest float there is."""
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", sign * math.inf)

    assert mlflow.get_run(run.info.run_id).data.metrics["loss"] == shown
    assert client.get_metric_history(run.info.run_id, "loss")[0].value == shown


def test_infinity_is_infinite_for_paddock(mlflow, api):
    """Paddock's own API has the infinity that was logged."""
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", math.inf)

    _, seen = api("GET", f"/api/v1/runs/{run.info.run_id}")
    assert seen["metrics"] == {"loss": "Infinity"}


@pytest.mark.parametrize("value", [0.1 + 0.2, 5e-324, LARGEST, -0.0, 1e-7, 123456789.123456789, 2**53])
def test_values_come_back_bit_for_bit(mlflow, client, value):
    """A float is not rounded on its way in and out."""
    with mlflow.start_run() as run:
        mlflow.log_metric("value", value)

    assert mlflow.get_run(run.info.run_id).data.metrics["value"] == value
    assert client.get_metric_history(run.info.run_id, "value")[0].value == value


def test_several_metrics_at_once(mlflow):
    """`log_metrics` logs all of a step."""
    with mlflow.start_run() as run:
        mlflow.log_metrics({"loss": 0.5, "auc": 0.9, "rows": 100}, step=3)

    assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 0.5, "auc": 0.9, "rows": 100.0}


def test_metric_of_another_run(mlflow, client, experiment_id):
    """A metric can be logged to a run that is not the active one."""
    other = client.create_run(experiment_id)
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5, run_id=other.info.run_id)

    assert mlflow.get_run(other.info.run_id).data.metrics == {"loss": 0.5}
    assert mlflow.get_run(run.info.run_id).data.metrics == {}


def test_history_of_a_metric_nobody_logged_is_empty(mlflow, client):
    """There is no history of an unknown metric, and none of an unknown run."""
    with mlflow.start_run() as run:
        pass

    assert client.get_metric_history(run.info.run_id, "loss") == []
    assert client.get_metric_history("0123456789abcdef", "loss") == []


def test_long_history_comes_by_page(mlflow, client, experiment_id):
    """The client reads 26,000 points in two pages, each point once and in order."""
    run_id = client.create_run(experiment_id).info.run_id
    for start in range(0, 26_000, 1_000):
        steps = range(start, start + 1_000)
        client.log_batch(
            run_id, [mlflow.entities.Metric("loss", step / 2, 1_000 + step, step) for step in steps]
        )

    history = client.get_metric_history(run_id, "loss")
    assert [point.step for point in history] == list(range(26_000))
    assert history[-1].value == 12_999.5


def test_pages_of_a_history_join_at_one_moment(client, api, experiment_id):
    """Points of one and the same millisecond are neither lost nor repeated where a page ends."""
    run_id = client.create_run(experiment_id).info.run_id
    points = [{"key": "loss", "value": step / 10, "timestamp": 1_000, "step": step} for step in range(10)]
    api("POST", "runs/log-batch", {"run_id": run_id, "metrics": points})

    seen, token = [], ""
    while True:
        _, page = api(
            "GET", f"metrics/get-history?run_id={run_id}&metric_key=loss&max_results=3&page_token={token}"
        )
        seen += [point["step"] for point in page["metrics"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == list(range(10))


def test_history_without_a_limit_is_whole(client, api, experiment_id):
    """A caller that names no limit gets every point and no token."""
    run_id = client.create_run(experiment_id).info.run_id
    points = [{"key": "loss", "value": 1, "timestamp": step, "step": step} for step in range(1_000)]
    api("POST", "runs/log-batch", {"run_id": run_id, "metrics": points})

    _, page = api("GET", f"metrics/get-history?run_id={run_id}&metric_key=loss")
    assert (len(page["metrics"]), "next_page_token" in page) == (1_000, False)


@pytest.mark.parametrize("query", ["max_results=0", "max_results=-1", "max_results=x", "page_token=x"])
def test_history_refuses_a_bad_page(client, api, experiment_id, query):
    """A page has at least one row, and a token is one that was given out."""
    run_id = client.create_run(experiment_id).info.run_id

    status, refusal = api("GET", f"metrics/get-history?run_id={run_id}&metric_key=loss&{query}")

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_histories_of_several_runs(client, api, experiment_id):
    """One call reads a metric of several runs, by run and then in order of time; unknown runs are skipped."""
    first, second = sorted(client.create_run(experiment_id).info.run_id for _ in range(2))
    for run_id in (second, first):
        client.log_metric(run_id, "loss", 0.5, timestamp=2_000, step=1)
        client.log_metric(run_id, "loss", 0.9, timestamp=1_000, step=0)

    runs = f"run_id={second}&run_id={first}&run_id=f0"
    _, found = api("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=loss&{runs}")
    rows = [(point["run_id"], point["timestamp"], point["value"]) for point in found["metrics"]]
    assert rows == [
        (run_id, at, value) for run_id in (first, second) for at, value in ((1_000, 0.9), (2_000, 0.5))
    ]


def test_chart_gets_few_points_that_draw_the_curve(mlflow, client, api, experiment_id):
    """A sample has no more points than asked for, in order, with the first, the last and the extremes."""
    run_id = client.create_run(experiment_id).info.run_id
    values = [math.sin(step / 9) + (40 if step == 2_345 else 0) for step in range(5_000)]
    for start in range(0, 5_000, 1_000):
        steps = range(start, start + 1_000)
        client.log_batch(run_id, [mlflow.entities.Metric("wave", values[step], step, step) for step in steps])

    _, found = api(
        "GET", f"metrics/get-history-bulk-interval?metric_key=wave&max_results=320&run_ids={run_id}"
    )
    sample = found["metrics"]
    assert len(sample) <= 320
    assert [point["step"] for point in sample] == sorted({point["step"] for point in sample})
    assert (sample[0]["step"], sample[-1]["step"]) == (0, 4_999)
    assert max(point["value"] for point in sample) == max(values)
    assert {point["run_id"] for point in sample} == {run_id}


def test_chart_of_some_steps(client, api, experiment_id):
    """A sample of an interval has the points from its first to its last step."""
    run_id = client.create_run(experiment_id).info.run_id
    points = [{"key": "loss", "value": 1, "timestamp": step, "step": step} for step in range(100)]
    api("POST", "runs/log-batch", {"run_id": run_id, "metrics": points})

    path = f"metrics/get-history-bulk-interval?metric_key=loss&run_ids={run_id}&start_step=10&end_step=12"
    _, found = api("GET", path)
    assert [point["step"] for point in found["metrics"]] == [10, 11, 12]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5])
def test_smallest_charts_keep_the_last_point(client, api, experiment_id, most):
    """However few points are asked for, no more come, and the last one is among them."""
    run_id = client.create_run(experiment_id).info.run_id
    points = [{"key": "loss", "value": step % 7, "timestamp": step, "step": step} for step in range(100)]
    api("POST", "runs/log-batch", {"run_id": run_id, "metrics": points})

    path = f"metrics/get-history-bulk-interval?metric_key=loss&run_ids={run_id}&max_results={most}"
    _, found = api("GET", path)
    assert 1 <= len(found["metrics"]) <= most
    assert found["metrics"][-1]["step"] == 99


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("metric_key=loss", "run_ids"),
        ("run_ids=f0", "metric_key"),
        ("metric_key=loss&run_ids=f0&max_results=2501", "between 1 and 2500"),
        ("metric_key=loss&run_ids=f0&start_step=1", "both must be specified"),
        ("metric_key=loss&run_ids=f0&start_step=2&end_step=1", "end_step must be greater"),
        ("metric_key=loss" + "&run_ids=f0" * 101, "at most 100 run_ids"),
    ],
)
def test_chart_refuses_a_bad_request(api, query, words):
    """What keeps a sample from being taken is said."""
    status, refusal = api("GET", f"metrics/get-history-bulk-interval?{query}")

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refusal["message"]
