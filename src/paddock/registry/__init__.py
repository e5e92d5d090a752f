"""Models, their versions, and which of them is champion.

- A version is a package digest under a number that is given once; neither ever changes.
- An alias is moved only to a version that a passed gate report about exactly its package speaks
  for, or, for a refit, its parent's report and replayed golden requests.
- Every move of an alias is kept with who, when, why and on which report; nothing is overwritten,
  so "what was champion then" has an answer.
- Two that move one alias at the same time: one does, the other gets Conflict.
"""

from paddock.registry.records import (
    ALIASES,
    Alias,
    AliasChange,
    ChangeKind,
    ModelSummary,
    ModelVersion,
    Recipe,
    Verification,
    WayBack,
)
from paddock.registry.service import Registry

__all__ = [
    "ALIASES",
    "Alias",
    "AliasChange",
    "ChangeKind",
    "ModelSummary",
    "ModelVersion",
    "Recipe",
    "Registry",
    "Verification",
    "WayBack",
]
