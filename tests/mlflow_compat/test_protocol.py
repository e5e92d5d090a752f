"""What other clients send: proto-JSON in its variants, faulty requests, addresses and headers."""

import pytest

pytestmark = pytest.mark.mlflow


def test_whole_numbers_may_be_text(api, client, experiment_id):
    """int64 fields come as numbers or as text, as proto-JSON writes them."""
    run_id = client.create_run(experiment_id).info.run_id
    point = {"run_id": run_id, "key": "loss", "value": "0.5", "timestamp": "1234", "step": "7"}

    assert api("POST", "runs/log-metric", point) == (200, {})
    (stored,) = client.get_metric_history(run_id, "loss")
    assert (stored.value, stored.timestamp, stored.step) == (0.5, 1234, 7)


@pytest.mark.parametrize(("text", "shown"), [("NaN", "NaN"), ("Infinity", 1.7976931348623157e308)])
def test_odd_numbers_are_words(api, client, experiment_id, text, shown):
    """NaN and the infinities come as words, as proto-JSON writes them."""
    run_id = client.create_run(experiment_id).info.run_id
    api("POST", "runs/log-metric", {"run_id": run_id, "key": "loss", "value": text, "timestamp": 1})

    _, answer = api("GET", f"runs/get?run_id={run_id}")
    assert answer["run"]["data"]["metrics"] == [{"key": "loss", "value": shown, "timestamp": 1, "step": 0}]


def test_unknown_fields_are_skipped(api, client, experiment_id):
    """A field of a newer client is no error, whatever it holds."""
    run_id = client.create_run(experiment_id).info.run_id
    param = {"run_id": run_id, "key": "depth", "value": "6", "new": {"deep": [1, {"er": None}]}}

    assert api("POST", "runs/log-parameter", param) == (200, {})
    assert api("GET", f"runs/get?run_id={run_id}&new=1&new=2")[0] == 200
    assert client.get_run(run_id).data.params == {"depth": "6"}


def test_null_is_an_absent_field(api, client, experiment_id):
    """A field that is null counts as one that is not there."""
    run_id = client.create_run(experiment_id).info.run_id
    point = {"run_id": run_id, "run_uuid": None, "key": "loss", "value": 1, "timestamp": 1, "step": None}

    assert api("POST", "runs/log-metric", point) == (200, {})
    status, refusal = api("POST", "runs/log-metric", {**point, "key": None})
    assert (status, "'key'" in refusal["message"]) == (400, True)


def test_run_is_named_by_its_older_field(api, client, experiment_id):
    """`run_uuid` says the same as `run_id`, in bodies and in queries."""
    run_id = client.create_run(experiment_id).info.run_id

    assert api("POST", "runs/set-tag", {"run_uuid": run_id, "key": "team", "value": "delays"}) == (200, {})
    status, answer = api("GET", f"runs/get?run_uuid={run_id}")
    assert (status, answer["run"]["info"]["run_uuid"]) == (200, run_id)


def test_pages_of_mlflow_have_an_address_of_their_own(api, client, experiment_id):
    """Every call is answered under `/ajax-api` as well, with the same answer."""
    run_id = client.create_run(experiment_id).info.run_id

    assert api("GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={run_id}") == api(
        "GET", f"runs/get?run_id={run_id}"
    )


def test_names_that_look_like_secrets_are_names(api, client, experiment_id):
    """A metric or experiment may begin with `paddock_`, also in the query of a GET."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_metric(run_id, "paddock_loss", 0.5)

    status, page = api("GET", f"metrics/get-history?run_id={run_id}&metric_key=paddock_loss")
    assert (status, len(page["metrics"])) == (200, 1)


@pytest.mark.parametrize("status", [3, "3", "FINISHED"])
def test_enums_are_names_or_numbers(api, client, experiment_id, status):
    """A status comes as its name or as its number."""
    run_id = client.create_run(experiment_id).info.run_id

    _, answer = api("POST", "runs/update", {"run_id": run_id, "status": status})
    assert answer["run_info"]["status"] == "FINISHED"


def test_unknown_status_is_refused(api, client, experiment_id):
    """A status that is none of MLflow's changes nothing, and the known ones are named."""
    run_id = client.create_run(experiment_id).info.run_id

    status, refusal = api("POST", "runs/update", {"run_id": run_id, "status": "DONE", "run_name": "x"})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "FINISHED" in refusal["message"]
    assert client.get_run(run_id).info.run_name != "x"


@pytest.mark.parametrize(
    ("place", "body", "field"),
    [
        ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1}, "run_id"),
        ("runs/log-metric", {"run_id": "f0", "value": 1, "timestamp": 1}, "key"),
        ("runs/log-metric", {"run_id": "f0", "key": "a", "timestamp": 1}, "value"),
        ("runs/log-metric", {"run_id": "f0", "key": "a", "value": 1}, "timestamp"),
        ("runs/log-parameter", {"run_id": "f0"}, "key"),
        ("runs/set-tag", {"key": "a"}, "run_id"),
        ("runs/delete-tag", {"run_id": "f0"}, "key"),
        ("runs/delete", {}, "run_id"),
        ("runs/restore", {}, "run_id"),
        ("runs/update", {"status": "FINISHED"}, "run_id"),
        ("runs/log-batch", {}, "run_id"),
        ("runs/log-inputs", {}, "run_id"),
        ("runs/outputs", {}, "run_id"),
        ("experiments/create", {}, "name"),
        ("experiments/update", {"experiment_id": "0"}, "new_name"),
        ("experiments/delete", {}, "experiment_id"),
        ("experiments/set-experiment-tag", {"experiment_id": "0"}, "key"),
        ("experiments/delete-experiment-tag", {"key": "a"}, "experiment_id"),
    ],
)
def test_missing_field_is_named(api, place, body, field):
    """The message of a request that lacks a field names the field."""
    status, refusal = api("POST", place, body)

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert refusal["message"].startswith(f"Missing value for required parameter '{field}'")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("runs/get", "run_id"),
        ("experiments/get", "experiment_id"),
        ("experiments/get-by-name", "experiment_name"),
        ("metrics/get-history?run_id=f0", "metric_key"),
    ],
)
def test_missing_argument_is_named(api, path, field):
    """The message of a GET that lacks an argument names the argument."""
    status, refusal = api("GET", path)

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert refusal["message"].startswith(f"Missing value for required parameter '{field}'")


