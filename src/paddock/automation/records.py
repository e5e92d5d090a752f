"""What a rollout, a decision and their evidence are; values only."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from paddock.kernel.ids import RolloutId

Json = str | int | float | bool | None

Origin = Literal["retrain", "submitted"]
Phase = Literal[
    "training",
    "verifying",
    "gating",
    "refitting",
    "shadow",
    "canary",
    "promoted",
    "refused",
    "rolled_back",
]
DecisionKind = Literal[
    "retrain_started",
    "candidate_submitted",
    "candidate_refused",
    "shadow_started",
    "canary_started",
    "canary_widened",
    "champion_replaced",
    "candidate_rolled_back",
    "candidate_withdrawn",
]

ENDED: frozenset[Phase] = frozenset({"promoted", "refused", "rolled_back"})
LIVE: frozenset[Phase] = frozenset({"shadow", "canary"})


class Rollout(msgspec.Struct, frozen=True):
    """One candidate's way towards production, from its trigger to its end.

    candidate: the version in question, 0 until it is trained; gated: the version whose gate report
    counts (the candidate itself, or the one it is a refit of). step: place in the canary weights.
    fit_before: rows the gated version was fitted on are older; gate_until: the gate rows end here,
    and a refit takes everything before it. Both are event times.
    """

    rollout_id: RolloutId
    endpoint: str
    model: str
    origin: Origin
    trigger: str
    champion: int
    candidate: int
    gated: int
    phase: Phase
    step: int
    fit_before: datetime
    gate_until: datetime
    started_at: datetime
    phase_started_at: datetime

    @property
    def is_open(self) -> bool:
        return self.phase not in ENDED

    @property
    def is_live(self) -> bool:
        """Whether the candidate answers requests, seen or unseen."""
        return self.phase in LIVE


class Words(msgspec.Struct, frozen=True):
    """What a decision says: a sentence for people, and the figures behind it."""

    text: str
    evidence: Mapping[str, Json] = {}


class Decision(msgspec.Struct, frozen=True):
    """What the loop did, when, and on what evidence; `words` is a sentence or two for anybody.

    at: event time; position: place in the ledger, 0 before it is sealed.
    """

    rollout_id: str
    endpoint: str
    model: str
    kind: DecisionKind
    candidate: int
    champion: int
    words: str
    evidence: Mapping[str, Json]
    at: datetime
    position: int = 0


class Trigger(msgspec.Struct, frozen=True):
    """Why to retrain now: one of the declared reasons, in words."""

    reason: Literal["quality", "drift", "cron"]
    words: str


class StageVerdict(msgspec.Struct, frozen=True):
    """What a stage of a rollout has shown so far."""

    state: Literal["wait", "pass", "fail"]
    words: str
    evidence: Mapping[str, Json] = {}


class Exposure(msgspec.Struct, frozen=True):
    """How many predictions a candidate has answered for callers, and how long ago the first one was."""

    answered: int
    took: timedelta


class Progress(Rollout, frozen=True):
    """A rollout, and in words what it waits for; empty when it has ended."""

    waits_for: str = ""
