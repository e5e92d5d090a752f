"""Webhooks, as MLflow's clients make, change, test and delete them."""

import base64
import hashlib
import hmac
import json
import time
import uuid

import pytest

pytestmark = pytest.mark.mlflow

URL = "https://hooks.example/in?key=1"
SECRET = "whsec-canary-1f0c"
DEADLINE_S = 30.0


def refusal(mlflow, words):
    return pytest.raises(mlflow.exceptions.MlflowException, match=words)


def names(webhook):
    return sorted(str(event) for event in webhook.events)


def test_webhook_is_read_as_it_was_created(client):
    """Everything but the secret comes back, with times in milliseconds."""
    made = client.create_webhook(
        "ci.main",
        URL,
        ["registered_model.created", "model_version_alias.deleted"],
        description="for builds",
        secret=SECRET,
        status="DISABLED",
    )

    found = client.get_webhook(made.webhook_id)
    assert (found.name, found.url, found.description) == ("ci.main", URL, "for builds")
    assert names(found) == ["model_version_alias.deleted", "registered_model.created"]
    assert (str(found.status), found.secret) == ("DISABLED", None)
    assert found.creation_timestamp == found.last_updated_timestamp > 1_600_000_000_000


def test_every_event_of_models_and_prompts_is_known(client):
    """All of MLflow's events but those of budgets can be subscribed to."""
    from typing import get_args

    from mlflow.entities.webhook import WebhookEventStr

    events = sorted(set(get_args(WebhookEventStr)) - {"budget_policy.exceeded"})

    assert names(client.create_webhook("all", URL, events)) == events


def test_new_webhook_is_active(client):
    """Without a status a webhook is active, without a description it has none."""
    made = client.create_webhook("ci", URL, ["prompt.created"])

    assert (str(made.status), made.description) == ("ACTIVE", None)


def test_webhooks_are_listed_by_page(client):
    """Each webhook is on one page, the newest first."""
    made = [client.create_webhook(f"page-{n}", URL, ["prompt.created"]).webhook_id for n in range(5)]

    found, token = [], None
    while True:
        page = client.list_webhooks(max_results=2, page_token=token)
        assert len(page) <= 2
        found += [webhook.webhook_id for webhook in page]
        token = page.token
        if not token:
            break
    assert [each for each in found if each in made] == made[::-1]
    assert len(set(found)) == len(found)


def test_update_changes_what_is_given(client):
    """What is not given stays, and a description may become empty."""
    made = client.create_webhook("ci", URL, ["prompt.created"], description="old", secret=SECRET)

    changed = client.update_webhook(made.webhook_id, name="cd", events=["prompt_tag.set"], status="DISABLED")

    assert (changed.name, changed.url, names(changed)) == ("cd", URL, ["prompt_tag.set"])
    assert (str(changed.status), changed.description) == ("DISABLED", "old")
    assert client.update_webhook(made.webhook_id, description="").description is None
    assert client.get_webhook(made.webhook_id).last_updated_timestamp >= made.creation_timestamp


def test_deleted_webhook_is_gone(mlflow, client):
    """A deleted webhook is not found any more, nor is one that never was, nor a name."""
    made = client.create_webhook("gone", URL, ["prompt.created"])
    client.delete_webhook(made.webhook_id)

    for webhook_id in (made.webhook_id, "nobody", "gone"):
        with refusal(mlflow, f"Webhook with ID {webhook_id} not found") as caught:
            client.get_webhook(webhook_id)
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with refusal(mlflow, "not found"):
        client.delete_webhook(made.webhook_id)


@pytest.mark.parametrize(
    "url",
    [
        *("http://169.254.169.254/", "http://127.0.0.1", "https://elsewhere.example/x", "http://[::1]/x"),
        *("http://0x7f.1/", "http://2130706433/", "https://[::ffff:169.254.169.254]/", "file:///etc/passwd"),
    ],
)
def test_host_that_is_not_listed_is_refused(mlflow, client, url):
    """A webhook goes to hosts that the server's settings name, and nowhere else."""
    with refusal(mlflow, ".") as caught:
        client.create_webhook("ci", url, ["prompt.created"])
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"url": URL, "events": [{"entity": 1, "action": 1}]}, "parameter 'name'"),
        ({"name": "ci", "events": [{"entity": 1, "action": 1}]}, "parameter 'url'"),
        ({"name": "ci", "url": URL}, "parameter 'events'"),
        ({"name": "-", "url": URL, "events": [{"entity": 1, "action": 1}]}, "cannot name a webhook"),
        ({"name": "ci", "url": URL, "events": [{"entity": "RUN", "action": 1}]}, "'events.entity'"),
        ({"name": "ci", "url": URL, "events": [{"entity": 1, "action": "DELETED"}]}, "parameter 'events'"),
        ({"name": "ci", "url": URL, "events": [{"entity": 10, "action": 5}]}, "parameter 'events'"),
        ({"name": "ci", "url": URL, "events": [{"entity": 1, "action": 1}], "status": 3}, "'status'"),
    ],
)
def test_webhook_that_cannot_be_is_refused(api, body, words):
    """What is wrong is told by the field's name."""
    status, answer = api("POST", "webhooks", body)

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in answer["message"]


