"""Registered models, their versions, aliases, and the gate reports that let them through."""

from typing import Annotated

import msgspec

from paddock.wire.structs.base import Count, Request, Resource, ShortText, Time, Version
from paddock.wire.structs.tracking import DatasetInput


class Recipe(Request, frozen=True, kw_only=True):
    """What besides the rows made a version, by digest; empty where not known."""

    code_digest: ShortText = ""
    params_digest: ShortText = ""
    environment_digest: ShortText = ""


class RegisterVersion(Request, frozen=True, kw_only=True):
    """A package whose files are stored already becomes the next version of a model."""

    package_digest: ShortText
    run_id: ShortText = ""
    refit_of: Count = 0
    report_id: ShortText = ""
    datasets: tuple[ShortText, ...] = ()
    recipe: Recipe = Recipe()


class AttachReport(Request, frozen=True, kw_only=True):
    report_id: ShortText


class Promote(Request, frozen=True, kw_only=True):
    """`expected_version`: where the alias must still point (0: nowhere); null for where it points now."""

    version: Version
    alias: ShortText = "champion"
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    expected_version: Count | None = None


class DeclaredGate(Request, frozen=True, kw_only=True):
    """One gate as it stands in paddock.toml; null, or an empty text, is a key that is not given."""

    metric: ShortText = ""
    at_least: float | None = None
    at_most: float | None = None
    versus: ShortText = ""
    margin: float | None = None
    confidence: float | None = None
    slice: ShortText = ""
    min_rows: Count | None = None
    latency_p99_ms: float | None = None


class HoldGate(Request, frozen=True, kw_only=True):
    """`rows`: a dataset version; `label`: its column of 0 and 1. Without `gates` the server's own count."""

    rows: ShortText
    label: ShortText
    gates: Annotated[tuple[DeclaredGate, ...], msgspec.Meta(max_length=100)] = ()


class Rollback(Request, frozen=True, kw_only=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Verification(Resource, frozen=True, kw_only=True):
    """One replay of a version's golden requests."""

    passed: bool
    cause: str
    words: str
    principal: str
    at: Time


class RecipeDigests(Resource, frozen=True, kw_only=True):
    code_digest: str
    params_digest: str
    environment_digest: str


class ModelVersion(Resource, frozen=True, kw_only=True):
    """`aliases`: the names that point at it now. `report_id`: the gate report it stands on, or empty.

    `package_digest` is empty for a version that a client of MLflow registered; it has a `source` instead.
    """

    name: str
    version: int
    package_digest: str
    run_id: str
    refit_of: int
    report_id: str
    datasets: tuple[DatasetInput, ...]
    recipe: RecipeDigests
    verification: Verification | None
    aliases: tuple[str, ...]
    source: str = ""
    description: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    principal: str
    created_at: Time


class ModelVersionPage(Resource, frozen=True, kw_only=True):
    versions: tuple[ModelVersion, ...]
    next_cursor: str = ""


class Model(Resource, frozen=True, kw_only=True):
    """`champion` and `challenger` are versions, 0 where the alias points nowhere."""

    name: str
    latest_version: int
    version_count: int
    champion: int
    challenger: int
    principal: str
    created_at: Time


class ModelPage(Resource, frozen=True, kw_only=True):
    models: tuple[Model, ...]
    next_cursor: str = ""


class AliasChange(Resource, frozen=True, kw_only=True):
    """From `from_version` to `to_version`, 0 being nowhere; in force from `at` until the next.

    `way_back`: whether the version left behind could be taken back at that moment.
    """

    name: str
    alias: str
    sequence: int
    kind: str
    from_version: int
    to_version: int
    reason: str
    report_id: str
    way_back: str
    principal: str
    at: Time


class AliasHistory(Resource, frozen=True, kw_only=True):
    changes: tuple[AliasChange, ...]
    next_cursor: str = ""


class Interval(Resource, frozen=True, kw_only=True):
    low: float
    high: float
    confidence: float


class GateResult(Resource, frozen=True, kw_only=True):
    """`state` is passed, failed, not_applicable or not_measured; only the first and third let through."""

    gate: str
    state: str
    words: str
    value: float | None = None
    interval: Interval | None = None
    threshold: float | None = None


class GateReport(Resource, frozen=True, kw_only=True):
    """`gated_as`: the report this one stands on (a refit), or empty."""

    report_id: str
    model: str
    candidate_digest: str
    candidate_version: int
    champion_version: int
    rows: int
    results: tuple[GateResult, ...]
    passed: bool
    words: str
    gated_as: str
    datasets: tuple[DatasetInput, ...]
    seed: int
    draws: int
    principal: str
    created_at: Time


class GateReportSummary(Resource, frozen=True, kw_only=True):
    report_id: str
    model: str
    candidate_digest: str
    candidate_version: int
    champion_version: int
    passed: bool
    gated_as: str
    rows: int
    words: str
    principal: str
    created_at: Time


class GateReportPage(Resource, frozen=True, kw_only=True):
    reports: tuple[GateReportSummary, ...]
    next_cursor: str = ""
