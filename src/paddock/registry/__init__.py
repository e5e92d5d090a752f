"""Models, their versions, and which of them is champion.

- A version is a package digest under a number that is given once; neither ever changes. One that a client of
  MLflow registered has no package: it has a source instead, a text that is never opened here.
- In a model with packages, champion and challenger are moved only to a version that a passed gate report
  about exactly its package speaks for, or, for a refit, its parent's report and replayed golden requests.
  Other aliases, and those of models without packages, move freely.
- Every move of an alias is kept with who, when, why and on which report; nothing is overwritten,
  so "what was champion then" has an answer.
- Two that move one alias at the same time: one does, the other gets Conflict.
"""

from paddock.registry.models import RegisteredModels
from paddock.registry.naming import parse_model_ref, parse_number
from paddock.registry.records import (
    ALIASES,
    PROMPT_TAG,
    Alias,
    AliasChange,
    ChangeKind,
    ModelPage,
    ModelSummary,
    ModelVersion,
    Recipe,
    RegisteredModel,
    Search,
    Stage,
    Verification,
    VersionPage,
    WayBack,
)
from paddock.registry.rules import check_package, check_refittable, demand
from paddock.registry.service import Registry
from paddock.registry.versions import NewVersion, RegisteredVersions

__all__ = [
    "ALIASES",
    "PROMPT_TAG",
    "Alias",
    "AliasChange",
    "ChangeKind",
    "ModelPage",
    "ModelSummary",
    "ModelVersion",
    "NewVersion",
    "Recipe",
    "RegisteredModel",
    "RegisteredModels",
    "RegisteredVersions",
    "Registry",
    "Search",
    "Stage",
    "Verification",
    "VersionPage",
    "WayBack",
    "check_package",
    "check_refittable",
    "demand",
    "parse_model_ref",
    "parse_number",
]
