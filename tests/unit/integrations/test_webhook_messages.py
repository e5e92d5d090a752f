"""What receivers are told of an event, and under which names."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from paddock.integrations.webhooks.messages import (
    MLFLOW_EVENTS,
    encode_body,
    find_message,
    list_messages,
    list_subscription_faults,
    sample_message,
)
from paddock.integrations.webhooks.records import Cursor, Delivery
from paddock.kernel.ids import EventId
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Event, Json

AT = datetime(2013, 4, 1, 12, 30, tzinfo=UTC)


def event(kind: str, position: int = 1, subject: str = "model:delay", **data: Json) -> Event:
    event_id = EventId(f"{position:032x}")
    return Event(event_id, position, DEFAULT_PROJECT, "ann", kind, subject, AT, AT, data, "0" * 64, "1" * 64)


def told(kind: str, **data: Json) -> list[tuple[str, Mapping[str, object]]]:
    """Return what is told of an event under MLflow's names."""
    return [(message.name, message.data) for message in list_messages(event(kind, **data))[:-1]]


MOVE = {"alias": "champion", "from_version": 6, "to_version": 7, "change": "promoted"}
VERSION_7 = {
    "name": "delay",
    "version": "7",
    "source": "models:/delay/7",
    "run_id": "r1",
    "tags": {},
    "description": None,
}


PROMPT = {"mlflow.prompt.is_prompt": "true", "_mlflow_prompt_type": "text"}


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("model.registered", {"version": 7, "run_id": "r1"}, [("model_version.created", VERSION_7)]),
        (
            "model.registered",
            {"version": 1, "source": "s3://b/m", "tags": {"a": "b"}, "description": "first"},
            [
                (
                    "model_version.created",
                    {
                        "name": "delay",
                        "version": "1",
                        "source": "s3://b/m",
                        "run_id": None,
                        "tags": {"a": "b"},
                        "description": "first",
                    },
                ),
            ],
        ),
        (
            "model.created",
            {"tags": {"a": "b"}, "description": "first"},
            [("registered_model.created", {"name": "delay", "tags": {"a": "b"}, "description": "first"})],
        ),
        (
            "model.created",
            {"tags": {**PROMPT, "a": "b"}, "description": "", "is_prompt": True},
            [("prompt.created", {"name": "delay", "tags": {"a": "b"}, "description": ""})],
        ),
        (
            "model.registered",
            {"version": 2, "tags": {**PROMPT, "mlflow.prompt.text": "Hello", "a": "b"}, "is_prompt": True},
            [
                (
                    "prompt_version.created",
                    {
                        "name": "delay",
                        "version": "2",
                        "template": "Hello",
                        "tags": {"a": "b"},
                        "description": None,
                    },
                )
            ],
        ),
        ("model.tag_set", {"key": "team", "value": "ops", "is_prompt": False}, []),
        (
            "model.tag_set",
            {"key": "team", "value": "ops", "is_prompt": True},
            [("prompt_tag.set", {"name": "delay", "key": "team", "value": "ops"})],
        ),
        (
            "model.tag_deleted",
            {"key": "team", "is_prompt": True},
            [("prompt_tag.deleted", {"name": "delay", "key": "team"})],
        ),
        (
            "model.alias_set",
            {"alias": "live", "version": 2, "is_prompt": True},
            [("prompt_alias.created", {"name": "delay", "alias": "live", "version": "2"})],
        ),
        (
            "model_version.tag_set",
            {"version": 2, "key": "tone", "value": "kind", "is_prompt": True},
            [("prompt_version_tag.set", {"name": "delay", "version": "2", "key": "tone", "value": "kind"})],
        ),
        (
            "model.promoted",
            MOVE,
            [("model_version_alias.created", {"name": "delay", "alias": "champion", "version": "7"})],
        ),
        (
            "model.rolled_back",
            {**MOVE, "to_version": 6},
            [("model_version_alias.created", {"name": "delay", "alias": "champion", "version": "6"})],
        ),
        (
            "alias.moved",
            {**MOVE, "alias": "challenger"},
            [("model_version_alias.created", {"name": "delay", "alias": "challenger", "version": "7"})],
        ),
        (
            "alias.moved",
            {**MOVE, "alias": "challenger", "to_version": 0},
            [("model_version_alias.deleted", {"name": "delay", "alias": "challenger"})],
        ),
        (
            "model.alias_set",
            {"alias": "blue", "version": 3},
            [("model_version_alias.created", {"name": "delay", "alias": "blue", "version": "3"})],
        ),
        (
            "model.alias_deleted",
            {"alias": "blue"},
            [("model_version_alias.deleted", {"name": "delay", "alias": "blue"})],
        ),
        (
            "model_version.tag_set",
            {"version": 3, "key": "stage", "value": ""},
            [("model_version_tag.set", {"name": "delay", "version": "3", "key": "stage", "value": ""})],
        ),
        (
            "model_version.tag_deleted",
            {"version": 3, "key": "stage"},
            [("model_version_tag.deleted", {"name": "delay", "version": "3", "key": "stage"})],
        ),
        ("run.finished", {"status": "finished"}, []),
    ],
)
def test_event_is_told_as_mlflow_tells_it(kind, data, expected):
    """Names and payloads are those that receivers written for MLflow expect."""
    assert told(kind, **data) == expected


@pytest.mark.parametrize("kind", ["model.registered", "model.alias_set", "model_version.tag_set"])
def test_event_that_lacks_a_field_stops_nothing(kind):
    """An event is never changed, so one without a field is told with an empty one."""
    assert [data for _, data in told(kind)] != []


