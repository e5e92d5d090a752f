"""A store with webhooks whose clock a test moves, and a deliverer that works when it is told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receiver_kit import Receiver, running_receiver

from paddock.integrations import Dispatch, Webhook, Webhooks
from paddock.integrations.webhooks.delivery import Deliverer
from paddock.integrations.webhooks.outbound import parse_hosts
from paddock.integrations.webhooks.sealing import SecretBox
from paddock.integrations.webhooks.sending import Sender
from paddock.integrations.webhooks.service import LEASE_S, Outbox
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Conflict
from paddock.kernel.refs import DEFAULT_PROJECT, Actor, ProjectId
from paddock.metadata import Json, Metadata, NewEvent, open_metadata

START = datetime(2013, 4, 1, tzinfo=UTC)
ANN = Actor(DEFAULT_PROJECT, "ann")
SECRET = "whsec-canary-1f0c"


class Desk:
    """One process at work on a store. hosts: the setting `webhook_hosts`."""

    def __init__(self, metadata: Metadata, folder: Path, hosts: str, most_attempts: int = 3) -> None:
        self.metadata = metadata
        self.clock = SimulatedClock(START)
        box = SecretBox(folder / "webhook.key")
        self.dispatch = Dispatch(Sender(parse_hosts(hosts)), box, most_attempts)
        self.webhooks = Webhooks(metadata, self.clock, ANN, self.dispatch)
        self._deliverers: list[Deliverer] = []
        self.deliverer = self.start()

    def start(self, dispatch: Dispatch | None = None) -> Deliverer:
        """Return a deliverer as another process would have it."""
        outbox = Outbox(self.metadata, self.clock, f"process-{len(self._deliverers)}")
        self._deliverers.append(Deliverer(outbox, dispatch or self.dispatch))
        return self._deliverers[-1]

    def acting_in(self, project: str) -> Webhooks:
        return replace(self.webhooks, actor=Actor(ProjectId(project), "bob"))

    def happen(self, kind: str, subject: str = "model:delay", project: str = "default", **data: Json) -> None:
        """Append an event to the ledger."""
        event = NewEvent(ProjectId(project), "ann", kind, subject, self.clock.now(), data)
        self.metadata.write(lambda tx: tx.append_event(event))

    def deliver(self) -> None:
        """Deliver everything that is due."""
        self.deliverer.look()
        self.deliverer.settle()

    def wait(self, seconds: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))

    def close(self) -> None:
        for deliverer in self._deliverers:
            deliverer.close()


@contextmanager
def open_desk(url: str, folder: Path, receiver: Receiver, **options: int) -> Iterator[Desk]:
    metadata = open_metadata(url, clock=SimulatedClock(START))
    desk = Desk(metadata, folder, f"hooks.example,{receiver.place}", **options)
    try:
        yield desk
    finally:
        desk.close()
        metadata.close()


class WebhookConformance:
    """What webhooks promise on every metadata store. Give it a fixture `metadata_url`."""

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with running_receiver() as receiver:
            yield receiver

    @pytest.fixture
    def desk(self, metadata_url: str, tmp_path: Path, receiver: Receiver) -> Iterator[Desk]:
        with open_desk(metadata_url, tmp_path, receiver) as desk:
            yield desk

    @pytest.fixture
    def add(self, desk: Desk, receiver: Receiver) -> Callable[..., Webhook]:
        def add(*events: str, name: str = "ci", **given: str) -> Webhook:
            return desk.webhooks.create(name, url=receiver.url, events=events, **given)

        return add

    def test_every_field_is_read_back(self, desk: Desk, receiver: Receiver) -> None:
        """A webhook comes out of the store as it went in, its secret apart."""
        made = desk.webhooks.create(
            "ci.main",
            url=f"{receiver.url}?token=%C3%BC",
            events=("model.promoted", "run.*", "model.promoted"),
            description="“späne”",
            secret=SECRET,
            status="DISABLED",
        )

        assert desk.webhooks.get(made.webhook_id) == desk.webhooks.get("ci.main") == made
        assert desk.webhooks.list_webhooks() == (made,)
        assert (made.events, made.has_secret, made.status) == (("model.promoted", "run.*"), True, "DISABLED")
        assert (made.created_at, made.principal, made.delivery.position) == (START, "ann", 0)

    def test_update_and_delete_are_kept(self, desk: Desk, add: Callable[..., Webhook]) -> None:
        """What is given is changed and nothing else; a deleted webhook is gone."""
        made = add("run.*", secret=SECRET)
        desk.wait(1)

        changed = desk.webhooks.update("ci", description="for builds", secret="")

        assert (changed.description, changed.has_secret, changed.events) == ("for builds", False, ("run.*",))
        assert changed.updated_at > changed.created_at == made.created_at
        assert desk.webhooks.get("ci") == changed
        desk.webhooks.delete("ci")
        assert desk.webhooks.list_webhooks() == ()

    def test_deliveries_go_out_in_order_and_once(
        self, desk: Desk, receiver: Receiver, add: Callable[..., Webhook]
    ) -> None:
        """What happened after a webhook was made is told in the order of the ledger, and not again."""
        desk.happen("run.started", "run:before")
        add("run.*")
        for number in range(120):
            desk.happen("run.finished", f"run:{number}")
            desk.happen("gate.passed")

        for _ in range(4):
            desk.deliver()

        assert [each.data["subject"] for each in receiver.received] == [f"run:{n}" for n in range(120)]
        state = desk.webhooks.get("ci").delivery
        assert (state.delivered_count, state.last_status, state.last_words) == (120, 200, "answered 200")

    def test_failed_delivery_is_sent_again_under_the_same_id(
        self, desk: Desk, receiver: Receiver, add: Callable[..., Webhook]
    ) -> None:
        """After a 500 it waits, holding up what is behind it; then it is one effect in its place."""
        add("run.*")
        receiver.answer_in_turn(500)
        desk.happen("run.started")
        desk.happen("run.finished")

        desk.deliver()
        waiting = desk.webhooks.get("ci").delivery
        desk.deliver()
        desk.wait(5)
        desk.deliver()

        assert (waiting.failed_count, waiting.last_status, waiting.last_words) == (1, 500, "answered 500")
        assert waiting.next_attempt_at == START + timedelta(seconds=5)
        assert receiver.names == ["run.started", "run.started", "run.finished"]
        assert receiver.effects == ["run.started", "run.finished"]
        done = desk.webhooks.get("ci").delivery
        assert (done.failed_count, done.next_attempt_at, done.delivered_count) == (0, None, 2)

    def test_one_process_at_a_time_delivers(
        self, desk: Desk, receiver: Receiver, add: Callable[..., Webhook]
    ) -> None:
        """While one process has the lease another one gets none, until the time of a lease is over."""
        made = add("run.*")
        first = Outbox(desk.metadata, desk.clock, "first")
        second = Outbox(desk.metadata, desk.clock, "second")

        assert first.take(made.webhook_id) is not None
        assert second.take(made.webhook_id) is None
        assert second.list_due() == ()
        desk.wait(LEASE_S)
        assert second.take(made.webhook_id) is not None
        assert first.take(made.webhook_id) is None

    def test_projects_are_apart(self, desk: Desk, receiver: Receiver, add: Callable[..., Webhook]) -> None:
        """A webhook is seen in its project only and told of that project only; one deliverer serves all."""
        add("run.*")
        other = desk.acting_in("other")
        other.create("ci", url=receiver.url, events=("run.*",))
        desk.happen("run.started", "run:ours")
        desk.happen("run.started", "run:theirs", project="other")

        desk.deliver()

        told = {each.data["project_id"]: each.data["subject"] for each in receiver.received}
        assert told == {"default": "run:ours", "other": "run:theirs"}
        assert len(other.list_webhooks()) == len(desk.webhooks.list_webhooks()) == 1

    def test_name_of_several_is_no_ref(self, desk: Desk, add: Callable[..., Webhook]) -> None:
        """Names may repeat, as in MLflow; then only the id says which one is meant."""
        first, second = add("run.*"), add("gate.*")

        with pytest.raises(Conflict, match="several webhooks have the name `ci`"):
            desk.webhooks.get("ci")

        assert desk.webhooks.get(first.webhook_id) == first
        assert desk.webhooks.get(second.webhook_id) == second
