"""What a model version and a move of an alias are; values only."""

from datetime import datetime
from typing import Literal

import msgspec

from paddock.kernel.digest import Digest
from paddock.kernel.refs import DatasetRef, ModelVersionRef

Alias = Literal["champion", "challenger"]
ChangeKind = Literal["promoted", "rolled_back", "cleared"]
WayBack = Literal["none", "ready", "broken"]

ALIASES: tuple[Alias, ...] = ("champion", "challenger")


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What besides the rows made a version: the caller's claim, by digest; empty where not known."""

    code_digest: str = ""
    params_digest: str = ""
    environment_digest: str = ""


class Verification(msgspec.Struct, frozen=True):
    """One replay of a version's golden requests. cause: why it failed, empty when it passed."""

    passed: bool
    cause: str
    words: str
    principal: str
    at: datetime


class ModelVersion(msgspec.Struct, frozen=True):
    """One package under one name. refit_of: the version whose recipe was fitted again, or 0.

    report_id: the gate report it stands on, or empty. verification: the last replay of its golden
    requests, None before the first. aliases: those that point here now.
    """

    name: str
    version: int
    package_digest: Digest
    run_id: str
    refit_of: int
    report_id: str
    datasets: tuple[DatasetRef, ...]
    recipe: Recipe
    verification: Verification | None
    aliases: tuple[str, ...]
    principal: str
    created_at: datetime

    @property
    def ref(self) -> ModelVersionRef:
        return ModelVersionRef(self.name, self.version)


class ModelSummary(msgspec.Struct, frozen=True):
    """One model in a list; champion and challenger are 0 while the alias points nowhere."""

    name: str
    latest_version: int
    version_count: int
    champion: int
    challenger: int
    principal: str
    created_at: datetime


class AliasChange(msgspec.Struct, frozen=True, kw_only=True):
    """One move of an alias, in force from `at` until the next.

    sequence: 1, 2, 3 ... of this alias, 0 while it is only planned. from_version, to_version: 0
    for nowhere. report_id: the gate report the version stands on. way_back: whether the version left
    behind could be taken back at that moment (its package was complete), `none` when there was none.
    """

    name: str
    alias: str
    sequence: int = 0
    kind: ChangeKind
    from_version: int = 0
    to_version: int
    reason: str
    report_id: str = ""
    way_back: WayBack = "none"
    principal: str
    at: datetime


class Verdict(msgspec.Struct, frozen=True):
    """Whether something may be done; if not, why, and what to do first."""

    allowed: bool
    reason: str = ""
    hint: str = ""
