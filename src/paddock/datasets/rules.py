"""Decisions about dataset versions: values in, values out."""

from collections.abc import Sequence
from datetime import datetime

from paddock.datasets.records import Content, DatasetVersion
from paddock.kernel.errors import NotFound
from paddock.kernel.names import nearest


def plan_version(content: Content, latest: int, principal: str, at: datetime) -> DatasetVersion:
    """Return the version that follows number `latest` (0 for a new dataset)."""
    return DatasetVersion(
        name=content.name,
        version=latest + 1,
        digest=content.digest,
        profile_digest=content.profile_digest,
        format=content.format,
        schema=content.schema,
        row_count=content.row_count,
        size_bytes=content.size_bytes,
        source=content.source,
        principal=principal,
        created_at=at,
    )


def content_of(version: DatasetVersion) -> Content:
    """Return what `version` was made from."""
    return Content(
        name=version.name,
        digest=version.digest,
        profile_digest=version.profile_digest,
        format=version.format,
        schema=version.schema,
        row_count=version.row_count,
        size_bytes=version.size_bytes,
        source=version.source,
    )


def no_dataset(name: str, known: Sequence[str]) -> NotFound:
    """Return the error for a name that no dataset has, with the nearest one that there is.

    >>> no_dataset("fligths", ["flights"]).hint
    'paddock data show flights'
    """
    match = nearest(name, known)
    hint = f"paddock data show {match}" if match else "paddock data list"
    return NotFound(f"there is no dataset `{name}`", hint=hint, dataset=name)


def no_version(name: str, version: int, latest: int) -> NotFound:
    """Return the error for a version that a dataset does not have.

    >>> no_version("flights", 7, 5).message
    'dataset `flights` has no version 7; latest is 5'
    """
    return NotFound(
        f"dataset `{name}` has no version {version}; latest is {latest}",
        hint=f"paddock data show {name}",
        dataset=name,
        version=version,
    )
