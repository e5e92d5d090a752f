"""Deliveries: in order, at least once, under one id, and none in the way of another."""

from dataclasses import replace
from datetime import timedelta

import pytest
from receiver_kit import Received, Receiver, Reply, is_signed, running_receiver
from webhook_kit import SECRET, START, Desk

from paddock.integrations import Dispatch
from paddock.integrations.webhooks.outbound import parse_hosts
from paddock.integrations.webhooks.records import Attempt, Cursor, Target
from paddock.integrations.webhooks.rules import plan_after, wait_after
from paddock.integrations.webhooks.sending import Sender
from paddock.integrations.webhooks.service import LEASE_S
from paddock.kernel.errors import PaddockError


def test_receiver_of_mlflow_verifies_a_delivery(desk: Desk, receiver: Receiver):
    """A promotion reaches a receiver written for MLflow, signed with the webhook's secret at this time."""
    desk.webhooks.create("ci", url=receiver.url, events=("model_version_alias.created",), secret=SECRET)
    desk.happen("model.promoted", alias="champion", to_version=7)

    desk.deliver()

    (request,) = receiver.received
    assert is_signed(request, SECRET)
    assert not is_signed(replace(request, body=request.body + b" "), SECRET)
    assert not is_signed(request, "another")
    assert request.data == {"name": "delay", "alias": "champion", "version": "7"}
    assert request.headers["X-MLflow-Timestamp"] == str(int(START.timestamp()))


class Killed(BaseException):
    """The end of a process."""


class Dying(Sender):
    """Sends, and its process ends before it can note that."""

    def post(self, url, headers, body):
        super().post(url, headers, body)
        raise Killed


def test_death_between_delivery_and_its_record_repeats_the_id(desk: Desk, receiver: Receiver):
    """Another process sends again what one had sent before it died: same id, same body, one effect."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",), secret=SECRET)
    desk.happen("run.started")
    desk.happen("run.finished")
    dying = Dispatch(Dying(desk.dispatch.sender.outbound), desk.dispatch.box, 3)
    first = desk.start(dying)
    first.look()
    first.settle()
    sent = list(receiver.received)

    desk.deliver()
    assert receiver.received == sent, "the dead process has the lease"
    desk.wait(LEASE_S)
    desk.deliver()

    assert receiver.names == ["run.started", "run.started", "run.finished"]
    assert receiver.received[0].delivery_id == receiver.received[1].delivery_id
    assert receiver.received[0].body == receiver.received[1].body
    assert receiver.effects == ["run.started", "run.finished"]


def test_dead_receiver_holds_up_nobody_else(desk: Desk, receiver: Receiver):
    """A webhook whose receiver refuses everything waits by itself; the others are served."""
    with running_receiver() as dead:
        dead.answer = lambda _: Reply(503)
        hosts = parse_hosts(f"{receiver.place},{dead.place}")
        both = Dispatch(Sender(hosts), desk.dispatch.box, 3)
        webhooks = replace(desk.webhooks, dispatch=both)
        webhooks.create("dead", url=dead.url, events=("run.*",))
        webhooks.create("alive", url=receiver.url, events=("run.*",))
        for number in range(3):
            desk.happen("run.finished", f"run:{number}")
        deliverer = desk.start(both)
        deliverer.look()
        deliverer.settle()

    assert len(receiver.received) == 3
    assert len(dead.received) == 1
    assert desk.webhooks.get("dead").delivery.failed_count == 1


def test_delivery_is_given_up_after_so_many_attempts(desk: Desk, receiver: Receiver, caplog):
    """A message that is refused again and again is left aside in the end, and what is behind it goes on."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",))
    receiver.answer_in_turn(500, 404, 410)
    desk.happen("run.started")
    desk.happen("run.finished")

    for _ in range(3):
        desk.deliver()
        desk.wait(60)
    desk.deliver()

    state = desk.webhooks.get("ci").delivery
    assert receiver.names == ["run.started"] * 3 + ["run.finished"]
    assert (state.given_up_count, state.delivered_count, state.failed_count) == (1, 1, 0)
    (record,) = [each for each in caplog.records if each.message == "webhook.gave_up"]
    assert (record.event, record.reason) == ("run.started", "answered 410")


def test_disabled_webhook_is_told_nothing(desk: Desk, receiver: Receiver):
    """What happens while it is disabled is not told later; what happens from then on is."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",), status="DISABLED")
    desk.happen("run.started")
    desk.deliver()
    desk.webhooks.update("ci", status="ACTIVE")
    desk.deliver()
    desk.happen("run.finished")
    desk.deliver()

    assert receiver.names == ["run.finished"]


def test_changed_webhook_is_tried_at_once(desk: Desk, receiver: Receiver):
    """Who has mended the URL need not wait for the next attempt."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",))
    receiver.answer_in_turn(500)
    desk.happen("run.finished")
    desk.deliver()

    changed = desk.webhooks.update("ci", url=f"{receiver.url}/mended")
    desk.deliver()

    assert (changed.delivery.failed_count, changed.delivery.next_attempt_at) == (0, None)
    assert [each.path for each in receiver.received] == ["/in", "/in/mended"]


