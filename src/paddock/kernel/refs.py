"""Values by which rooms speak of each other's things."""

from dataclasses import dataclass
from typing import NewType

from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import check_name

ProjectId = NewType("ProjectId", str)

DEFAULT_PROJECT = ProjectId("default")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and in which project. Services are bound to one actor."""

    project_id: ProjectId
    principal: str


@dataclass(frozen=True, slots=True, order=True)
class DatasetRef:
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, order=True)
class ModelVersionRef:
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def parse_ref(kind: str, text: str) -> tuple[str, str]:
    """Split `name@selector` into its two halves; the selector may be missing.

    kind: what is named, for the error message. Raises InvalidInput for a bad name or an empty half.

    >>> parse_ref("model", "delay@champion")
    ('delay', 'champion')
    >>> parse_ref("dataset", "flights")
    ('flights', '')
    """
    name, at, selector = text.partition("@")
    check_name(kind, name)
    if at and not selector:
        raise InvalidInput(f"`{text[:80]}` names no version after `@`", hint=f"{name}@1")
    if selector:
        check_name(f"{kind} version or alias", selector)
    return name, selector


def parse_version(kind: str, text: str) -> int:
    """Return the version number written in `text`, a positive integer.

    >>> parse_version("dataset", "3")
    3
    """
    if text.isdecimal() and text.isascii() and 0 < len(text) < 10 and int(text) > 0:
        return int(text)
    raise InvalidInput(f"`{text[:40]}` is not a {kind} version; a version is a positive whole number")


def refuse_unnamed(kind: str, name: str, latest: int, *, hint: str) -> InvalidInput:
    """Return the error for a ref that must name a version and names none; versions are 1 to `latest`.

    >>> refuse_unnamed("model", "delay", 7, hint="").message
    '`delay` names no version of the model; there are 1 to 7'
    """
    there = "there is only 1" if latest == 1 else f"there are 1 to {latest}"
    return InvalidInput(f"`{name}` names no version of the {kind}; {there}", hint=hint)
