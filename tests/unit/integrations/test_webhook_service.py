"""What a webhook may be, and what is told of it."""

import logging
from pathlib import Path

import pytest
from receiver_kit import Receiver, Reply, is_signed
from webhook_kit import SECRET, Desk

from paddock.integrations.webhooks import rules
from paddock.kernel.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://[::ffff:169.254.169.254]",
        "https://[::ffff:7f00:1]",
        "https://0x7f.1",
        "https://2130706433",
        "https://0177.0.0.1",
        "file:///etc/passwd",
        "https://other.example/in",
        "https://hooks.example/" + "a" * 2_100,
    ],
)
def test_url_that_may_not_be_sent_to_is_refused(desk: Desk, url: str):
    """Neither a new webhook nor a changed one goes where the settings do not allow (422); none is stored."""
    known = desk.webhooks.create("known", url="https://hooks.example/in", events=("run.*",))

    with pytest.raises(InvalidInput) as made:
        desk.webhooks.create("ci", url=url, events=("run.*",))
    with pytest.raises(InvalidInput):
        desk.webhooks.update("known", url=url)

    assert made.value.http_status == 422
    assert desk.webhooks.list_webhooks() == (known,)


def test_refused_host_names_the_setting(desk: Desk):
    """Who may change the setting is told which one, and what to list."""
    with pytest.raises(InvalidInput) as caught:
        desk.webhooks.create("ci", url="https://other.example/in", events=("run.*",))

    assert caught.value.message == "`webhook_hosts` does not list `other.example`"
    assert caught.value.hint == "list the host in the setting `webhook_hosts`"


def test_all_faults_are_told_together(desk: Desk):
    """One attempt shows everything that is wrong."""
    with pytest.raises(InvalidInput) as caught:
        desk.webhooks.create(
            "-ci-",
            url="https://other.example",
            events=("modle.*", "run.finished"),
            description="x" * 1_001,
            secret="s" * 257,
            status="ON",
        )

    assert len(caught.value.problems) == 6


@pytest.mark.parametrize("name", ["a", "CI.main_2-b", "x" * 63])
def test_names_are_mlflows(desk: Desk, name: str):
    """A name that MLflow takes is taken."""
    assert desk.webhooks.create(name, url="https://hooks.example", events=("run.*",)).name == name


@pytest.mark.parametrize("name", ["", ".a", "a-", "a b", "x" * 64, "ä", "a\n"])
def test_other_names_are_refused(desk: Desk, name: str):
    """What MLflow refuses as a name is refused."""
    with pytest.raises(InvalidInput, match="cannot name a webhook"):
        desk.webhooks.create(name, url="https://hooks.example", events=("run.*",))


def test_same_key_makes_one_webhook(desk: Desk):
    """A repeated request is one webhook; another secret under the key is another request."""
    given = {"url": "https://hooks.example", "events": ("run.*",), "secret": SECRET, "key": "k"}
    first = desk.webhooks.create("ci", **given)

    assert desk.webhooks.create("ci", **given) == first
    with pytest.raises(IdempotencyConflict):
        desk.webhooks.create("ci", **{**given, "secret": "another"})
    assert desk.webhooks.list_webhooks() == (first,)


def test_number_of_webhooks_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """A project has so many webhooks and no more."""
    monkeypatch.setattr(rules, "MOST_WEBHOOKS", 2)
    for name in ("a", "b"):
        desk.webhooks.create(name, url="https://hooks.example", events=("run.*",))

    with pytest.raises(Conflict, match="has 2 webhooks, which is the limit"):
        desk.webhooks.create("c", url="https://hooks.example", events=("run.*",))


def test_what_is_not_there_is_told(desk: Desk):
    """Each call about a webhook that does not exist says so."""
    calls = (desk.webhooks.get, desk.webhooks.delete, desk.webhooks.test, desk.webhooks.update)
    for call in calls:
        with pytest.raises(NotFound, match="project `default` has no webhook `ci`"):
            call("ci")


