"""Versions as clients of MLflow keep them: those without a package, and what can be said of any version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from paddock.kernel.clock import Clock
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refs import Actor
from paddock.metadata import Json, Metadata, Reader, Transaction, once_for
from paddock.registry import naming, rules
from paddock.registry.aliases import clear_free
from paddock.registry.events import registration_data, version_event
from paddock.registry.finding import require_model, require_version
from paddock.registry.origins import Origin, find_address, resolve_source
from paddock.registry.records import (
    NO_PACKAGE,
    ModelVersion,
    Recipe,
    Search,
    Stage,
    VersionPage,
    is_prompt,
)
from paddock.registry.sources import PROMPT_SOURCES, refuse
from paddock.registry.sql import aliases, models, versions
from paddock.registry.sql.search import find_versions

T = TypeVar("T")

_ACTIVE: tuple[Stage, ...] = ("Staging", "Production")


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a client says of a version it registers. run_id, model_id: whose files they are, or empty."""

    source: str
    run_id: str = ""
    model_id: str = ""
    run_link: str = ""
    description: str = ""
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RegisteredVersions:
    """The versions of one project. What a package fixes is not changed here. Each change is an event."""

    metadata: Metadata
    clock: Clock
    actor: Actor

    def register(self, name: str, wanted: NewVersion, *, key: str = "") -> ModelVersion:
        """Give what lies at a source the next version number of a model that is there.

        Raises InvalidInput for a source that no version may have (see sources.py), NotFound for an unknown
        model. Event `model.registered`.
        """
        tags = wanted.tags or {}
        naming.check_model_name(name)
        naming.check_tags(tags)
        naming.check_description(wanted.description)
        now = self.clock.now()

        def change(tx: Transaction) -> ModelVersion:
            require_model(tx, self.actor.project_id, name)
            origin = self._resolve(tx, name, wanted)
            version = ModelVersion(
                name=name,
                version=models.take_number(tx, self.actor.project_id, name, now),
                package_digest=NO_PACKAGE,
                run_id=origin.run_id,
                refit_of=0,
                report_id="",
                datasets=(),
                recipe=Recipe(),
                verification=None,
                aliases=(),
                principal=self.actor.principal,
                created_at=now,
                source=origin.source,
                origin=origin.origin,
                model_id=origin.model_id,
                run_link=wanted.run_link[:500],
                description=wanted.description,
                tags=tags,
                updated_at=now,
            )
            versions.insert_version(tx, self.actor.project_id, version)
            versions.set_tags(tx, self.actor, version, tags)
            self._tell(tx, "model.registered", version, registration_data(version), now)
            return version

        return self._write(change, key, ("register", name, wanted), ModelVersion)

    def get(self, name: str, number: int) -> ModelVersion:
        """Return a version by its number, or raise NotFound."""
        naming.check_model_name(name)
        return self.metadata.read(lambda reader: require_version(reader, self.actor.project_id, name, number))

    def get_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version an alias points at, the newest for `latest`; InvalidInput when there is none."""
        naming.check_model_name(name)
        naming.check_alias_name(alias, is_new=False)
        project_id = self.actor.project_id

        def query(reader: Reader) -> ModelVersion:
            require_model(reader, project_id, name)
            if alias.lower() == "latest":
                number = versions.find_latest_version(reader, project_id, name)
                if not number:
                    raise NotFound(f"Latest version not found for model {name}.")
            else:
                last = aliases.find_last_change(reader, project_id, name, alias)
                number = last.to_version if last else 0
            if not number:
                raise InvalidInput(f"Registered model alias {alias} not found.")
            return require_version(reader, project_id, name, number)

        return self.metadata.read(query)

    def describe(self, name: str, number: int, description: str, *, key: str = "") -> ModelVersion:
        """Say anew what a version is. Event `model_version.described`."""
        naming.check_description(description)
        now = self.clock.now()

        def change(tx: Transaction) -> ModelVersion:
            version = require_version(tx, self.actor.project_id, name, number)
            versions.set_description(tx, self.actor.project_id, version, description, now)
            self._tell(tx, "model_version.described", version, {"description": description}, now)
            return require_version(tx, self.actor.project_id, name, number)

        return self._write(change, key, ("describe_version", name, number, description), ModelVersion)

    def delete(self, name: str, number: int, *, key: str = "") -> None:
        """Delete a version without a package for good; its number is not given again.

        Aliases that point at it point nowhere then. Conflict for one with a package, and in a model with
        packages for one that was champion. Event `model_version.deleted`.
        """
        now, project_id = self.clock.now(), self.actor.project_id

        def change(tx: Transaction) -> None:
            version = require_version(tx, project_id, name, number)
            model = require_model(tx, project_id, name)
            history = aliases.list_alias_changes(tx, project_id, name, "champion")
            rules.demand(rules.check_deletable(version, history, has_packages=model.has_packages))
            for alias in version.aliases:
                clear_free(tx, self.actor, name, alias, f"version {number} was deleted", now)
            versions.delete_version(tx, project_id, version)
            models.touch_model(tx, project_id, name, now)
            self._tell(tx, "model_version.deleted", version, {"source": version.source_uri}, now)

        self._write(change, key, ("delete_version", name, number), type(None))

    def set_tag(self, name: str, number: int, tag: str, value: str, *, key: str = "") -> None:
        """Set a tag; one that exists is overwritten. Event `model_version.tag_set`."""
        naming.check_tags({tag: value})
        now = self.clock.now()

        def change(tx: Transaction) -> None:
            version = require_version(tx, self.actor.project_id, name, number)
            versions.set_tags(tx, self.actor, version, {tag: value})
            self._tell(tx, "model_version.tag_set", version, {"key": tag, "value": value}, now)

        self._write(change, key, ("set_version_tag", name, number, tag, value), type(None))

    def delete_tag(self, name: str, number: int, tag: str, *, key: str = "") -> None:
        """Take a tag away; one that is not there is no error. Event `model_version.tag_deleted`."""
        naming.check_tag_key(tag)
        now = self.clock.now()

        def change(tx: Transaction) -> None:
            version = require_version(tx, self.actor.project_id, name, number)
            if versions.delete_tag(tx, self.actor.project_id, version, tag):
                self._tell(tx, "model_version.tag_deleted", version, {"key": tag}, now)

        self._write(change, key, ("delete_version_tag", name, number, tag), type(None))

    def set_stage(
        self, name: str, number: int, stage: str, *, archive_others: bool = False, key: str = ""
    ) -> ModelVersion:
        """Call a version without a package by a stage. archive_others: those that are in it leave it.

        Conflict for a version with a package, whose stage follows from champion and challenger. Event
        `model.stage_changed`.
        """
        wanted = naming.parse_stage(stage)
        if archive_others and wanted not in _ACTIVE:
            raise InvalidInput(
                "Model version transition cannot archive existing model versions because "
                f"'{stage[:40]}' is not an Active stage. Valid stages are {list(_ACTIVE)}"
            )
        now, project_id = self.clock.now(), self.actor.project_id

        def change(tx: Transaction) -> ModelVersion:
            version = require_version(tx, project_id, name, number)
            rules.demand(rules.check_stage(version, wanted))
            others = versions.list_in_stage(tx, project_id, name, wanted) if archive_others else ()
            archived = [other for other in others if other != number]
            for other in archived:
                versions.archive(tx, project_id, name, other, now)
            versions.set_stage(tx, project_id, version, wanted, now)
            models.touch_model(tx, project_id, name, now)
            data: dict[str, Json] = {"from": version.stage, "to": wanted, "archived": archived}
            self._tell(tx, "model.stage_changed", version, data, now)
            return require_version(tx, project_id, name, number)

        request = ("set_stage", name, number, wanted, archive_others)
        return self._write(change, key, request, ModelVersion)

    def find_download_uri(self, name: str, number: int) -> str:
        """Return where a client finds the files of a version; the rules of sources are asked once more."""

        def query(reader: Reader) -> str:
            version = require_version(reader, self.actor.project_id, name, number)
            if version.has_package:
                return version.source_uri
            return find_address(reader, self.actor.project_id, version)

        return self.metadata.read(query)

    def search(self, search: Search) -> VersionPage:
        """Return a page of versions, the last changed first unless another order is asked."""

        def query(reader: Reader) -> VersionPage:
            return VersionPage(*find_versions(reader, self.actor.project_id, search))

        return self.metadata.read(query)

    def _resolve(self, tx: Transaction, name: str, wanted: NewVersion) -> Origin:
        tags = models.get_tags(tx, self.actor.project_id, [name]).get(name, {})
        if not is_prompt(tags):
            return resolve_source(
                tx, self.actor.project_id, wanted.source, run_id=wanted.run_id, model_id=wanted.model_id
            )
        if wanted.source not in PROMPT_SOURCES:
            raise refuse(wanted.source, "A prompt has its text in a tag, and no source")
        return Origin(wanted.source, wanted.source, wanted.run_id, wanted.model_id)

    def _tell(
        self, tx: Transaction, kind: str, version: ModelVersion, data: Mapping[str, Json], at: datetime
    ) -> None:
        told = {"is_prompt": is_prompt(version.tags), **data}
        tx.append_event(version_event(self.actor, kind, version, told, at))

    def _write(self, change: Callable[[Transaction], T], key: str, request: object, kind: type[T]) -> T:
        return self.metadata.write(change, once=once_for(self.actor, key, request, kind))
