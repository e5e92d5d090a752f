"""Registering versions, moving aliases, and telling where they stood."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from paddock.evaluation import ReportSummary, find_report_summary, note_registration
from paddock.kernel.clock import Clock
from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.errors import Conflict, IntegrityError, InvalidInput, NotFound, PromotionRefused
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor, DatasetRef, ModelVersionRef, refuse_unnamed
from paddock.metadata import Json, Metadata, Reader, Transaction, once_for
from paddock.objects import ObjectStore
from paddock.registry import naming, rules
from paddock.registry.aliases import clear_free, set_free
from paddock.registry.events import created_event, move_event, registration_data, version_event
from paddock.registry.finding import check_model, get_version, require_model
from paddock.registry.models import RegisteredModels
from paddock.registry.moves import Prepared, check_expected, check_reason, demand_complete, lacking
from paddock.registry.packages import find_missing_objects
from paddock.registry.records import (
    ALIASES,
    Alias,
    AliasChange,
    ModelSummary,
    ModelVersion,
    Recipe,
    Verification,
    WayBack,
)
from paddock.registry.sql import aliases, models, versions
from paddock.registry.versions import RegisteredVersions

_NO_RECIPE = Recipe()
_BY_CLIENT = "set by a client of MLflow"


@dataclass(frozen=True, slots=True)
class Registry:
    """Model versions of one project. A ref is `delay@7`, `delay@champion`, or `delay` for the latest."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    @property
    def models(self) -> RegisteredModels:
        """Models as such: made and described without a version, renamed, deleted, searched."""
        return RegisteredModels(self.metadata, self.clock, self.actor)

    @property
    def versions(self) -> RegisteredVersions:
        """Versions without a package, and what can be said of any version."""
        return RegisteredVersions(self.metadata, self.clock, self.actor)

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
            if refit_of:
                parent = get_version(tx, project_id, ModelVersionRef(name, refit_of))
                rules.demand(rules.check_recipe(recipe, parent))
            if not models.has_model(tx, project_id, name):
                models.insert_model(tx, self.actor, name, "", now)
                tx.append_event(created_event(self.actor, name, "", {}, now))
            number = models.take_number(tx, project_id, name, now)
            version = msgspec.structs.replace(draft, version=number)
            versions.insert_version(tx, project_id, version)
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
            updated_at=now,
        )
        missing = find_missing_objects(self.objects, draft.package_digest)
        if missing:
            raise NotFound(lacking(f"package `{package_digest}`", missing))
        request = ("register_version", name, package_digest, run_id, refit_of, report_id, datasets, recipe)
        return self.metadata.write(change, once=once_for(self.actor, key, request, ModelVersion))

    def attach_report(self, ref: ModelVersionRef | str, report_id: str, *, key: str = "") -> ModelVersion:
        """Let a version stand on a gate report about exactly its package, passed or not.

        Replaces the report it stood on; attaching that one again changes nothing. Raises NotFound,
        or Conflict for a report about another model or package. Event `model.report_attached`.
        """

        def change(tx: Transaction) -> ModelVersion:
            version = get_version(tx, project_id, ref)
            if version.report_id == report_id:
                return version
            self._link_report(tx, version, report_id)
            versions.set_report(tx, project_id, version, report_id)
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
            version = get_version(tx, project_id, ref)
            versions.insert_verification(tx, project_id, version, verification)
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

        ref: by number or by alias; a name alone is InvalidInput, as the newest version may be another one
        than was meant. expected_version: where the alias must still point (0: nowhere), None for where it
        points when this is called; Conflict when somebody else has moved it since. Pointing it where it
        points already changes nothing and returns the move that put it there. Raises
        PromotionRefused with what is missing. Event `model.promoted` for the champion,
        `alias.moved` for the challenger.
        """

        def change(tx: Transaction) -> AliasChange:
            version = get_version(tx, project_id, ref)
            report_id = self._demand_report(tx, version)
            demand_complete(version, prepared, PromotionRefused)
            history = aliases.list_alias_changes(tx, project_id, version.name, target)
            check_expected(f"{version.name}@{target}", rules.current_version(history), expected)
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
        check_reason(reason)
        name, selector = naming.parse_model_ref(str(ref))
        if not selector:
            raise self._refuse_unnamed(name, target)
        prepared = self._prepare(name, target, lambda reader: get_version(reader, project_id, ref))
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
            check_model(reader, project_id, name)
            history = aliases.list_alias_changes(reader, project_id, name, "champion")
            number = rules.find_version_before(history)
            if not number:
                raise Conflict(
                    f"model `{name}` has no earlier champion to go back to",
                    hint=f"paddock models show {name}",
                )
            version = get_version(reader, project_id, ModelVersionRef(name, number))
            rules.demand(rules.check_package(version))
            return version

        def change(tx: Transaction) -> AliasChange:
            history = aliases.list_alias_changes(tx, project_id, name, "champion")
            check_expected(f"{name}@champion", rules.current_version(history), expected)
            version = before(tx)
            demand_complete(version, prepared, Conflict)
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
        check_reason(reason)
        prepared = self._prepare(name, "champion", before)
        expected = prepared.current if expected_version is None else expected_version
        request = ("rollback", name, reason, expected_version)
        return self.metadata.write(change, once=once_for(self.actor, key, request, AliasChange))

    def clear_challenger(self, name: str, *, reason: str, key: str = "") -> AliasChange:
        """Let the challenger alias point nowhere. Conflict when it does already; event `alias.moved`."""

        def change(tx: Transaction) -> AliasChange:
            get_version(tx, project_id, f"{name}@challenger")
            history = aliases.list_alias_changes(tx, project_id, name, "challenger")
            return self._move(tx, history, move)

        project_id, now = self.actor.project_id, self.clock.now()
        check_reason(reason)
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

    def set_alias(
        self, name: str, alias: str, version: int, *, reason: str = _BY_CLIENT, key: str = ""
    ) -> AliasChange:
        """Point any alias at a version, as clients of MLflow do; where it points already, nothing changes.

        champion and challenger of a model with packages move by `promote` alone, which this then is: it
        raises PromotionRefused with what is missing. Event `model.alias_set` for every other alias.
        """
        naming.check_alias_name(alias)
        if alias in ALIASES and self._has_packages(name):
            return self.promote(ModelVersionRef(name, version), alias, reason=reason, key=key)
        now = self.clock.now()

        def change(tx: Transaction) -> AliasChange:
            return set_free(tx, self.actor, name, alias, version, reason, now)

        request = ("set_alias", name, alias, version, reason)
        return self.metadata.write(change, once=once_for(self.actor, key, request, AliasChange))

    def delete_alias(self, name: str, alias: str, *, reason: str = _BY_CLIENT, key: str = "") -> None:
        """Let an alias point nowhere; where it does already, nothing changes. Event `model.alias_deleted`.

        PromotionRefused for the champion of a model with packages, which is only ever replaced.
        """
        naming.check_alias_name(alias, is_new=False)
        if alias in ALIASES and self._has_packages(name):
            if alias == "champion":
                raise PromotionRefused(
                    f"`{name}@champion` is replaced or rolled back, and never deleted: versions with a"
                    " package answer requests under it",
                    hint=f'paddock rollback {name} --reason "..."',
                    model=name,
                )
            if alias in self.metadata.read(self._pointing(name)):
                self.clear_challenger(name, reason=reason, key=key)
            return
        now = self.clock.now()
        request = ("delete_alias", name, alias, reason)
        self.metadata.write(
            lambda tx: clear_free(tx, self.actor, name, alias, reason, now),
            once=once_for(self.actor, key, request, type(None)),
        )

    def get(self, ref: ModelVersionRef | str) -> ModelVersion:
        """Return one version. NotFound says what there is instead."""
        return self.metadata.read(lambda reader: get_version(reader, self.actor.project_id, ref))

    def get_packaged(self, ref: ModelVersionRef | str) -> ModelVersion:
        """Return one version that can be measured and served; Conflict for one without a package."""
        version = self.get(ref)
        rules.demand(rules.check_package(version))
        return version

    def check_release(self, ref: ModelVersionRef | str) -> None:
        """Raise PromotionRefused unless `ref` might be promoted: only such a version may answer requests."""
        self.metadata.read(
            lambda reader: self._demand_report(reader, get_version(reader, self.actor.project_id, ref))
        )

    def list_models(self) -> tuple[ModelSummary, ...]:
        """Return every model by name, those without a version too; prompts are none."""
        return self.metadata.read(lambda reader: models.list_models(reader, self.actor.project_id))

    def list_versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return the versions of one model, the newest first, or raise NotFound."""

        def query(reader: Reader) -> tuple[ModelVersion, ...]:
            check_model(reader, self.actor.project_id, name)
            return versions.list_versions(reader, self.actor.project_id, name)

        return self.metadata.read(query)

    def alias_history(self, name: str, alias: str = "champion") -> tuple[AliasChange, ...]:
        """Return every move of an alias, oldest first; of champion and challenger also when there is none."""

        def query(reader: Reader) -> tuple[AliasChange, ...]:
            check_model(reader, self.actor.project_id, name)
            moves = aliases.list_alias_changes(reader, self.actor.project_id, name, alias)
            if not moves:
                pointing = aliases.find_aliases(reader, self.actor.project_id, name)
                rules.parse_alias(alias, also=pointing)
            return moves

        return self.metadata.read(query)

    def list_moves(self, name: str) -> tuple[AliasChange, ...]:
        """Return every move of every alias of a model, oldest first."""

        def query(reader: Reader) -> tuple[AliasChange, ...]:
            check_model(reader, self.actor.project_id, name)
            return aliases.list_all_changes(reader, self.actor.project_id, name)

        return self.metadata.read(query)

    def champion_at(self, name: str, moment: datetime) -> AliasChange | None:
        """Return the move by which `name` had its champion at `moment`, and why; None before the first."""
        return rules.find_change_at(self.alias_history(name), moment)

    def _has_packages(self, name: str) -> bool:
        return self.metadata.read(
            lambda reader: require_model(reader, self.actor.project_id, name).has_packages
        )

    def _pointing(self, name: str) -> Callable[[Reader], Mapping[str, int]]:
        return lambda reader: aliases.find_aliases(reader, self.actor.project_id, name)

    def _refuse_unnamed(self, name: str, alias: Alias) -> InvalidInput:
        """Return the error for a promotion of no version in particular; NotFound for an unknown model."""

        def query(reader: Reader) -> int:
            check_model(reader, self.actor.project_id, name)
            return versions.find_latest_version(reader, self.actor.project_id, name)

        latest = self.metadata.read(query)
        suffix = "" if alias == "champion" else f" {alias}"
        return refuse_unnamed("model", name, latest, hint=f"paddock models promote {name}@{latest}{suffix}")

    def _demand_report(self, tx: Reader, version: ModelVersion) -> str:
        """Return the report a promotion may stand on, or raise PromotionRefused."""
        project_id = self.actor.project_id
        report = find_report_summary(tx, project_id, version.report_id)
        parent: ModelVersion | None = None
        parent_report: ReportSummary | None = None
        if version.refit_of:
            parent = versions.find_version(tx, project_id, version.name, version.refit_of)
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
        rules.demand(rules.check_report(version.name, version.package_digest, report))
        note_registration(tx, self.actor.project_id, report_id, version.version)

    def _prepare(self, name: str, alias: str, find: Callable[[Reader], ModelVersion]) -> Prepared:
        """Look at what no transaction may: whether both packages, new and old, are complete.

        What cannot be found is left to the transaction, so that a repeated call whose key is known
        still gets its first answer.
        """

        def query(reader: Reader) -> tuple[ModelVersion | None, ModelVersion | None]:
            history = aliases.list_alias_changes(reader, project_id, name, alias)
            current = versions.find_version(reader, project_id, name, rules.current_version(history))
            try:
                return find(reader), current
            except (NotFound, Conflict):
                return None, current

        project_id = self.actor.project_id
        version, current = self.metadata.read(query)
        return Prepared(
            target=version.version if version else 0,
            current=current.version if current else 0,
            missing=self._find_missing(version),
            way_back=self._check_way_back(current),
        )

    def _find_missing(self, version: ModelVersion | None) -> tuple[Digest, ...]:
        if version is None or not version.has_package:
            return ()
        return find_missing_objects(self.objects, version.package_digest)

    def _check_way_back(self, current: ModelVersion | None) -> WayBack:
        if current is None or not current.has_package:
            return "none"
        try:
            missing = find_missing_objects(self.objects, current.package_digest)
        except IntegrityError:
            return "broken"
        return "broken" if missing else "ready"

    def _move(self, tx: Transaction, history: tuple[AliasChange, ...], move: AliasChange) -> AliasChange:
        """Append `move` to the history of its alias."""
        move = rules.plan_move(history, move)
        aliases.insert_alias_change(tx, self.actor.project_id, move)
        tx.append_event(move_event(self.actor, move))
        return move
