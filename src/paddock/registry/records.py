"""What a model, a version of it and a move of an alias are; values only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from paddock.kernel.digest import Digest
from paddock.kernel.refs import DatasetRef, ModelVersionRef

Alias = Literal["champion", "challenger"]
ChangeKind = Literal["promoted", "rolled_back", "set", "cleared"]
WayBack = Literal["none", "ready", "broken"]
Stage = Literal["None", "Staging", "Production", "Archived"]

ALIASES: tuple[Alias, ...] = ("champion", "challenger")
STAGES: tuple[Stage, ...] = ("None", "Staging", "Production", "Archived")
# a model with this tag is a prompt: its versions are texts, kept in a tag
PROMPT_TAG = "mlflow.prompt.is_prompt"
NO_PACKAGE = Digest("")
# what versions with a package are called where only stages are known
_STAGE_OF_ALIAS: Mapping[str, Stage] = {"champion": "Production", "challenger": "Staging"}


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Tell whether what has these tags is a prompt.

    >>> is_prompt({"mlflow.prompt.is_prompt": "True"}), is_prompt({})
    (True, False)
    """
    return tags.get(PROMPT_TAG, "").lower() == "true"


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
    """One package under one name, or what a client of MLflow registered, which has none (an empty digest).

    refit_of: the version whose recipe was fitted again, or 0. report_id: the gate report it stands on, or
    empty. verification: the last replay of its golden requests, None before the first. aliases: those that
    point here now. source: where clients find what has no package, a text that is never opened here; origin:
    the source of the version it was copied from, else its own. model_id: the logged model it is, or empty.
    stage: what a client called it. updated_at: None in answers kept from before there was such a time.
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
    source: str = ""
    origin: str = ""
    model_id: str = ""
    run_link: str = ""
    description: str = ""
    tags: Mapping[str, str] = {}
    stage: Stage = "None"
    updated_at: datetime | None = None

    @property
    def ref(self) -> ModelVersionRef:
        return ModelVersionRef(self.name, self.version)

    @property
    def has_package(self) -> bool:
        return self.package_digest != NO_PACKAGE

    @property
    def source_uri(self) -> str:
        """Where it comes from as a client is told; a package has an address that only Paddock knows."""
        return f"paddock:/models/{self.name}/{self.version}" if self.has_package else self.source

    @property
    def shown_stage(self) -> Stage:
        """Its stage; of a version with a package it follows from champion and challenger."""
        if not self.has_package:
            return self.stage
        return next((_STAGE_OF_ALIAS[alias] for alias in ALIASES if alias in self.aliases), "None")


class RegisteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model with what clients say of it. aliases: where each points. latest: of each stage, oldest first.

    last_version: the highest number ever given, 0 before the first.
    """

    name: str
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    latest: tuple[ModelVersion, ...]
    last_version: int
    has_packages: bool
    principal: str
    created_at: datetime
    updated_at: datetime

    @property
    def is_prompt(self) -> bool:
        return is_prompt(self.tags)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What to find, in MLflow's grammar and what it leaves out: OR, NOT, parentheses, IS NULL.

    order: one key a text, such as `name DESC`. cursor: next_cursor of the page before. Prompts are left out
    unless the filter asks for `tags.mlflow.prompt.is_prompt`.
    """

    filter: str = ""
    order: tuple[str, ...] = ()
    limit: int = 100
    cursor: str = ""


class ModelPage(msgspec.Struct, frozen=True):
    """Some models in order. next_cursor: give it back for the next page; empty on the last one."""

    models: tuple[RegisteredModel, ...]
    next_cursor: str


class VersionPage(msgspec.Struct, frozen=True):
    """Some versions in order. next_cursor: give it back for the next page; empty on the last one."""

    versions: tuple[ModelVersion, ...]
    next_cursor: str


class ModelSummary(msgspec.Struct, frozen=True):
    """One model in a list; champion and challenger are 0 while the alias points nowhere.

    latest_version: 0 while it has none.
    """

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
    for nowhere. kind: `set` was asked by a client and by no gate. report_id: the gate report the version
    stands on. way_back: whether the version left behind could be taken back at that moment (its package was
    complete), `none` when there was none or it has no package.
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
