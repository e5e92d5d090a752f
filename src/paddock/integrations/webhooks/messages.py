"""From an event of the ledger to what receivers are told of it.

Each event may be told twice: under its own kind (`model.promoted`), and under the names that receivers
written for MLflow know (`model_version_alias.created`). Which kind stands for which of MLflow's events is
said in one table here and nowhere else.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from paddock.integrations.webhooks.records import Cursor, Message
from paddock.kernel.ids import EventId
from paddock.kernel.names import nearest
from paddock.kernel.refs import ProjectId
from paddock.metadata import Event, Json

# the first words of the kinds that rooms write into the ledger
NOUNS = (
    "alias",
    "artifacts",
    "dataset",
    "decision",
    "endpoint",
    "experiment",
    "gate",
    "logged_model",
    "model",
    "model_version",
    "monitor",
    "pipeline",
    "run",
    "webhook",
)

Data = Mapping[str, Json]
# what is told of an event under one of MLflow's names; None: nothing
Payload = Callable[[Event], Data | None]
_PROMPT_TEXT = "mlflow.prompt.text"
_PROMPT_MARKS = ("mlflow.prompt.is_prompt", "_mlflow_prompt_type")
_KIND = re.compile(r"[a-z][a-z_]*(?:\.[a-z][a-z_]*)*(?:\.\*)?")


def list_subscription_faults(names: Sequence[str]) -> list[str]:
    """Return what is wrong with the names of a subscription.

    Each is an event of MLflow, a kind of the ledger, or the beginning of kinds and `.*`.

    >>> list_subscription_faults(["model_version.created", "model.promoted", "decision.*"])
    []
    >>> list_subscription_faults(["modle.promoted"])
    ['no event begins with `modle`; the nearest is `model`']
    """
    faults = []
    for name in names:
        noun, dot, _ = name.partition(".")
        if name in MLFLOW_EVENTS or (dot and noun in NOUNS and _KIND.fullmatch(name)):
            continue
        if noun in NOUNS or not _KIND.fullmatch(name):
            faults.append(
                f"`{name[:80]}` names no event; write `model.promoted`, or `model.*` for all of them"
            )
        else:
            match = nearest(noun[:64], NOUNS)
            known = f"the nearest is `{match}`" if match else f"there are {', '.join(NOUNS)}"
            faults.append(f"no event begins with `{noun[:80]}`; {known}")
    return faults


def find_message(
    events: Sequence[Event], cursor: Cursor, subscribed: Sequence[str]
) -> tuple[Message, Event, Cursor] | None:
    """Return the first subscribed message of `events`, its event, and the place behind it; or None.

    events: of one project in their order, all behind `cursor.position`.
    """
    before, done = cursor.position, cursor.part
    for event in events:
        messages = list_messages(event)
        for part, message in enumerate(messages[done:], done + 1):
            if _is_subscribed(message, event.kind, subscribed):
                behind = Cursor(event.position) if part == len(messages) else Cursor(before, part)
                return message, event, behind
        before, done = event.position, 0
    return None


def list_messages(event: Event) -> tuple[Message, ...]:
    """Return everything that can be told of an event: MLflow's events first, then its own kind."""
    told = [(name, payload(event)) for name, payload in _MLFLOW_PAYLOADS.get(event.kind, ())]
    mlflow = [_message(name, event, data) for name, data in told if data]
    return (*mlflow, _message(event.kind, event, msgspec.to_builtins(event)))


def sample_message(name: str, project_id: str, at: datetime) -> Message:
    """Return a message of that name for a test; it tells of a `sample` that does not exist.

    >>> from datetime import UTC
    >>> sample_message("model_version_tag.set", "default", datetime(2013, 4, 1, tzinfo=UTC)).data["value"]
    'sample'
    """
    kind = f"{name[:-1]}test" if name.endswith(".*") else name
    subject = f"{kind.partition('.')[0]}:sample"
    event = Event(EventId("0" * 32), 0, ProjectId(project_id), "sample", kind, subject, at, at, {}, "", "")
    if name in MLFLOW_EVENTS:
        return _message(name, event, {field: _SAMPLES[field] for field in _FIELDS[name]})
    return list_messages(event)[-1]


def encode_body(message: Message) -> bytes:
    """Return a message as JSON in the form of MLflow's webhooks."""
    body = {
        "entity": message.entity,
        "action": message.action,
        "timestamp": message.at.isoformat(),
        "data": message.data,
        "workspace": message.project_id,
    }
    return msgspec.json.encode(body)


def _message(name: str, event: Event, data: Mapping[str, object]) -> Message:
    entity, _, action = name.partition(".")
    return Message(entity, action, event.event_time, event.project_id, data)


def _is_subscribed(message: Message, kind: str, subscribed: Sequence[str]) -> bool:
    """Tell whether it was asked for by its name, or, being an event's own kind, by how that begins."""
    if message.name in subscribed:
        return True
    return message.name == kind and any(
        name.endswith(".*") and kind.startswith(name[:-1]) for name in subscribed
    )


def _model(event: Event) -> str:
    return event.subject.removeprefix("model:")


def _text(event: Event, field: str) -> str:
    """Return a field of the event as text; empty where it is missing, so that no event stops a delivery."""
    value = event.data.get(field)
    return "" if value is None else str(value)


def _described(event: Event) -> Data:
    return {"tags": event.data.get("tags") or {}, "description": event.data.get("description")}


