"""Batches, and what a client sends while the training goes on."""

import pytest

pytestmark = pytest.mark.mlflow


def test_batch_has_all_kinds(mlflow, client, experiment_id):
    """Metrics, params and tags of one batch are all there after it."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_batch(
        run_id,
        metrics=[
            mlflow.entities.Metric("loss", 0.5, 1_000, 1),
            mlflow.entities.Metric("loss", 0.4, 2_000, 2),
        ],
        params=[mlflow.entities.Param("depth", "6")],
        tags=[mlflow.entities.RunTag("team", "delays")],
    )

    stored = client.get_run(run_id).data
    assert (stored.metrics, stored.params, stored.tags["team"]) == ({"loss": 0.4}, {"depth": "6"}, "delays")
    assert len(client.get_metric_history(run_id, "loss")) == 2


def test_thousand_metrics_fit_into_a_batch(mlflow, client, experiment_id):
    """A batch takes a thousand metrics with a key each, and the run shows them all."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_batch(
        run_id, [mlflow.entities.Metric(f"metric {number}", number, 1, 0) for number in range(1_000)]
    )

    assert client.get_run(run_id).data.metrics == {
        f"metric {number}": float(number) for number in range(1_000)
    }


def test_client_splits_what_is_too_much(mlflow, client, experiment_id):
    """More than a thousand metrics are sent in parts by the client, and all arrive."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_batch(run_id, [mlflow.entities.Metric("loss", step, step, step) for step in range(2_500)])

    assert len(client.get_metric_history(run_id, "loss")) == 2_500


def test_batch_sent_twice_counts_once(mlflow, client, experiment_id):
    """The same batch again, as a client sends it that got no answer, changes nothing."""
    run_id = client.create_run(experiment_id).info.run_id
    batch = {
        "metrics": [mlflow.entities.Metric("loss", 0.5, 1_000, step) for step in range(10)],
        "params": [mlflow.entities.Param("depth", "6")],
        "tags": [mlflow.entities.RunTag("team", "delays")],
    }
    client.log_batch(run_id, **batch)
    before = client.get_run(run_id).data.to_dictionary()
    client.log_batch(run_id, **batch)

    assert client.get_run(run_id).data.to_dictionary() == before
    assert len(client.get_metric_history(run_id, "loss")) == 10


def test_last_of_two_values_of_a_tag_counts(api, client, experiment_id):
    """A batch may set a tag twice."""
    run_id = client.create_run(experiment_id).info.run_id
    tags = [{"key": "stage", "value": "draft"}, {"key": "stage", "value": "final"}]

    assert api("POST", "runs/log-batch", {"run_id": run_id, "tags": tags}) == (200, {})
    assert client.get_run(run_id).data.tags["stage"] == "final"


def test_param_named_twice_is_refused(api, client, experiment_id):
    """A batch that names a param twice is refused, and the message names the param."""
    run_id = client.create_run(experiment_id).info.run_id
    params = [{"key": "depth", "value": "6"}, {"key": "rate", "value": "1"}, {"key": "depth", "value": "6"}]

    status, refusal = api("POST", "runs/log-batch", {"run_id": run_id, "params": params})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "Duplicate parameter keys have been submitted: ['depth']" in refusal["message"]
    assert client.get_run(run_id).data.params == {}


@pytest.mark.parametrize(
    ("metrics", "params", "tags", "words"),
    [
        (1_001, 0, 0, "at most 1000 metrics. Got 1001 metrics"),
        (0, 101, 0, "at most 100 params. Got 101 params"),
        (0, 0, 101, "at most 100 tags. Got 101 tags"),
        (900, 50, 51, "at most 1000 metrics, params, and tags. Got 1001"),
    ],
)
def test_batch_has_limits(api, client, experiment_id, metrics, params, tags, words):
    """A thousand metrics, a hundred params or tags, a thousand in all; more are refused, and counted."""
    run_id = client.create_run(experiment_id).info.run_id
    batch = {
        "run_id": run_id,
        "metrics": [{"key": "loss", "value": step, "timestamp": step} for step in range(metrics)],
        "params": [{"key": f"param {number}", "value": "1"} for number in range(params)],
        "tags": [{"key": f"tag {number}", "value": "1"} for number in range(tags)],
    }

    status, refusal = api("POST", "runs/log-batch", batch)

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refusal["message"]
    assert client.get_metric_history(run_id, "loss") == []


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"metrics": [{"value": 1, "timestamp": 1}]}, "metrics[0].key"),
        ({"metrics": [{"key": "a", "timestamp": 1}]}, "metrics[0].value"),
        (
            {"metrics": [{"key": "a", "value": 1, "timestamp": 1}, {"key": "a", "value": 1}]},
            "metrics[1].timestamp",
        ),
        ({"metrics": [{"key": "a?", "value": 1, "timestamp": 1}]}, "metrics[0].name"),
        ({"metrics": [{"key": "a", "value": "x", "timestamp": 1}]}, "metrics[0].value"),
        ({"metrics": [{"key": "a", "value": 1, "timestamp": -1}]}, "metrics[0].timestamp"),
        ({"metrics": {"key": "a"}}, "metrics"),
        ({"params": [{"value": "1"}]}, "params[0].key"),
        ({"params": [{"key": "a", "value": 1}]}, "params[0].value"),
        ({"tags": [{"key": "ok", "value": "1"}, {"value": "1"}]}, "tags[1].key"),
    ],
)
def test_faulty_entry_is_named_by_its_place(api, client, experiment_id, batch, words):
    """The message says which entry of which list is wrong, and nothing of the batch is stored."""
    run_id = client.create_run(experiment_id).info.run_id

    status, refusal = api("POST", "runs/log-batch", {"run_id": run_id, **batch})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert f"'{words}'" in refusal["message"]
    stored = client.get_run(run_id).data
    assert (stored.metrics, stored.params, "ok" in stored.tags) == ({}, {}, False)


def test_empty_batch_is_fine(client, experiment_id):
    """A batch of nothing is no error."""
    run_id = client.create_run(experiment_id).info.run_id

    client.log_batch(run_id)


def test_batch_of_an_unknown_run_is_not_found(mlflow, client):
    """A batch needs a run that is there."""
    with pytest.raises(mlflow.MlflowException, match="Run with id=f0 not found") as caught:
        client.log_batch("f0", params=[mlflow.entities.Param("a", "b")])

    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_metrics_are_logged_in_the_background(mlflow, client):
    """`synchronous=False` sends from a thread; after waiting for it every point is there."""
    with mlflow.start_run() as run:
        sent = [mlflow.log_metric("loss", step / 10, step=step, synchronous=False) for step in range(50)]
        for operation in sent:
            operation.wait()

    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == list(range(50))


def test_everything_is_logged_in_the_background(mlflow):
    """Params, tags and metrics go the same way, and `flush_async_logging` waits for all of them."""
    mlflow.config.enable_async_logging(True)
    try:
        with mlflow.start_run() as run:
            mlflow.log_params({"depth": 6, "rate": 0.1})
            mlflow.set_tags({"team": "delays"})
            mlflow.log_metrics({"loss": 0.5, "auc": 0.9})
            mlflow.flush_async_logging()
            stored = mlflow.get_run(run.info.run_id).data
    finally:
        mlflow.config.enable_async_logging(False)

    assert (stored.params, stored.metrics) == ({"depth": "6", "rate": "0.1"}, {"loss": 0.5, "auc": 0.9})
    assert stored.tags["team"] == "delays"


def test_fault_in_the_background_is_told(mlflow):
    """Who waits for what could not be logged is told so."""
    with mlflow.start_run() as run:
        mlflow.log_param("depth", 6)
        operation = mlflow.log_param("depth", 7, synchronous=False)

        with pytest.raises(mlflow.MlflowException, match="Changing param values is not allowed"):
            operation.wait()

    assert mlflow.get_run(run.info.run_id).data.params == {"depth": "6"}


def test_threads_log_to_one_run(mlflow, client, experiment_id):
    """Points of several threads are all kept, whatever their order."""
    from concurrent.futures import ThreadPoolExecutor

    run_id = client.create_run(experiment_id).info.run_id

    def log(thread):
        for step in range(20):
            client.log_metric(run_id, f"loss {thread}", step, step=step, timestamp=step)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(8)))

    assert client.get_run(run_id).data.metrics == {f"loss {thread}": 19.0 for thread in range(8)}
    assert all(len(client.get_metric_history(run_id, f"loss {thread}")) == 20 for thread in range(8))
