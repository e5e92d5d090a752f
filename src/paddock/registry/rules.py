"""What may be registered, promoted and rolled back. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from paddock.evaluation import ReportSummary
from paddock.kernel.digest import Digest
from paddock.kernel.errors import Conflict, InvalidInput
from paddock.kernel.names import nearest
from paddock.registry.records import ALIASES, STAGES, Alias, AliasChange, ModelVersion, Recipe, Stage, Verdict

ALLOWED = Verdict(allowed=True)


class Named(Protocol):
    """A model, as far as it matters here."""

    @property
    def name(self) -> str: ...

    @property
    def has_packages(self) -> bool: ...


def parse_alias(text: str, also: Iterable[str] = ()) -> Alias:
    """Return `text` if it is champion or challenger, else raise InvalidInput with the nearest alias there is.

    also: what else is an alias of the model.

    >>> parse_alias("champion")
    'champion'
    """
    if text in ALIASES:
        return text
    known = (*ALIASES, *(alias for alias in also if alias not in ALIASES))
    match = nearest(text, known)
    hint = f"did you mean `{match}`" if match else ""
    there = f"{', '.join(known[:-1])} and {known[-1]}"
    raise InvalidInput(f"`{text[:80]}` is not an alias; there are {there}", hint=hint)


def demand(verdict: Verdict) -> None:
    """Raise Conflict with the reason unless it is allowed."""
    if not verdict.allowed:
        raise Conflict(verdict.reason, hint=verdict.hint)


def check_loose(model: Named, what: str) -> Verdict:
    """Tell whether a model may be renamed or deleted: whether nothing that stays speaks of it by name."""
    if not model.has_packages:
        return ALLOWED
    return Verdict(
        False,
        f"model `{model.name}` has versions with a package and cannot be {what}: gate reports, endpoints and "
        "predictions speak of it by this name",
        f"paddock models show {model.name}",
    )


def check_package(version: ModelVersion) -> Verdict:
    """Tell whether a version has a package, which is what gates measure and gateways serve."""
    if version.has_package:
        return ALLOWED
    return Verdict(
        False,
        f"{version.ref} has no package: a client of MLflow registered it from `{version.source}`, and "
        "nothing of it can be measured or served here",
        f'run.log_model(model, name="{version.name}", sample=...)',
    )


def check_deletable(version: ModelVersion, history: Iterable[AliasChange], *, has_packages: bool) -> Verdict:
    """Tell whether a version may be deleted for good.

    history: every move of the model's champion. has_packages: whether any version of the model has one.
    """
    if version.has_package:
        return Verdict(
            False,
            f"{version.ref} has a package and is kept: gate reports and predictions speak of it",
            f"paddock models show {version.ref}",
        )
    if has_packages and any(move.to_version == version.version for move in history):
        return Verdict(
            False,
            f"{version.ref} was champion once, and the history of a model with packages is kept",
            f"paddock models show {version.name}",
        )
    return ALLOWED


def check_stage(version: ModelVersion, stage: Stage) -> Verdict:
    """Tell whether a client may call a version by a stage."""
    if not version.has_package or version.shown_stage == stage:
        return ALLOWED
    return Verdict(
        False,
        f"{version.ref} has a package: it is `Production` while it is champion, `Staging` while it is "
        "challenger, and no client says so",
        f'paddock models promote {version.ref} champion --reason "..."',
    )


def newest_by_stage(versions: Iterable[ModelVersion]) -> Mapping[str, tuple[ModelVersion, ...]]:
    """Return for each model the newest version of each stage that has one, the oldest first."""
    newest: dict[tuple[str, str], ModelVersion] = {}
    for version in versions:
        place = (version.name, version.shown_stage)
        if place not in newest or newest[place].version < version.version:
            newest[place] = version
    names = dict.fromkeys(name for name, _ in newest)
    return {
        name: tuple(
            sorted(
                (newest[name, stage] for stage in STAGES if (name, stage) in newest),
                key=lambda version: version.version,
            )
        )
        for name in names
    }


def check_recipe(recipe: Recipe, parent: ModelVersion) -> Verdict:
    """Tell whether a version made by `recipe` may call itself a refit of `parent`.

    All three digests must be known and equal; what differs is named. A digest the parent does not
    have differs too: what is not known cannot be claimed to be the same.
    """
    unknown = _unknown_parts(recipe)
    if unknown:
        reason = f"a refit of {parent.ref} needs its {', '.join(unknown)}"
        return Verdict(False, reason, _recipe_hint(unknown))
    differing = [
        name for name in recipe.__struct_fields__ if getattr(recipe, name) != getattr(parent.recipe, name)
    ]
    if differing:
        reason = f"this is no refit of {parent.ref}: {', '.join(differing)} differ from its own"
        return Verdict(False, reason, "register it without `refit_of` and gate it by itself")
    return ALLOWED


def check_refittable(version: ModelVersion) -> Verdict:
    """Tell whether a refit of `version` can ever be registered: every part of its recipe is known."""
    unknown = _unknown_parts(version.recipe)
    if not unknown:
        return ALLOWED
    reason = f"{version.ref} was registered without its {', '.join(unknown)}, so it cannot be fitted again"
    return Verdict(False, reason, _recipe_hint(unknown))


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
    if not version.has_package:
        return check_package(version)
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
    return follow(history[-1] if history else None, move)


def follow(last: AliasChange | None, move: AliasChange) -> AliasChange:
    """Return `move` as the next one after `last`, None when there was none before."""
    if last is None:
        return msgspec.structs.replace(move, sequence=1)
    return msgspec.structs.replace(move, sequence=last.sequence + 1, from_version=last.to_version)


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


def _unknown_parts(recipe: Recipe) -> list[str]:
    return [name for name in recipe.__struct_fields__ if not getattr(recipe, name)]


def _recipe_hint(unknown: Sequence[str]) -> str:
    """Return the line that gives the code, the one part of a recipe that `log_model` cannot find."""
    return "run.log_model(..., code=FUNCTION)" if "code_digest" in unknown else ""


def _gate_command(version: ModelVersion) -> str:
    return f"paddock models gate {version.ref} --rows DATASET --label COLUMN"
