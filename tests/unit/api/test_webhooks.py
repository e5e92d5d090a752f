"""The routes of webhooks on a store of their own, without HTTP."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from receiver_kit import Receiver, is_signed, running_receiver

from paddock.api import webhooks
from paddock.app import App, open_app
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.settings import resolve_settings
from paddock.wire import Answer, Call, Permission, decode_json
from paddock.wire.structs import Resource

CI = {"name": "ci", "url": "https://hooks.example/in", "events": ["model.promoted"], "secret": "canary-9"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def app(tmp_path: Path, receiver: Receiver) -> Iterator[App]:
    hosts = f"hooks.example,{receiver.place}"
    settings = resolve_settings({"store": str(tmp_path / "store"), "webhook_hosts": hosts}, {}, {})
    with closing(open_app(settings)) as opened:
        yield opened


def ask(app: App, route: str, body: object = None, key: str = "", **query: str) -> Resource:
    """Call a route as the server does; `webhook=` fills the path."""
    path = {"webhook": query.pop("webhook")} if "webhook" in query else {}
    spec = next(each for each in webhooks.routes(app) if f"{each.method} {each.path}" == route)
    decoded = decode_json(json.dumps(body).encode(), spec.request) if spec.request else None
    answer = spec.handler(Call(path, query, app.actor, "r1", key=key, body=decoded))
    assert isinstance(answer, Answer)
    assert answer.status == spec.status
    assert b"canary-9" not in answer.body
    return msgspec.json.decode(answer.body, type=spec.response)


LIST, ONE = "/api/v1/webhooks", "/api/v1/webhooks/{webhook}"


def test_whole_life_of_a_webhook(app: App):
    """Made, read, listed, changed and removed; its secret is in no answer."""
    made = ask(app, f"POST {LIST}", CI, key="k")
    assert ask(app, f"POST {LIST}", CI, key="k") == made
    changed = ask(app, f"PATCH {ONE}", {"status": "DISABLED"}, webhook="ci")

    assert ask(app, f"GET {ONE}", webhook=made.webhook_id) == changed
    assert ask(app, f"GET {LIST}").webhooks == (changed,)
    assert (made.has_secret, made.status, changed.status) == (True, "ACTIVE", "DISABLED")
    assert ask(app, f"DELETE {ONE}", webhook="ci") == changed
    with pytest.raises(NotFound):
        ask(app, f"GET {ONE}", webhook="ci")


def test_list_is_paged(app: App):
    """The newest first, in pages that fit together."""
    for name in ("a", "b", "c"):
        ask(app, f"POST {LIST}", {**CI, "name": name})

    first = ask(app, f"GET {LIST}", limit="2")
    second = ask(app, f"GET {LIST}", limit="2", cursor=first.next_cursor)

    assert [each.name for each in (*first.webhooks, *second.webhooks)] == ["c", "b", "a"]
    assert second.next_cursor == ""


def test_test_sends_and_answers(app: App, receiver: Receiver):
    """The receiver gets a signed message, and its answer is the answer."""
    ask(app, f"POST {LIST}", {**CI, "url": receiver.url})
    result = ask(app, f"POST {ONE}/test", {}, webhook="ci")

    assert (result.success, result.response_status, result.response_body) == (True, 200, "thanks")
    assert is_signed(receiver.received[0], "canary-9")


@pytest.mark.parametrize(
    "body",
    [
        {**CI, "url": "http://127.0.0.1"},
        {**CI, "events": []},
        {**CI, "webhook_id": "mine"},
        {**CI, "delivery": {"position": 0}},
        {**CI, "status": "active"},
        {**CI, "secret": "s" * 300},
        {"name": "ci"},
    ],
)
def test_bad_request_is_refused(app: App, body: object):
    """What the server owns cannot be set, and what may not be sent to is refused (422)."""
    with pytest.raises(InvalidInput) as caught:
        ask(app, f"POST {LIST}", body)

    assert caught.value.http_status == 422
    assert ask(app, f"GET {LIST}").webhooks == ()


def test_every_route_needs_the_administrator(app: App):
    """A URL often is a secret and a webhook sends data away, so reading needs the permission too."""
    assert {each.permission for each in webhooks.routes(app)} == {Permission.ADMIN}
