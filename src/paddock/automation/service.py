"""Rollouts and decisions: kept in one transaction each, read by pages, API and the loop."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from paddock.automation import sql
from paddock.automation.records import Decision, DecisionKind, Phase, Rollout, Words
from paddock.automation.words import say_withdrawn
from paddock.kernel.clock import Clock
from paddock.kernel.errors import Conflict, InvalidInput, NotFound
from paddock.kernel.ids import RolloutId, new_id
from paddock.kernel.refs import Actor
from paddock.metadata import Event, Metadata, NewEvent, Transaction, once_for

_KIND = "decision."


@dataclass(frozen=True, slots=True)
class Automation:
    """The rollouts of one project. At most one is open for each endpoint."""

    metadata: Metadata
    clock: Clock
    actor: Actor

    def open_rollout(self, draft: Rollout, kind: DecisionKind, words: Words, *, key: str = "") -> Rollout:
        """Start `draft` under a new id. Event `decision.*`.

        Raises Conflict when the endpoint has an open one, or the candidate is champion already.
        """

        def change(tx: Transaction) -> Rollout:
            other = sql.find_open(tx, self.actor.project_id, rollout.endpoint)
            if other is not None:
                raise Conflict(
                    f"endpoint `{rollout.endpoint}` has a rollout in progress: version {other.candidate} "
                    f"is in phase `{other.phase}`",
                    hint=f"paddock rollout show {rollout.endpoint}",
                )
            if rollout.candidate and rollout.candidate == rollout.champion:
                raise Conflict(f"`{rollout.model}@{rollout.candidate}` is champion already")
            sql.insert_rollout(tx, self.actor, rollout)
            tx.append_event(self._event(rollout, kind, words, now))
            return rollout

        now = self.clock.now()
        rollout = msgspec.structs.replace(
            draft, rollout_id=RolloutId(new_id()), started_at=now, phase_started_at=now
        )
        request = ("open_rollout", draft.endpoint, draft.origin, draft.candidate)
        return self.metadata.write(change, once=once_for(self.actor, key, request, Rollout))

    def move(
        self,
        rollout: Rollout,
        phase: Phase,
        *,
        step: int = 0,
        candidate: int = 0,
        gated: int = 0,
        kind: DecisionKind | None = None,
        words: Words | None = None,
    ) -> Rollout:
        """Bring a rollout into its next phase, and tell of it when `kind` is given.

        candidate, gated: 0 keeps them. Conflict when another loop has moved it meanwhile.
        """

        def change(tx: Transaction) -> Rollout:
            self._replace(tx, rollout, moved)
            if kind is not None and words is not None:
                tx.append_event(self._event(moved, kind, words, now))
            return moved

        now = self.clock.now()
        moved = msgspec.structs.replace(
            rollout,
            phase=phase,
            step=step,
            candidate=candidate or rollout.candidate,
            gated=gated or rollout.gated,
            phase_started_at=now,
        )
        return self.metadata.write(change)

    def withdraw(self, endpoint: str, *, reason: str, key: str = "") -> Rollout:
        """End the endpoint's open rollout because a person says so, and return it as it ended.

        A candidate with traffic is `rolled_back`, any other `refused`. From the loop's next look on the
        champion answers everything; what is still being trained is left aside. reason: for the history.
        Raises NotFound when no rollout is open. Event `decision.candidate_withdrawn`.
        """

        def change(tx: Transaction) -> Rollout:
            rollout = sql.find_open(tx, self.actor.project_id, endpoint)
            if rollout is None:
                raise NotFound(
                    f"endpoint `{endpoint[:80]}` has no rollout in progress",
                    hint=f"paddock rollout show {endpoint[:80]}",
                )
            phase: Phase = "rolled_back" if rollout.is_live else "refused"
            ended = msgspec.structs.replace(rollout, phase=phase, phase_started_at=now)
            self._replace(tx, rollout, ended)
            words = say_withdrawn(rollout, self.actor.principal, reason)
            tx.append_event(self._event(ended, "candidate_withdrawn", words, now))
            return ended

        if not reason.strip():
            raise InvalidInput(
                "a candidate is withdrawn for a reason, and none was given", hint='--reason "..."'
            )
        now = self.clock.now()
        request = ("withdraw", endpoint, reason)
        return self.metadata.write(change, once=once_for(self.actor, key, request, Rollout))

    def find_open(self, endpoint: str) -> Rollout | None:
        """Return the endpoint's open rollout, or None."""
        return self.metadata.read(lambda reader: sql.find_open(reader, self.actor.project_id, endpoint))

    def list_rollouts(self, endpoint: str, *, limit: int = 100) -> tuple[Rollout, ...]:
        """Return the endpoint's rollouts, the newest first."""
        return self.metadata.read(
            lambda reader: sql.list_rollouts(reader, self.actor.project_id, endpoint, limit)
        )

    def list_decisions(self, *, endpoint: str = "", limit: int = 100) -> tuple[Decision, ...]:
        """Return what the loop has decided, the newest first; a view of the event ledger."""
        events = self.metadata.latest_events(
            self.actor.project_id,
            kind=_KIND,
            subject=f"endpoint:{endpoint}" if endpoint else "",
            limit=limit,
        )
        return tuple(_decision(event) for event in events)

    def _replace(self, tx: Transaction, was: Rollout, rollout: Rollout) -> None:
        if not sql.update_rollout(tx, self.actor.project_id, rollout, was):
            raise Conflict(f"rollout `{was.rollout_id}` was moved by another process meanwhile")

    def _event(self, rollout: Rollout, kind: DecisionKind, words: Words, now: datetime) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=f"{_KIND}{kind}",
            subject=f"endpoint:{rollout.endpoint}",
            event_time=now,
            data={
                "rollout_id": rollout.rollout_id,
                "model": rollout.model,
                "candidate": rollout.candidate,
                "champion": rollout.champion,
                "words": words.text,
                "evidence": dict(words.evidence),
            },
        )


def _decision(event: Event) -> Decision:
    fields = {
        **event.data,
        "endpoint": event.subject.removeprefix("endpoint:"),
        "kind": event.kind.removeprefix(_KIND),
        "at": event.event_time,
        "position": event.position,
    }
    return msgspec.convert(fields, Decision)
