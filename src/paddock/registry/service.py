"""Registering versions, moving aliases, and telling where they stood."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from paddock.evaluation import ReportSummary, find_report_summary, note_registration
from paddock.kernel.clock import Clock
from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.errors import Conflict, IntegrityError, InvalidInput, NotFound, PromotionRefused
from paddock.kernel.names import check_name, nearest
from paddock.kernel.refs import Actor, DatasetRef, ModelVersionRef, ProjectId, parse_ref, parse_version
from paddock.metadata import Json, Metadata, Reader, Transaction, once_for
from paddock.objects import ObjectStore
from paddock.registry import rules, sql
from paddock.registry.events import move_event, registration_data, version_event
from paddock.registry.packages import find_missing_objects
from paddock.registry.records import (
    AliasChange,
    ModelSummary,
    ModelVersion,
    Recipe,
    Verdict,
    Verification,
    WayBack,
)

_NO_RECIPE = Recipe()


@dataclass(frozen=True, slots=True)
class Registry:
    """Model versions of one project. A ref is `delay@7`, `delay@champion`, or `delay` for the latest."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def register_version(
        self,
        name: str,
        package_digest: Digest,
        *,
        run_id: str = "",
        refit_of: int = 0,
        report_id: str = "",
        datasets: tuple[DatasetRef, ...] = (),
        recipe: Recipe = _NO_RECIPE,
        key: str = "",
    ) -> ModelVersion:
        """Give a stored package the next version number of `name`, the first one being 1.

        refit_of: the version whose recipe was fitted again on more rows; all three digests of
        `recipe` must then equal its. report_id: a gate report about exactly this package.
        Raises NotFound when the package lacks an object, or there is no such parent or report;
        Conflict when recipe or report belong to something else. Event `model.registered`.
        """

        def change(tx: Transaction) -> ModelVersion:
            number = sql.find_latest_version(tx, project_id, name) + 1
            version = msgspec.structs.replace(draft, version=number)
            if refit_of:
                parent = _get_version(tx, project_id, ModelVersionRef(name, refit_of))
                _demand(rules.check_recipe(recipe, parent))
            if not sql.has_model(tx, project_id, name):
                sql.insert_model(tx, project_id, version)
            sql.insert_version(tx, project_id, version)
            if report_id:
                self._link_report(tx, version, report_id)
            data = registration_data(version)
            tx.append_event(version_event(self.actor, "model.registered", version, data, now))
            return version

        project_id, now = self.actor.project_id, self.clock.now()
        check_name("model", name)
        draft = ModelVersion(
            name=name,
            version=0,
            package_digest=parse_digest(package_digest),
            run_id=run_id,
            refit_of=refit_of,
            report_id=report_id,
            datasets=datasets,
            recipe=recipe,
            verification=None,
            aliases=(),
            principal=self.actor.principal,
            created_at=now,
        )
        missing = find_missing_objects(self.objects, draft.package_digest)
        if missing:
            raise NotFound(_lacking(f"package `{package_digest}`", missing))
        request = ("register_version", name, package_digest, run_id, refit_of, report_id, datasets, recipe)
        return self.metadata.write(change, once=once_for(self.actor, key, request, ModelVersion))

    def attach_report(self, ref: ModelVersionRef | str, report_id: str, *, key: str = "") -> ModelVersion:
        """Let a version stand on a gate report about exactly its package, passed or not.

        Replaces the report it stood on; attaching that one again changes nothing. Raises NotFound,
        or Conflict for a report about another model or package. Event `model.report_attached`.
        """

        def change(tx: Transaction) -> ModelVersion:
            version = _get_version(tx, project_id, ref)
            if version.report_id == report_id:
                return version
            self._link_report(tx, version, report_id)
            sql.set_report(tx, project_id, version, report_id)
            data: dict[str, Json] = {"report_id": report_id}
            tx.append_event(version_event(self.actor, "model.report_attached", version, data, now))
            return msgspec.structs.replace(version, report_id=report_id)

        project_id, now = self.actor.project_id, self.clock.now()
        request = ("attach_report", str(ref), report_id)
        return self.metadata.write(change, once=once_for(self.actor, key, request, ModelVersion))

    def record_verification(
        self,
        ref: ModelVersionRef | str,
        *,
        passed: bool,
        cause: str = "",
        words: str = "",
        key: str = "",
    ) -> ModelVersion:
        """Record a replay of a version's golden requests; the last one counts.

        cause: what made the answers differ, needed when it did not pass. Event `model.verified`.
        """

        def change(tx: Transaction) -> ModelVersion:
            version = _get_version(tx, project_id, ref)
            sql.insert_verification(tx, project_id, version, verification)
            data: dict[str, Json] = {"passed": passed, "cause": cause, "words": words}
            tx.append_event(version_event(self.actor, "model.verified", version, data, now))
            return msgspec.structs.replace(version, verification=verification)

        if passed == bool(cause):
            raise InvalidInput("a verification has a cause exactly when it did not pass")
        project_id, now = self.actor.project_id, self.clock.now()
        verification = Verification(passed, cause, words, self.actor.principal, now)
        request = ("record_verification", str(ref), passed, cause, words)
        return self.metadata.write(change, once=once_for(self.actor, key, request, ModelVersion))

    def promote(
        self,
        ref: ModelVersionRef | str,
        alias: str,
        *,
        reason: str,
        expected_version: int | None = None,
        key: str = "",
    ) -> AliasChange:
        """Point an alias at a version that a passed gate report, or its parent's, speaks for.

        expected_version: where the alias must still point (0: nowhere), None for where it points
        when this is called; Conflict when somebody else has moved it since. Pointing it where it
        points already changes nothing and returns the move that put it there. Raises
        PromotionRefused with what is missing. Event `model.promoted` for the champion,
        `alias.moved` for the challenger.
        """

        def change(tx: Transaction) -> AliasChange:
            version = _get_version(tx, project_id, ref)
            report_id = self._demand_report(tx, version)
            _demand_complete(version, prepared, PromotionRefused)
            history = sql.list_alias_changes(tx, project_id, version.name, target)
            _check_expected(f"{version.name}@{target}", rules.current_version(history), expected)
            if rules.current_version(history) == version.version:
                return history[-1]
            return self._move(
                tx,
                history,
                AliasChange(
                    name=version.name,
                    alias=target,
                    kind="promoted",
                    to_version=version.version,
                    reason=reason,
                    report_id=report_id,
                    way_back=prepared.way_back,
                    principal=self.actor.principal,
                    at=now,
                ),
            )

        target, project_id, now = rules.parse_alias(alias), self.actor.project_id, self.clock.now()
        _check_reason(reason)
        name, _ = parse_ref("model", str(ref))
        prepared = self._prepare(name, target, lambda reader: _get_version(reader, project_id, ref))
        expected = prepared.current if expected_version is None else expected_version
        request = ("promote", str(ref), alias, reason, expected_version)
        return self.metadata.write(change, once=once_for(self.actor, key, request, AliasChange))

    def rollback(
        self, name: str, *, reason: str, expected_version: int | None = None, key: str = ""
    ) -> AliasChange:
        """Return the champion to the version that was champion before it.

        Rolling back again goes back further, never forth; two that mean the same rollback give the
        version they want to leave as expected_version, and only one of them happens. Raises
        Conflict when the champion is another one, when there was none before it, or when the
        earlier one's package is no longer complete. Event `model.rolled_back`.
        """

        def before(reader: Reader) -> ModelVersion:
            _check_model(reader, project_id, name)
            history = sql.list_alias_changes(reader, project_id, name, "champion")
            number = rules.find_version_before(history)
            if not number:
                raise Conflict(
                    f"model `{name}` has no earlier champion to go back to",
                    hint=f"paddock models show {name}",
                )
            return _get_version(reader, project_id, ModelVersionRef(name, number))

        def change(tx: Transaction) -> AliasChange:
            history = sql.list_alias_changes(tx, project_id, name, "champion")
            _check_expected(f"{name}@champion", rules.current_version(history), expected)
            version = before(tx)
            _demand_complete(version, prepared, Conflict)
            return self._move(
                tx,
                history,
                AliasChange(
                    name=name,
                    alias="champion",
                    kind="rolled_back",
                    to_version=version.version,
                    reason=reason,
                    report_id=version.report_id,
                    way_back=prepared.way_back,
                    principal=self.actor.principal,
                    at=now,
                ),
            )

        project_id, now = self.actor.project_id, self.clock.now()
        _check_reason(reason)
        prepared = self._prepare(name, "champion", before)
        expected = prepared.current if expected_version is None else expected_version
        request = ("rollback", name, reason, expected_version)
        return self.metadata.write(change, once=once_for(self.actor, key, request, AliasChange))

    def clear_challenger(self, name: str, *, reason: str, key: str = "") -> AliasChange:
        """Let the challenger alias point nowhere. Conflict when it does already; event `alias.moved`."""

        def change(tx: Transaction) -> AliasChange:
            _get_version(tx, project_id, f"{name}@challenger")
            history = sql.list_alias_changes(tx, project_id, name, "challenger")
            return self._move(tx, history, move)

        project_id, now = self.actor.project_id, self.clock.now()
        _check_reason(reason)
        move = AliasChange(
            name=name,
            alias="challenger",
            kind="cleared",
            to_version=0,
            reason=reason,
            principal=self.actor.principal,
            at=now,
        )
        request = ("clear_challenger", name, reason)
        return self.metadata.write(change, once=once_for(self.actor, key, request, AliasChange))

    def get(self, ref: ModelVersionRef | str) -> ModelVersion:
        """Return one version. NotFound says what there is instead."""
        return self.metadata.read(lambda reader: _get_version(reader, self.actor.project_id, ref))

    def check_release(self, ref: ModelVersionRef | str) -> None:
        """Raise PromotionRefused unless `ref` might be promoted: only such a version may answer requests."""
        self.metadata.read(
            lambda reader: self._demand_report(reader, _get_version(reader, self.actor.project_id, ref))
        )

    def list_models(self) -> tuple[ModelSummary, ...]:
        """Return every model by name."""
        return self.metadata.read(lambda reader: sql.list_models(reader, self.actor.project_id))

    def list_versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return the versions of one model, the newest first, or raise NotFound."""

        def query(reader: Reader) -> tuple[ModelVersion, ...]:
            _check_model(reader, self.actor.project_id, name)
            return sql.list_versions(reader, self.actor.project_id, name)

        return self.metadata.read(query)

    def alias_history(self, name: str, alias: str = "champion") -> tuple[AliasChange, ...]:
        """Return every move of an alias, oldest first; empty when it never moved."""
        target = rules.parse_alias(alias)

        def query(reader: Reader) -> tuple[AliasChange, ...]:
            _check_model(reader, self.actor.project_id, name)
            return sql.list_alias_changes(reader, self.actor.project_id, name, target)

        return self.metadata.read(query)

    def champion_at(self, name: str, moment: datetime) -> AliasChange | None:
        """Return the move by which `name` had its champion at `moment`, and why; None before the first."""
        return rules.find_change_at(self.alias_history(name), moment)

    def _demand_report(self, tx: Reader, version: ModelVersion) -> str:
        """Return the report a promotion may stand on, or raise PromotionRefused."""
        project_id = self.actor.project_id
        report = find_report_summary(tx, project_id, version.report_id)
        parent: ModelVersion | None = None
        parent_report: ReportSummary | None = None
        if version.refit_of:
            parent = sql.find_version(tx, project_id, version.name, version.refit_of)
            standing = report.gated_as if report else parent.report_id if parent else ""
            parent_report = find_report_summary(tx, project_id, standing)
        verdict = rules.check_promotion(version, report, parent, parent_report)
        if not verdict.allowed:
            raise PromotionRefused(
                verdict.reason, hint=verdict.hint, model=version.name, version=version.version
            )
        chosen = report or parent_report
        return chosen.report_id if chosen else ""

    def _link_report(self, tx: Transaction, version: ModelVersion, report_id: str) -> None:
        report = find_report_summary(tx, self.actor.project_id, report_id)
        if report is None:
            raise NotFound(f"there is no gate report `{report_id[:64]}`")
        _demand(rules.check_report(version.name, version.package_digest, report))
        note_registration(tx, self.actor.project_id, report_id, version.version)

    def _prepare(self, name: str, alias: str, find: Callable[[Reader], ModelVersion]) -> "_Prepared":
        """Look at what no transaction may: whether both packages, new and old, are complete.

        What cannot be found is left to the transaction, so that a repeated call whose key is known
        still gets its first answer.
        """

        def query(reader: Reader) -> tuple[ModelVersion | None, ModelVersion | None]:
            history = sql.list_alias_changes(reader, project_id, name, alias)
            current = sql.find_version(reader, project_id, name, rules.current_version(history))
            try:
                return find(reader), current
            except (NotFound, Conflict):
                return None, current

        project_id = self.actor.project_id
        version, current = self.metadata.read(query)
        return _Prepared(
            target=version.version if version else 0,
            current=current.version if current else 0,
            missing=find_missing_objects(self.objects, version.package_digest) if version else (),
            way_back=self._check_way_back(current),
        )

    def _check_way_back(self, current: ModelVersion | None) -> WayBack:
        if current is None:
            return "none"
        try:
            missing = find_missing_objects(self.objects, current.package_digest)
        except IntegrityError:
            return "broken"
        return "broken" if missing else "ready"

    def _move(self, tx: Transaction, history: tuple[AliasChange, ...], move: AliasChange) -> AliasChange:
        """Append `move` to the history of its alias."""
        move = rules.plan_move(history, move)
        sql.insert_alias_change(tx, self.actor.project_id, move)
        tx.append_event(move_event(self.actor, move))
        return move


@dataclass(frozen=True, slots=True)
class _Prepared:
    """target, current: version numbers, 0 for none; missing: objects the target's package lacks."""

    target: int
    current: int
    missing: tuple[Digest, ...]
    way_back: WayBack