def test_body_has_the_form_of_mlflow():
    """Entity, action, time, data, and the project as workspace; the body of one event is always the same."""
    message = list_messages(event("model.promoted", **MOVE))[0]

    assert json.loads(encode_body(message)) == {
        "entity": "model_version_alias",
        "action": "created",
        "timestamp": "2013-04-01T12:30:00+00:00",
        "data": {"name": "delay", "alias": "champion", "version": "7"},
        "workspace": "default",
    }


def test_own_kind_is_told_with_the_whole_event():
    """Under its own kind an event is told as the ledger has it, so that a receiver can check the chain."""
    message = list_messages(event("decision.candidate_refused", 5, "endpoint:delay", words="worse"))[-1]
    body = json.loads(encode_body(message))

    assert (body["entity"], body["action"]) == ("decision", "candidate_refused")
    assert body["data"] == {
        "event_id": f"{5:032x}",
        "position": 5,
        "project_id": "default",
        "principal": "ann",
        "kind": "decision.candidate_refused",
        "subject": "endpoint:delay",
        "event_time": "2013-04-01T12:30:00Z",
        "received_at": "2013-04-01T12:30:00Z",
        "data": {"words": "worse"},
        "previous_hash": "0" * 64,
        "hash": "1" * 64,
    }


def events_behind(events: tuple[Event, ...], cursor: Cursor) -> list[Event]:
    return [each for each in events if each.position > cursor.position]


@pytest.mark.parametrize(
    ("subscribed", "names"),
    [
        (("model.registered",), ["model.registered"]),
        (("model.*",), ["model.registered", "model.promoted"]),
        (("model_version.created",), ["model_version.created"]),
        (
            ("model_version.created", "model.registered"),
            ["model_version.created", "model.registered"],
        ),
        (("model_version.*",), []),
        (("run.*",), ["run.finished"]),
        (("decision.*",), []),
        (
            ("model_version_alias.created", "model.promoted"),
            ["model_version_alias.created", "model.promoted"],
        ),
    ],
)
def test_only_what_is_subscribed_is_found(subscribed, names):
    """Messages come one by one in their order, from wherever one stands."""
    events = (
        event("model.registered", 3, version=1),
        event("run.finished", 5, "run:1"),
        event("model.promoted", 8, **MOVE),
    )
    cursor, found = Cursor(0), []
    while hit := find_message(
        [each for each in events if each.position > cursor.position], cursor, subscribed
    ):
        message, _, cursor = hit
        found.append(message.name)

    assert found == names


def test_place_between_two_messages_of_an_event_is_kept():
    """Of an event that is told twice, the second message follows though the first has been dealt with."""
    events = (event("gate.passed", 2), event("model.registered", 3, version=1))
    subscribed = ("model_version.created", "model.registered")

    first = find_message(events, Cursor(0), subscribed)
    assert first is not None
    assert first[2] == Cursor(2, 1)
    second = find_message(events[1:], first[2], subscribed)

    assert second is not None
    assert (second[0].name, second[2]) == ("model.registered", Cursor(3))
    assert find_message([], second[2], subscribed) is None


def test_place_in_one_event_says_nothing_of_the_next():
    """What is dealt with of one event is not skipped of the one behind it."""
    events = (event("model.registered", 3, version=1), event("model.registered", 5, "model:other", version=1))

    found = find_message(events, Cursor(2, 1), ("model_version.created",))

    assert found is not None
    assert (found[0].data["name"], found[2]) == ("other", Cursor(3, 1))


def test_delivery_id_tells_deliveries_apart_and_stays():
    """The id depends on webhook, event and message, and on nothing else."""
    message = sample_message("model.promoted", "default", AT)
    other = sample_message("model.registered", "default", AT)
    ids = [
        Delivery("w1", "e1", message).delivery_id,
        Delivery("w2", "e1", message).delivery_id,
        Delivery("w1", "e2", message).delivery_id,
        Delivery("w1", "e1", other).delivery_id,
    ]

    assert len(set(ids)) == 4
    assert ids[0] == Delivery("w1", "e1", message).delivery_id == "fc5bbaf4-37f1-543e-a4b6-15c74c437ce6"


@pytest.mark.parametrize("name", sorted(MLFLOW_EVENTS))
def test_every_event_of_mlflow_has_a_sample(name):
    """A test message of MLflow's events has their fields."""
    message = sample_message(name, "default", AT)

    assert message.name == name
    assert {"name"} <= set(message.data)


@pytest.mark.parametrize(
    ("name", "told_as"), [("decision.*", "decision.test"), ("run.finished", "run.finished")]
)
def test_own_kinds_have_a_sample(name, told_as):
    """A test message of the ledger's kinds looks like an event at position 0."""
    message = sample_message(name, "default", AT)

    assert message.name == told_as
    assert message.data["position"] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model", "names no event"),
        ("model.", "names no event"),
        ("*", "names no event"),
        ("model.Promoted", "names no event"),
        ("model.*.x", "names no event"),
        ("", "names no event"),
        ("rollout.*", "no event begins with `rollout`; there are alias, artifacts, dataset"),
        ("modell.promoted", "no event begins with `modell`; the nearest is `model`"),
        ("model_version_tag.*", "no event begins with `model_version_tag`; the nearest is `model_version`"),
    ],
)
def test_name_that_would_never_be_told_is_refused(name, words):
    """A subscription with a typo would wait for ever, so it is an error that says what there is."""
    (fault,) = list_subscription_faults((name,))

    assert words in fault
