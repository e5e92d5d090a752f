"""Registered models: make, describe, rename, delete and find them. Versions are in versions.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from paddock.kernel.clock import Clock
from paddock.kernel.errors import AlreadyExists, Conflict
from paddock.kernel.refs import Actor
from paddock.metadata import Json, Metadata, Reader, Transaction, once_for
from paddock.registry import naming, rules
from paddock.registry.events import created_event, model_event
from paddock.registry.finding import require_model
from paddock.registry.records import ModelPage, ModelVersion, RegisteredModel, Search, is_prompt
from paddock.registry.sql import aliases, models, versions
from paddock.registry.sql.search import find_models

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RegisteredModels:
    """The models of one project, those with packages and those without. Each change is an event."""

    metadata: Metadata
    clock: Clock
    actor: Actor

    def create(
        self,
        name: str,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        key: str = "",
    ) -> RegisteredModel:
        """Make a model without versions; AlreadyExists for a name that is taken. Event `model.created`."""
        tags = tags or {}
        naming.check_model_name(name)
        naming.check_description(description)
        naming.check_tags(tags)
        now = self.clock.now()

        def change(tx: Transaction) -> RegisteredModel:
            if models.has_model(tx, self.actor.project_id, name):
                raise self._refuse_taken(tx, name, tags)
            models.insert_model(tx, self.actor, name, description, now)
            models.set_tags(tx, self.actor, name, tags)
            tx.append_event(created_event(self.actor, name, description, tags, now))
            return self._get(tx, name)

        return self._write(change, key, ("create_model", name, description, tags), RegisteredModel)

    def get(self, name: str) -> RegisteredModel:
        """Return a model with its tags, aliases and the newest version of each stage, or raise NotFound."""
        naming.check_model_name(name)
        return self.metadata.read(lambda reader: self._get(reader, name))

    def describe(self, name: str, description: str, *, key: str = "") -> RegisteredModel:
        """Say anew what the model is. Event `model.described`."""
        naming.check_description(description)
        now = self.clock.now()

        def change(tx: Transaction) -> RegisteredModel:
            require_model(tx, self.actor.project_id, name)
            models.set_description(tx, self.actor.project_id, name, description, now)
            tx.append_event(
                model_event(self.actor, "model.described", name, {"description": description}, now)
            )
            return self._get(tx, name)

        return self._write(change, key, ("describe_model", name, description), RegisteredModel)

    def rename(self, name: str, new_name: str, *, key: str = "") -> RegisteredModel:
        """Give a model another name, with its versions, tags, aliases and their history.

        Conflict when a version has a package: gate reports, endpoints and predictions speak of it by name.
        AlreadyExists for a name that is taken. Event `model.renamed`.
        """
        naming.check_model_name(new_name)
        now, project_id = self.clock.now(), self.actor.project_id

        def change(tx: Transaction) -> RegisteredModel:
            rules.demand(rules.check_loose(require_model(tx, project_id, name), "renamed"))
            if new_name == name:
                return self._get(tx, name)
            if models.has_model(tx, project_id, new_name):
                raise AlreadyExists(f"Registered Model (name={new_name}) already exists.", model=new_name)
            models.copy_model(tx, project_id, name, new_name, now)  # rows must point at a model all the while
            versions.move_versions(tx, project_id, name, new_name, now)
            aliases.move_changes(tx, project_id, name, new_name)
            models.move_tags(tx, project_id, name, new_name)
            models.delete_model(tx, project_id, name)
            tx.append_event(model_event(self.actor, "model.renamed", name, {"to": new_name}, now))
            return self._get(tx, new_name)

        return self._write(change, key, ("rename_model", name, new_name), RegisteredModel)

    def delete(self, name: str, *, key: str = "") -> None:
        """Delete a model for good, with all its versions; its name is free then, and counts from 1 again.

        Conflict when a version has a package. What happened stays in the ledger. Event `model.deleted`.
        """
        now, project_id = self.clock.now(), self.actor.project_id

        def change(tx: Transaction) -> None:
            row = require_model(tx, project_id, name)
            rules.demand(rules.check_loose(row, "deleted"))
            aliases.delete_changes(tx, project_id, name)
            versions.delete_versions(tx, project_id, name)
            models.delete_model(tx, project_id, name)
            data: dict[str, Json] = {"last_version": row.last_version}
            tx.append_event(model_event(self.actor, "model.deleted", name, data, now))

        self._write(change, key, ("delete_model", name), type(None))

    def set_tag(self, name: str, tag: str, value: str, *, key: str = "") -> None:
        """Set a tag; one that exists is overwritten. Event `model.tag_set`."""
        naming.check_tags({tag: value})
        now = self.clock.now()

        def change(tx: Transaction) -> None:
            require_model(tx, self.actor.project_id, name)
            models.set_tags(tx, self.actor, name, {tag: value})
            data: dict[str, Json] = {"key": tag, "value": value, "is_prompt": self._is_prompt(tx, name)}
            tx.append_event(model_event(self.actor, "model.tag_set", name, data, now))

        self._write(change, key, ("set_model_tag", name, tag, value), type(None))

    def delete_tag(self, name: str, tag: str, *, key: str = "") -> None:
        """Take a tag away; one that is not there is no error. Event `model.tag_deleted`."""
        naming.check_tag_key(tag)
        now = self.clock.now()

        def change(tx: Transaction) -> None:
            require_model(tx, self.actor.project_id, name)
            of_prompt = self._is_prompt(tx, name)
            if models.delete_tag(tx, self.actor.project_id, name, tag):
                data: dict[str, Json] = {"key": tag, "is_prompt": of_prompt}
                tx.append_event(model_event(self.actor, "model.tag_deleted", name, data, now))

        self._write(change, key, ("delete_model_tag", name, tag), type(None))

    def latest_versions(self, name: str, stages: Sequence[str] = ()) -> tuple[ModelVersion, ...]:
        """Return the newest version of each of these stages, or of every stage, the oldest first."""
        wanted = naming.parse_stages(stages)
        return tuple(each for each in self.get(name).latest if each.shown_stage in wanted)

    def search(self, search: Search) -> ModelPage:
        """Return a page of models, by name unless another order is asked."""

        def query(reader: Reader) -> ModelPage:
            rows, cursor = find_models(reader, self.actor.project_id, search)
            return ModelPage(self._fill(reader, rows), cursor)

        return self.metadata.read(query)

    def _get(self, reader: Reader, name: str) -> RegisteredModel:
        return self._fill(reader, (require_model(reader, self.actor.project_id, name),))[0]

    def _fill(self, reader: Reader, rows: Sequence[models.ModelRow]) -> tuple[RegisteredModel, ...]:
        """Return the models with their tags, aliases and newest versions, in the same order."""
        project_id, names = self.actor.project_id, [row.name for row in rows]
        tags = models.get_tags(reader, project_id, names)
        pointing = aliases.find_aliases_of(reader, project_id, names)
        latest = rules.newest_by_stage(versions.list_latest(reader, project_id, names))
        return tuple(
            RegisteredModel(
                name=row.name,
                description=row.description,
                tags=tags.get(row.name, {}),
                aliases=pointing.get(row.name, {}),
                latest=latest.get(row.name, ()),
                last_version=row.last_version,
                has_packages=row.has_packages,
                principal=row.principal,
                created_at=row.created_at,
                updated_at=row.updated_at,
            )
            for row in rows
        )

    def _is_prompt(self, reader: Reader, name: str) -> bool:
        return is_prompt(models.get_tags(reader, self.actor.project_id, [name]).get(name, {}))

    def _refuse_taken(self, reader: Reader, name: str, tags: Mapping[str, str]) -> Conflict:
        """Return the error for a name that is taken: models and prompts share them."""
        words = {True: "Prompt", False: "Registered Model"}
        old = words[self._is_prompt(reader, name)]
        new = words[is_prompt(tags)]
        if old == new:
            return AlreadyExists(f"{new} (name={name}) already exists.", model=name)
        return AlreadyExists(
            f"Tried to create a {new.lower()} with name '{name}', but the name is already taken by a "
            f"{old.lower()}. MLflow does not allow creating a model and a prompt with the same name.",
            model=name,
        )

    def _write(self, change: Callable[[Transaction], T], key: str, request: object, kind: type[T]) -> T:
        return self.metadata.write(change, once=once_for(self.actor, key, request, kind))
