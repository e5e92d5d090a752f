"""Models and versions in MLflow's form, and what both are told in the same way."""

from collections.abc import Iterable, Mapping

import msgspec

from paddock.kernel.clock import to_micros
from paddock.mlflow_api.answers import Field
from paddock.mlflow_api.errors import missing_value
from paddock.mlflow_api.runs import Pair
from paddock.registry import ModelVersion, RegisteredModel


class VersionInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version. Times are milliseconds; the number is a text."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str
    source: str
    status: str
    tags: list[Field]
    aliases: list[str]
    user_id: str = ""
    description: str = ""
    run_id: str = ""
    run_link: str = ""
    model_id: str = ""


class AliasInfo(msgspec.Struct, frozen=True):
    alias: str
    version: str


class ModelInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model with the newest version of each stage. Times are milliseconds."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    latest_versions: list[VersionInfo]
    tags: list[Field]
    aliases: list[AliasInfo]
    user_id: str = ""
    description: str = ""


def registered_model(model: RegisteredModel) -> ModelInfo:
    """Return what MLflow's clients know of a model."""
    return ModelInfo(
        name=model.name,
        creation_timestamp=to_micros(model.created_at) // 1000,
        last_updated_timestamp=to_micros(model.updated_at) // 1000,
        latest_versions=[version_info(each) for each in model.latest],
        tags=_fields(model.tags),
        aliases=[AliasInfo(alias, str(version)) for alias, version in model.aliases.items()],
        user_id=model.principal,
        description=model.description,
    )


def version_info(version: ModelVersion) -> VersionInfo:
    """Return what MLflow's clients know of a version; of one with a package, its address in Paddock."""
    return VersionInfo(
        name=version.name,
        version=str(version.version),
        creation_timestamp=to_micros(version.created_at) // 1000,
        last_updated_timestamp=to_micros(version.updated_at or version.created_at) // 1000,
        current_stage=version.shown_stage,
        source=version.source_uri,
        status="READY",
        tags=_fields(version.tags),
        aliases=list(version.aliases),
        user_id=version.principal,
        description=version.description,
        run_id=version.run_id,
        run_link=version.run_link,
        model_id=version.model_id,
    )


def read_tags(pairs: Iterable[Pair]) -> dict[str, str]:
    """Return tags by key, the last one of each."""
    found: dict[str, str] = {}
    for place, pair in enumerate(pairs):
        if not pair.key:
            raise missing_value(f"tags[{place}].key")
        found[pair.key] = pair.value
    return found


def _fields(tags: Mapping[str, str]) -> list[Field]:
    return [Field(key, value) for key, value in tags.items()]
