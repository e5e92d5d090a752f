"""What a dataset version is; values only."""

from datetime import datetime
from typing import Literal

import msgspec

from paddock.kernel.digest import Digest
from paddock.kernel.refs import DatasetRef

FileFormat = Literal["parquet", "csv", "arrow"]


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column: its name and its Arrow type in Arrow's own notation, such as `timestamp[us]`."""

    name: str
    type: str


class Content(msgspec.Struct, frozen=True):
    """Everything about a version that follows from its bytes, and where they came from.

    digest: the object with the file's own bytes; profile_digest: the object with its profile;
    source: the name of the file, without its folder, or `table`.
    """

    name: str
    digest: Digest
    profile_digest: Digest
    format: FileFormat
    schema: tuple[Field, ...]
    row_count: int
    size_bytes: int
    source: str


class DatasetVersion(msgspec.Struct, frozen=True):
    """One immutable version of a dataset; `created_at` is when these bytes were first added."""

    name: str
    version: int
    digest: Digest
    profile_digest: Digest
    format: FileFormat
    schema: tuple[Field, ...]
    row_count: int
    size_bytes: int
    source: str
    principal: str
    created_at: datetime

    @property
    def ref(self) -> DatasetRef:
        return DatasetRef(self.name, self.version)


class DatasetSummary(msgspec.Struct, frozen=True):
    """A dataset in a list: its newest version, and how many there are."""

    name: str
    latest: DatasetVersion
    version_count: int