@pytest.mark.parametrize("query", ["max_results=1001", "max_results=-1", "page_token=x", "page_token=1"])
def test_page_that_cannot_be_is_refused(api, query):
    """Too large a page and a token of nobody's are refused."""
    status, answer = api("GET", f"webhooks?{query}")

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_enums_may_be_numbers(api):
    """Entity, action and status travel as names or as numbers."""
    body = {"name": "ci", "url": URL, "events": [{"entity": 4, "action": "3"}], "status": "2"}

    status, answer = api("POST", "webhooks", body)

    assert (status, answer["webhook"]["status"]) == (200, "DISABLED")
    assert answer["webhook"]["events"] == [{"entity": "MODEL_VERSION_ALIAS", "action": "DELETED"}]


def test_test_is_signed_and_answered(client, receiver_url):
    """A test sends one message that the secret signs, and tells what the receiver said to it."""
    made = client.create_webhook("ci", receiver_url, ["model_version.created"], secret=SECRET)

    result = client.test_webhook(made.webhook_id)

    assert (result.success, result.response_status, result.error_message) == (True, 200, None)
    told = json.loads(result.response_body)
    message, headers = json.loads(told["body"]), told["headers"]
    assert (message["entity"], message["action"]) == ("model_version", "created")
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{told['body']}"
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    assert headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_test_may_be_of_another_event(client, receiver_url):
    """The event of a test is chosen; without a secret nothing is signed."""
    made = client.create_webhook("ci", receiver_url, ["model_version.created"])

    told = json.loads(client.test_webhook(made.webhook_id, "prompt_tag.set").response_body)

    assert json.loads(told["body"])["entity"] == "prompt_tag"
    assert "X-MLflow-Signature" not in told["headers"]


def test_receiver_that_is_not_there_is_told(client):
    """A test that reaches nobody is no error of the call: it says why."""
    made = client.create_webhook("ci", URL, ["prompt.created"])

    result = client.test_webhook(made.webhook_id)

    assert (result.success, result.response_status) == (False, None)
    assert result.error_message


def test_new_model_is_delivered(client, api, receiver_url):
    """What a client registers is told to the webhooks that ask for it."""
    made = client.create_webhook("ci", receiver_url, ["registered_model.created"])
    client.create_registered_model(f"told-{uuid.uuid4().hex[:8]}")

    end = time.monotonic() + DEADLINE_S
    delivered = 0
    while not delivered and time.monotonic() < end:
        delivered = api("GET", f"/api/v1/webhooks/{made.webhook_id}")[1]["delivery"]["delivered_count"]
        time.sleep(0.05)  # another process delivers; its count is all there is to look at
    assert delivered >= 1


def test_events_without_a_word_stay(api, client):
    """A client's change keeps what MLflow cannot name; a webhook with nothing else is not shown."""
    native = {"name": "both", "url": URL, "events": ["prompt.created", "run.*"]}
    _, both = api("POST", "/api/v1/webhooks", native)
    _, other = api("POST", "/api/v1/webhooks", {**native, "name": "other", "events": ["run.*"]})

    assert names(client.get_webhook(both["webhook_id"])) == ["prompt.created"]
    assert other["webhook_id"] not in [webhook.webhook_id for webhook in client.list_webhooks(1000)]
    client.update_webhook(both["webhook_id"], events=["prompt_tag.set"])
    assert api("GET", f"/api/v1/webhooks/{both['webhook_id']}")[1]["events"] == ["prompt_tag.set", "run.*"]


def test_workspaces_have_their_own_webhooks(mlflow, client):
    """A webhook is seen in its workspace and in no other."""
    mlflow.create_workspace("hooks")
    mlflow.set_workspace("hooks")
    made = client.create_webhook("ci", URL, ["prompt.created"])
    assert client.get_webhook(made.webhook_id).name == "ci"

    mlflow.set_workspace("default")
    with refusal(mlflow, "not found"):
        client.get_webhook(made.webhook_id)
