"""What may be registered, promoted and rolled back. Pure."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from paddock.evaluation import ReportSummary
from paddock.kernel.digest import Digest
from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import nearest
from paddock.registry.records import ALIASES, Alias, AliasChange, ModelVersion, Recipe, Verdict

ALLOWED = Verdict(allowed=True)


def parse_alias(text: str) -> Alias:
    """Return `text` if it is an alias, else raise InvalidInput with the nearest one.

    >>> parse_alias("champion")
    'champion'
    """
    if text in ALIASES:
        return text
    match = nearest(text, ALIASES)
    hint = f"did you mean `{match}`" if match else ""
    raise InvalidInput(f"`{text[:80]}` is not an alias; there are {' and '.join(ALIASES)}", hint=hint)


def check_recipe(recipe: Recipe, parent: ModelVersion) -> Verdict:
    """Tell whether a version made by `recipe` may call itself a refit of `parent`.

    All three digests must be known and equal; what differs is named. A digest the parent does not
    have differs too: what is not known cannot be claimed to be the same.
    """
    unknown = [name for name in recipe.__struct_fields__ if not getattr(recipe, name)]
    if unknown:
        return Verdict(False, f"a refit of {parent.ref} needs its {', '.join(unknown)}")
    differing = [
        name for name in recipe.__struct_fields__ if getattr(recipe, name) != getattr(parent.recipe, name)
    ]
    if differing:
        reason = f"this is no refit of {parent.ref}: {', '.join(differing)} differ from its own"
        return Verdict(False, reason, "register it without `refit_of` and gate it by itself")
    return ALLOWED


def check_report(name: str, package_digest: Digest, report: ReportSummary) -> Verdict:
    """Tell whether `report` is about exactly this package under this name."""
    if report.model != name:
        return Verdict(
            False, f"gate report `{report.report_id}` is about model `{report.model}`, not `{name}`"
        )
    if report.candidate_digest != package_digest:
        return Verdict(False, f"gate report `{report.report_id}` is about another package of `{name}`")
    return ALLOWED


def check_promotion(
    version: ModelVersion,
    report: ReportSummary | None,
    parent: ModelVersion | None,
    parent_report: ReportSummary | None,
) -> Verdict:
    """Tell whether `version` may be given an alias.

    report: the one attached to it; parent: the version it is a refit of; parent_report: the
    report it is gated by instead of its own. Needed is a passed report of measurements on exactly
    this package, or, for a refit, one on its parent's and golden requests that were replayed. A
    version whose golden requests were last answered differently is refused in any case.
    """
    if version.verification is not None and not version.verification.passed:
        return Verdict(
            False,
            f"golden requests of {version.ref} are answered differently: {version.verification.cause}",
            f"paddock models show {version.ref}",
        )
    if report is not None:
        fits = check_report(version.name, version.package_digest, report)
        if not fits.allowed:
            return fits
        if not report.passed:
            return Verdict(False, f"gate report of {version.ref} did not pass: {report.words}")
        if not report.gated_as:
            return ALLOWED
    if parent is None:
        missing = "is gated as a parent, but is no refit" if report else "has no gate report"
        return Verdict(False, f"{version.ref} {missing}", _gate_command(version))
    return _check_refit(version, parent, parent_report)


def current_version(history: Sequence[AliasChange]) -> int:
    """Return where an alias with this history points now, 0 for nowhere.

    >>> current_version([])
    0
    """
    return history[-1].to_version if history else 0


def plan_move(history: Sequence[AliasChange], move: AliasChange) -> AliasChange:
    """Return `move` as the next one of `history`, oldest first: numbered, and with where it starts."""
    return msgspec.structs.replace(move, sequence=len(history) + 1, from_version=current_version(history))


def find_version_before(history: Sequence[AliasChange]) -> int:
    """Return the version a rollback returns to, or 0 when there is none.

    history: every change of one alias, oldest first. Promotions are a stack that a rollback pops,
    so rolling back twice goes back two versions and never forth to a bad one.

    >>> find_version_before([])
    0
    """
    stack: list[int] = []
    for change in history:
        if change.kind == "rolled_back":
            stack.pop()
        else:
            stack.append(change.to_version)
    return stack[-2] if len(stack) > 1 else 0


def find_change_at(history: Sequence[AliasChange], moment: datetime) -> AliasChange | None:
    """Return the change in force at `moment`: the last recorded one that had happened by then."""
    past = [change for change in history if change.at <= moment]
    return max(past, key=lambda change: change.sequence) if past else None


def _check_refit(version: ModelVersion, parent: ModelVersion, report: ReportSummary | None) -> Verdict:
    if report is None:
        reason = f"{version.ref} is a refit of {parent.ref}, which has no gate report"
        return Verdict(False, reason, _gate_command(parent))
    fits = check_report(parent.name, parent.package_digest, report)
    if not fits.allowed:
        return fits
    if not report.passed:
        return Verdict(False, f"gate report of {parent.ref} did not pass: {report.words}")
    if report.gated_as:
        return Verdict(False, f"{parent.ref} is a refit itself and was not measured on its own")
    if version.verification is None:
        return Verdict(False, f"golden requests of {version.ref} were not replayed yet")
    return ALLOWED


def _gate_command(version: ModelVersion) -> str:
    return f"paddock models gate {version.ref} --rows DATASET --label COLUMN"