def _get_version(reader: Reader, project_id: ProjectId, ref: ModelVersionRef | str) -> ModelVersion:
    name, selector = parse_ref("model", str(ref))
    _check_model(reader, project_id, name)
    number = _find_number(reader, project_id, name, selector)
    version = sql.find_version(reader, project_id, name, number)
    if version is None:
        latest = sql.find_latest_version(reader, project_id, name)
        raise NotFound(
            f"model `{name}` has no version {number}; latest is {latest}",
            hint=f"paddock models show {name}",
            model=name,
            version=number,
        )
    return version


def _check_model(reader: Reader, project_id: ProjectId, name: str) -> None:
    """Raise NotFound, with the nearest name there is, when no model has this one."""
    if sql.has_model(reader, project_id, name):
        return
    match = nearest(name, sql.list_names(reader, project_id))
    hint = f"did you mean `{match}`" if match else "paddock models list"
    raise NotFound(f"there is no model `{name}`", hint=hint, model=name)


def _find_number(reader: Reader, project_id: ProjectId, name: str, selector: str) -> int:
    latest = sql.find_latest_version(reader, project_id, name)
    if not selector:
        return latest
    if selector[0].isdigit():
        return parse_version("model", selector)
    alias = rules.parse_alias(selector)
    number = sql.find_aliases(reader, project_id, name).get(alias, 0)
    if not number:
        hint = f"paddock models promote {name}@{latest} {alias}"
        raise NotFound(f"model `{name}` has no {alias}", hint=hint, model=name)
    return number


def _demand(verdict: Verdict) -> None:
    if not verdict.allowed:
        raise Conflict(verdict.reason, hint=verdict.hint)


def _demand_complete(version: ModelVersion, prepared: _Prepared, error: type[Conflict]) -> None:
    """Refuse a version other than the one that was looked at, or one whose package is torn."""
    if version.version != prepared.target:
        raise Conflict(
            f"model `{version.name}` was changed while this was under way", hint="look at it and try again"
        )
    if prepared.missing:
        raise error(_lacking(f"package of `{version.ref}`", prepared.missing), hint="paddock restore")


def _check_expected(pointer: str, current: int, expected: int) -> None:
    if current != expected:
        raise Conflict(
            f"`{pointer}` points at version {current}, not at {expected} as expected (0 is nowhere)",
            hint="look at the alias again, then decide anew",
            current_version=current,
            expected_version=expected,
        )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("an alias is moved for a reason, and none was given", hint='--reason "..."')


def _lacking(what: str, missing: tuple[Digest, ...]) -> str:
    more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
    return f"{what} lacks object `{missing[0]}`{more}"
