"""Datasets and their versions."""

from paddock.wire.structs.base import Resource, Time


class Field(Resource, frozen=True, kw_only=True):
    name: str
    type: str


class DatasetVersion(Resource, frozen=True, kw_only=True):
    name: str
    version: int
    digest: str
    profile_digest: str
    format: str
    schema: tuple[Field, ...]
    row_count: int
    size_bytes: int
    created_at: Time
    principal: str
    source: str


class DatasetVersionPage(Resource, frozen=True, kw_only=True):
    versions: tuple[DatasetVersion, ...]
    next_cursor: str = ""


class Dataset(Resource, frozen=True, kw_only=True):
    name: str
    version_count: int
    latest: DatasetVersion


class DatasetPage(Resource, frozen=True, kw_only=True):
    datasets: tuple[Dataset, ...]
    next_cursor: str = ""