@pytest.mark.parametrize("change", ["update", "delete"])
def test_change_during_a_delivery_ends_its_lease(desk: Desk, receiver: Receiver, change: str):
    """What is changed while a request is under way counts from the next one on; nothing is overwritten."""
    made = desk.webhooks.create("ci", url=receiver.url, events=("run.*",))

    def meddle(_: Received) -> Reply:
        if len(receiver.received) == 1:
            if change == "delete":
                desk.webhooks.delete("ci")
            else:
                desk.webhooks.update("ci", url=f"{receiver.url}/new")
        return Reply()

    receiver.answer = meddle
    desk.happen("run.started")
    desk.happen("run.finished")
    desk.deliver()
    desk.deliver()

    if change == "delete":
        assert receiver.names == ["run.started"]
        assert desk.webhooks.list_webhooks() == ()
    else:
        assert [each.path for each in receiver.received] == ["/in", "/in/new", "/in/new"]
        assert receiver.effects == ["run.started", "run.finished"]
        assert desk.webhooks.get("ci").webhook_id == made.webhook_id


def test_closed_secret_is_not_sent_around(desk: Desk, receiver: Receiver):
    """Without its key a webhook with a secret sends nothing unsigned: it waits, and says what is missing."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",), secret=SECRET)
    desk.dispatch.box.key_path.rename(desk.dispatch.box.key_path.with_suffix(".away"))
    desk.happen("run.finished")
    desk.deliver()

    state = desk.webhooks.get("ci").delivery
    assert receiver.received == []
    assert "`webhook.key` is missing" in state.last_words
    desk.dispatch.box.key_path.with_suffix(".away").rename(desk.dispatch.box.key_path)
    desk.wait(5)
    desk.deliver()
    assert is_signed(receiver.received[0], SECRET)


def test_quiet_stretches_of_the_ledger_are_looked_through_once(desk: Desk, receiver: Receiver):
    """Events that nobody wants are remembered as seen, in the store after a hundred of them."""
    desk.webhooks.create("ci", url=receiver.url, events=("monitor.*",))
    for _ in range(40):
        desk.happen("run.finished")
    desk.deliver()
    few = desk.webhooks.get("ci").delivery.position
    for _ in range(2_100):
        desk.happen("run.finished")
    desk.happen("monitor.alarm", "monitor:delay")
    for _ in range(2):
        desk.deliver()

    assert few == 0
    assert receiver.names == ["monitor.alarm"]
    assert desk.webhooks.get("ci").delivery.position == 1 + 40 + 2_100 + 1


def test_fault_of_ours_is_told_and_tried_again(desk: Desk, receiver: Receiver, caplog):
    """A store that is away, or a fault in the code, ends one look at one webhook; each is told once."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",))
    desk.happen("run.finished")

    class Faulty(Sender):
        def post(self, url, headers, body):
            raise errors.pop()

    away = PaddockError("the store is away")
    errors = [away, away, RuntimeError("a fault")]
    faulty = desk.start(Dispatch(Faulty(desk.dispatch.sender.outbound), desk.dispatch.box, 3))
    for _ in range(3):
        faulty.look()
        faulty.settle()
        desk.wait(LEASE_S)
    desk.deliver()

    assert [record.message for record in caplog.records] == ["webhook.crashed", "webhook.waits"]
    assert receiver.names == ["run.finished"]


def test_closing_ends_after_the_request_under_way(desk: Desk, receiver: Receiver):
    """A server that stops finishes what it sends, notes it, and begins nothing new."""
    desk.webhooks.create("ci", url=receiver.url, events=("run.*",))
    desk.happen("run.started")
    desk.happen("run.finished")
    receiver.answer = lambda _: (desk.deliverer._stopping.set(), Reply())[1]
    desk.deliverer.look()
    receiver.wait_for(1)
    desk.deliverer.close()

    assert receiver.names == ["run.started"]
    assert desk.webhooks.get("ci").delivery.delivered_count == 1


TARGET = Target("w1", "default", "https://hooks.example", ("run.*",), Cursor(4), 0, b"")


def test_plan_goes_on_or_waits():
    """What was taken is behind; what was not is tried again later and later, then left aside."""
    behind = Cursor(9)

    taken = plan_after(TARGET, behind, Attempt(204, ""), START, 3)
    failed = plan_after(TARGET, behind, Attempt(0, ""), START, 3)
    last = plan_after(replace(TARGET, failed_count=2), behind, Attempt(302, ""), START, 3)

    assert (taken.cursor, taken.failed_count, taken.retry_at) == (behind, 0, None)
    assert (failed.cursor, failed.failed_count, failed.retry_at) == (
        Cursor(4),
        1,
        START + timedelta(seconds=5),
    )
    assert (last.cursor, last.failed_count, last.is_given_up) == (behind, 0, True)


def test_twelve_attempts_take_hours():
    """By default a receiver may be away for more than two hours and loses nothing."""
    assert timedelta(hours=2) < sum((wait_after(count) for count in range(1, 12)), timedelta())
