"""Endpoints, monitors, decisions, events, and the state of the server itself."""

from typing import Annotated

import msgspec

from paddock.wire.structs.base import Count, Number, Request, Resource, ShortText, Time, Version
from paddock.wire.structs.models import Interval


class RouteShare(Request, frozen=True, kw_only=True):
    """The share of rows, 0 to 1, that one version answers."""

    version: Version
    weight: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class SetTraffic(Request, frozen=True, kw_only=True):
    """Weights add up to 1. `shadow_version` answers too, but is only recorded; 0 is none."""

    routes: Annotated[tuple[RouteShare, ...], msgspec.Meta(min_length=1, max_length=16)]
    shadow_version: Count = 0
    reason: ShortText


class EndpointRoute(Resource, frozen=True, kw_only=True):
    version: int
    weight: float


class Endpoint(Resource, frozen=True, kw_only=True):
    """A declared endpoint. The gateway's own `/status` says what it has applied."""

    name: str
    model: str
    principal: str
    created_at: Time


class EndpointPage(Resource, frozen=True, kw_only=True):
    endpoints: tuple[Endpoint, ...]
    next_cursor: str = ""


class EndpointRevision(Resource, frozen=True, kw_only=True):
    """What an endpoint is meant to serve: the first route is the champion, all others are canaries."""

    endpoint: str
    number: int
    model: str
    routes: tuple[EndpointRoute, ...]
    shadow_version: int
    reason: str
    principal: str
    created_at: Time


class EndpointHistory(Resource, frozen=True, kw_only=True):
    revisions: tuple[EndpointRevision, ...]
    next_cursor: str = ""


class Rollout(Resource, frozen=True, kw_only=True):
    """A candidate's way towards production. `candidate`: 0 until it is trained; `step`: place in the canary.

    `gated`: the version whose gate report counts. `waits_for`: in words, empty when it has ended. Rows the
    gated version was fitted on lie before `fit_before`, those of its gate before `gate_until`.
    """

    rollout_id: str
    endpoint: str
    model: str
    origin: str
    trigger: str
    champion: int
    candidate: int
    gated: int
    phase: str
    step: int
    is_open: bool
    waits_for: str = ""
    fit_before: Time
    gate_until: Time
    started_at: Time
    phase_started_at: Time


class Withdraw(Request, frozen=True, kw_only=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class FeatureDrift(Resource, frozen=True, kw_only=True):
    """`threshold`: the PSI that few windows of this size pass without drift."""

    name: str
    psi: float
    threshold: float
    missing_ratio: float
    new: tuple[str, ...]
    vanished: tuple[str, ...]


class Quality(Resource, frozen=True, kw_only=True):
    """A metric on the labelled rows; `value` is null and `reason` says why when it was not measured."""

    metric: str
    rows: int
    value: float | None
    interval: Interval | None
    reason: str


class VersionRows(Resource, frozen=True, kw_only=True):
    version: int
    rows: int


class Alarm(Resource, frozen=True, kw_only=True):
    kind: str
    words: str


class Window(Resource, frozen=True, kw_only=True):
    """One monitored stretch of event time, from `start` up to but not including `end`."""

    monitor: str
    endpoint: str
    start: Time
    end: Time
    revision: int
    state: str
    words: str
    alarms: tuple[Alarm, ...]
    rows: int
    versions: tuple[VersionRows, ...]
    due_count: int
    due_label_count: int
    label_count: int
    label_coverage: float
    prediction: FeatureDrift | None
    features: tuple[FeatureDrift, ...]
    quality: Quality
    reference_quality: Number
    created_at: Time


class WindowPage(Resource, frozen=True, kw_only=True):
    windows: tuple[Window, ...]
    next_cursor: str = ""


class Monitor(Resource, frozen=True, kw_only=True):
    monitor: str
    window_count: int
    latest: Window


class MonitorPage(Resource, frozen=True, kw_only=True):
    monitors: tuple[Monitor, ...]
    next_cursor: str = ""


class Event(Resource, frozen=True, kw_only=True):
    """One sealed entry of the ledger; `hash` covers it and `previous_hash`."""

    event_id: str
    position: int
    project_id: str
    principal: str
    kind: str
    subject: str
    event_time: Time
    received_at: Time
    data: dict[str, object]
    previous_hash: str
    hash: str


class EventPage(Resource, frozen=True, kw_only=True):
    """`next_after`: the position to pass as `after` for what comes next."""

    events: tuple[Event, ...]
    next_after: int


class Decision(Resource, frozen=True, kw_only=True):
    """What the loop did, in words, with the evidence it stands on. `at`: event time."""

    rollout_id: str
    endpoint: str
    model: str
    kind: str
    candidate: int
    champion: int
    words: str
    evidence: dict[str, str | int | float | bool | None]
    at: Time
    position: int


class DecisionPage(Resource, frozen=True, kw_only=True):
    decisions: tuple[Decision, ...]
    next_cursor: str = ""


class LedgerVerdict(Resource, frozen=True, kw_only=True):
    """`first_bad_position`: 0 when the chain holds. `head_hash` belongs somewhere else too, to compare."""

    ok: bool
    checked_count: int
    first_bad_position: int
    words: str
    unsealed_count: int
    head_position: int
    head_hash: str


class StoredObject(Resource, frozen=True, kw_only=True):
    digest: str
    size_bytes: int


class Check(Resource, frozen=True, kw_only=True):
    name: str
    ok: bool
    words: str


class Readiness(Resource, frozen=True, kw_only=True):
    ready: bool
    version: str
    checks: tuple[Check, ...]


class Problem(Resource, frozen=True, kw_only=True):
    """RFC 9457. `code` is stable; `errors` lists every fault of one input; `request_id` is in the log too."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    request_id: str
    errors: tuple[str, ...] = ()
    facts: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)