def test_secret_is_nowhere_to_be_found(desk: Desk, receiver: Receiver, tmp_path: Path, caplog):
    """Neither the store's files nor records, events, messages or the log hold a secret or a URL's path."""
    caplog.set_level(logging.DEBUG)
    receiver.answer_in_turn(500, 500)
    desk.webhooks.create(
        "ci", url=f"{receiver.url}/token-canary-7", events=("run.*",), secret=SECRET, key="k"
    )
    changed = desk.webhooks.update("ci", secret=f"{SECRET}-new")
    desk.happen("run.finished")
    desk.deliver()
    desk.webhooks.test("ci")
    with pytest.raises(InvalidInput) as caught:
        desk.webhooks.update("ci", secret=SECRET * 50, url="https://other.example/token-canary-7")
    desk.close()

    told = repr((changed, desk.webhooks.list_webhooks(), desk.deliverer, caught.value, caplog.records))
    events = repr(desk.metadata.events("default"))
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(receiver.received) == 2
    assert SECRET not in told + events
    assert SECRET.encode() not in files
    assert "token-canary-7" not in events + caught.value.message + caplog.text


def test_changes_are_in_the_ledger(desk: Desk):
    """Who made, changed and removed a webhook can be audited."""
    made = desk.webhooks.create("ci", url="https://hooks.example/token", events=("run.*",))
    desk.webhooks.update("ci", status="DISABLED", secret=SECRET)
    desk.webhooks.delete("ci")

    events = desk.metadata.events("default")
    assert [event.kind for event in events] == ["webhook.created", "webhook.updated", "webhook.deleted"]
    assert {event.subject for event in events} == {f"webhook:{made.webhook_id}"}
    assert events[1].data == {
        "name": "ci",
        "host": "hooks.example",
        "events": ["run.*"],
        "status": "DISABLED",
        "changed": ["status", "secret"],
    }


def test_update_of_nothing_changes_nothing(desk: Desk):
    """Without anything given the webhook is returned as it is, and no event tells of a change."""
    made = desk.webhooks.create("ci", url="https://hooks.example", events=("run.*",))
    desk.wait(1)

    assert desk.webhooks.update("ci") == made
    assert len(desk.metadata.events("default")) == 1


def test_test_shows_what_the_receiver_said(desk: Desk, receiver: Receiver):
    """A signed message goes out at once, also from a disabled webhook, and counts as no delivery."""
    desk.webhooks.create("ci", url=receiver.url, events=("model.promoted",), secret=SECRET, status="DISABLED")
    taken = desk.webhooks.test("ci")
    receiver.answer = lambda _: Reply(418, body=b"no")
    refused = desk.webhooks.test("ci", "model_version.created")

    assert (taken.success, taken.response_status, taken.response_body) == (True, 200, "thanks")
    assert (refused.success, refused.response_status, refused.response_body) == (False, 418, "no")
    assert receiver.names == ["model.promoted", "model_version.created"]
    assert all(is_signed(each, SECRET) for each in receiver.received)
    assert desk.webhooks.get("ci").delivery.last_attempt_at is None


def test_test_without_an_answer_says_why(desk: Desk):
    """A receiver that cannot be reached is an answer of the test, not an error; an unknown event is one."""
    desk.webhooks.create("ci", url="https://hooks.example", events=("run.*",))
    desk.dispatch.box.key_path.unlink(missing_ok=True)
    desk.webhooks.update("ci", secret=SECRET)
    desk.dispatch.box.key_path.write_text("ab" * 32)

    result = desk.webhooks.test("ci")

    assert (result.success, result.response_status) == (False, 0)
    assert "is not the key it was sealed with" in result.error_message
    with pytest.raises(InvalidInput, match="no event begins with `modle`"):
        desk.webhooks.test("ci", "modle.promoted")
