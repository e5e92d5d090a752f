"""What must hold before a guarded alias moves."""

from dataclasses import dataclass

from paddock.kernel.digest import Digest
from paddock.kernel.errors import Conflict, InvalidInput
from paddock.registry.records import ModelVersion, WayBack


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was looked at before a move, as no transaction may.

    target, current: version numbers, 0 for none; missing: objects the target's package lacks.
    """

    target: int
    current: int
    missing: tuple[Digest, ...]
    way_back: WayBack


def demand_complete(version: ModelVersion, prepared: Prepared, error: type[Conflict]) -> None:
    """Refuse a version other than the one that was looked at, or one whose package is torn."""
    if version.version != prepared.target:
        raise Conflict(
            f"model `{version.name}` was changed while this was under way", hint="look at it and try again"
        )
    if prepared.missing:
        raise error(lacking(f"package of `{version.ref}`", prepared.missing), hint="paddock restore")


def check_expected(pointer: str, current: int, expected: int) -> None:
    """Raise Conflict when an alias points elsewhere than its mover believes."""
    if current != expected:
        raise Conflict(
            f"`{pointer}` points at version {current}, not at {expected} as expected (0 is nowhere)",
            hint="look at the alias again, then decide anew",
            current_version=current,
            expected_version=expected,
        )


def check_reason(reason: str) -> None:
    """Raise InvalidInput for an empty reason."""
    if not reason.strip():
        raise InvalidInput("an alias is moved for a reason, and none was given", hint='--reason "..."')


def lacking(what: str, missing: tuple[Digest, ...]) -> str:
    """Return in words which objects are missing; there is at least one."""
    more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
    return f"{what} lacks object `{missing[0]}`{more}"