@pytest.mark.parametrize(
    ("place", "body", "words"),
    [
        ("runs/log-metric", {"run_id": 31}, "Invalid value 31 for parameter 'run_id' supplied"),
        ("runs/log-metric", {"value": "abc"}, "Invalid value \"abc\" for parameter 'value' supplied"),
        (
            "runs/log-metric",
            {"timestamp": "soon"},
            "Invalid value \"soon\" for parameter 'timestamp' supplied",
        ),
        ("runs/log-metric", {"timestamp": -1}, "Invalid value -1 for parameter 'timestamp' supplied"),
        ("runs/log-metric", {"timestamp": 2**62}, "for parameter 'timestamp' supplied"),
        ("runs/log-metric", {"step": 1.5}, "Invalid value 1.5 for parameter 'step' supplied"),
        ("runs/log-metric", {"step": 2**63}, "for parameter 'step' supplied"),
        ("runs/log-parameter", {"value": {"a": 1}}, "for parameter 'value' supplied"),
        ("runs/create", {"start_time": "soon"}, "for parameter 'start_time' supplied"),
        (
            "runs/create",
            {"tags": [{"key": "a", "value": 1}]},
            "Invalid value 1 for parameter 'tags[0].value' supplied",
        ),
        ("runs/search", {"experiment_ids": "0"}, "for parameter 'experiment_ids' supplied"),
        (
            "runs/search",
            {"experiment_ids": [0]},
            "Invalid value 0 for parameter 'experiment_ids[0]' supplied",
        ),
        ("runs/search", {"run_view_type": "SOME"}, "for parameter 'run_view_type' supplied"),
        ("experiments/create", {"name": 31}, "Invalid value 31 for parameter 'name' supplied"),
    ],
)
def test_ill_typed_field_is_named(api, client, experiment_id, place, body, words):
    """The message of a field of the wrong type has its value and its place."""
    run_id = client.create_run(experiment_id).info.run_id
    whole = {"run_id": run_id, "key": "a", "value": "1", "timestamp": 1}

    status, refusal = api("POST", place, {**whole, **body})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refusal["message"]
    assert client.get_run(run_id).data.metrics == {}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "Expected `object`"),
        ('{"run_id": NaN}', "not JSON"),
        ('{"key": "\\ud800"}', "not JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"new": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
    ],
)
def test_body_that_cannot_be_read_is_refused(api, body, words):
    """What is no JSON, or too deep, is refused in words."""
    status, refusal = api("POST", "runs/log-metric", body)

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refusal["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "nothing/here", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "/ajax-api/2.0/mlflow/gateway-proxy", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "/api/3.0/mlflow/traces/search", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "runs/create", 405, "BAD_REQUEST"),
        ("GET", "runs//get", 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "%2e%2e/runs/get", 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_unknown_address_is_refused_in_mlflow_s_form(api, method, path, status, code):
    """What is not served below MLflow's addresses is told with MLflow's codes."""
    answered, refusal = api(method, path, {} if method == "POST" else None)

    assert (answered, refusal["error_code"]) == (status, code)
    assert set(refusal) == {"error_code", "message"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, 415, "BAD_REQUEST"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "BAD_REQUEST"),
        ({"Origin": "http://evil.test"}, 403, "PERMISSION_DENIED"),
        ({"Host": "evil.test"}, 421, "BAD_REQUEST"),
        ({"Content-Encoding": "gzip"}, 415, "BAD_REQUEST"),
        ({"X-MLFLOW-WORKSPACE": "../x"}, 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_refused_headers_are_told_in_mlflow_s_form(api, client, experiment_id, headers, status, code):
    """Other types, other origins and other hosts are refused here as everywhere, in MLflow's form."""
    run_id = client.create_run(experiment_id).info.run_id

    answered, refusal = api("POST", "runs/set-tag", {"run_id": run_id, "key": "a", "value": "b"}, headers)

    assert (answered, refusal["error_code"]) == (status, code)
    assert "a" not in client.get_run(run_id).data.tags


def test_body_that_is_too_large_is_refused(api, client, experiment_id):
    """A body has at most 8 MB, and the limit is told."""
    run_id = client.create_run(experiment_id).info.run_id

    status, refusal = api("POST", "runs/set-tag", {"run_id": run_id, "key": "a", "value": "x" * 9_000_000})

    assert (status, refusal["error_code"]) == (413, "INVALID_PARAMETER_VALUE")
    assert "8388608" in refusal["message"]


def test_post_takes_nothing_from_its_query(api, client, experiment_id):
    """What a page of another site could send without being asked changes nothing."""
    run_id = client.create_run(experiment_id).info.run_id

    status, refusal = api("POST", f"runs/delete?run_id={run_id}", {})

    assert (status, "'run_id'" in refusal["message"]) == (400, True)
    assert client.get_run(run_id).info.lifecycle_stage == "active"


def test_empty_post_needs_its_type(api):
    """A POST says that it is JSON even when it has no body, as no form of another site can."""
    status, refusal = api("POST", "runs/create", "", {"Content-Type": "text/plain"})

    assert (status, refusal["error_code"]) == (415, "BAD_REQUEST")