def _unless_prompt(tell: Payload) -> Payload:
    return lambda event: None if event.data.get("is_prompt") else tell(event)


def _if_prompt(tell: Payload) -> Payload:
    return lambda event: tell(event) if event.data.get("is_prompt") else None


def _created_model(event: Event) -> Data:
    return {"name": _model(event), **_described(event)}


def _created_prompt(event: Event) -> Data:
    return {"name": _model(event), **_described(event), "tags": _without_marks(event)}


def _created_prompt_version(event: Event) -> Data:
    tags = _without_marks(event)
    template = tags.pop(_PROMPT_TEXT, None)
    named = {"name": _model(event), "version": _text(event, "version"), "template": template}
    return {**named, **_described(event), "tags": tags}


def _without_marks(event: Event) -> dict[str, Json]:
    """Return the tags without those by which MLflow knows a prompt."""
    tags = event.data.get("tags")
    if not isinstance(tags, Mapping):
        return {}
    return {key: value for key, value in tags.items() if key not in _PROMPT_MARKS}


def _created_version(event: Event) -> Data:
    name, version = _model(event), _text(event, "version")
    source = _text(event, "source") or f"models:/{name}/{version}"
    run_id = _text(event, "run_id") or None
    return {"name": name, "version": version, "source": source, "run_id": run_id, **_described(event)}


def _set_tag(event: Event) -> Data:
    return {**_deleted_tag(event), "value": _text(event, "value")}


def _deleted_tag(event: Event) -> Data:
    return {"name": _model(event), "version": _text(event, "version"), "key": _text(event, "key")}


def _set_prompt_tag(event: Event) -> Data:
    return {**_deleted_prompt_tag(event), "value": _text(event, "value")}


def _deleted_prompt_tag(event: Event) -> Data:
    return {"name": _model(event), "key": _text(event, "key")}


def _moved_alias(event: Event) -> Data | None:
    number = event.data.get("to_version")
    return {**_deleted_alias(event), "version": str(number)} if number else None


def _cleared_alias(event: Event) -> Data | None:
    return None if event.data.get("to_version") else _deleted_alias(event)


def _set_alias(event: Event) -> Data:
    return {**_deleted_alias(event), "version": _text(event, "version")}


def _deleted_alias(event: Event) -> Data:
    return {"name": _model(event), "alias": _text(event, "alias")}


# kind of the ledger -> MLflow's events in the order in which they are told, if there is a payload
_MLFLOW_PAYLOADS: Mapping[str, tuple[tuple[str, Payload], ...]] = {
    "model.created": (
        ("registered_model.created", _unless_prompt(_created_model)),
        ("prompt.created", _if_prompt(_created_prompt)),
    ),
    "model.registered": (
        ("model_version.created", _unless_prompt(_created_version)),
        ("prompt_version.created", _if_prompt(_created_prompt_version)),
    ),
    "model.tag_set": (("prompt_tag.set", _if_prompt(_set_prompt_tag)),),
    "model.tag_deleted": (("prompt_tag.deleted", _if_prompt(_deleted_prompt_tag)),),
    "model.promoted": (("model_version_alias.created", _moved_alias),),
    "model.rolled_back": (("model_version_alias.created", _moved_alias),),
    "alias.moved": (
        ("model_version_alias.created", _moved_alias),
        ("model_version_alias.deleted", _cleared_alias),
    ),
    "model.alias_set": (
        ("model_version_alias.created", _unless_prompt(_set_alias)),
        ("prompt_alias.created", _if_prompt(_set_alias)),
    ),
    "model.alias_deleted": (
        ("model_version_alias.deleted", _unless_prompt(_deleted_alias)),
        ("prompt_alias.deleted", _if_prompt(_deleted_alias)),
    ),
    "model_version.tag_set": (
        ("model_version_tag.set", _unless_prompt(_set_tag)),
        ("prompt_version_tag.set", _if_prompt(_set_tag)),
    ),
    "model_version.tag_deleted": (
        ("model_version_tag.deleted", _unless_prompt(_deleted_tag)),
        ("prompt_version_tag.deleted", _if_prompt(_deleted_tag)),
    ),
}

_SAMPLES: Mapping[str, Json] = {
    "name": "sample",
    "version": "1",
    "source": "models:/sample/1",
    "run_id": "0" * 32,
    "alias": "sample",
    "key": "sample",
    "value": "sample",
    "template": "sample",
    "tags": {"sample": "sample"},
    "description": "sample",
}
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "registered_model.created": ("name", "tags", "description"),
    "model_version.created": ("name", "version", "source", "run_id", "tags", "description"),
    "model_version_tag.set": ("name", "version", "key", "value"),
    "model_version_tag.deleted": ("name", "version", "key"),
    "model_version_alias.created": ("name", "alias", "version"),
    "model_version_alias.deleted": ("name", "alias"),
    "prompt.created": ("name", "tags", "description"),
    "prompt_version.created": ("name", "version", "template", "tags", "description"),
    "prompt_tag.set": ("name", "key", "value"),
    "prompt_tag.deleted": ("name", "key"),
    "prompt_version_tag.set": ("name", "version", "key", "value"),
    "prompt_version_tag.deleted": ("name", "version", "key"),
    "prompt_alias.created": ("name", "alias", "version"),
    "prompt_alias.deleted": ("name", "alias"),
}
MLFLOW_EVENTS = frozenset(_FIELDS)
