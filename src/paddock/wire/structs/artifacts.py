"""Artifacts by page, uploads in parts, and what a collection frees."""

from typing import Annotated, Literal

import msgspec

from paddock.wire.structs.base import Count, Request, Resource, ShortText, Time

Path = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


class ArtifactEntry(Resource, frozen=True, kw_only=True):
    """A file or a folder; a folder has no size and no digest of its own."""

    path: str
    is_folder: bool
    size_bytes: int
    digest: str


class ArtifactPage(Resource, frozen=True, kw_only=True):
    """By bytes of the path, a folder as if it ended in `/`. `next_cursor` is empty on the last page."""

    entries: tuple[ArtifactEntry, ...]
    next_cursor: str = ""


class ArtifactTotal(Resource, frozen=True, kw_only=True):
    """How many files, and their bytes."""

    file_count: int
    size_bytes: int


class CreateUpload(Request, frozen=True, kw_only=True):
    """A file that will come in parts. `size_bytes` -1, `part_count` 0: not known yet."""

    path: Path
    size_bytes: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] = -1
    part_count: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class UploadPart(Resource, frozen=True, kw_only=True):
    """A part that has arrived; `number` counts from 1."""

    number: int
    digest: str
    size_bytes: int


class Upload(Resource, frozen=True, kw_only=True):
    """An upload under way, or complete. It is dropped at `expires_at`, which each part puts off."""

    upload_id: str
    owner: str
    path: str
    size_bytes: int
    part_count: int
    state: Literal["open", "complete"]
    digest: str
    created_at: Time
    expires_at: Time
    parts: tuple[UploadPart, ...] = ()


class PartRef(Request, frozen=True, kw_only=True):
    """A part that belongs to the file. `digest`: what it must have; empty is not compared."""

    number: Count
    digest: ShortText = ""


class CompleteUpload(Request, frozen=True, kw_only=True):
    """The parts in their order; none means all that have arrived."""

    parts: Annotated[tuple[PartRef, ...], msgspec.Meta(max_length=10_000)] = ()


class FreedObject(Resource, frozen=True, kw_only=True):
    digest: str
    size_bytes: int


class Leftover(Resource, frozen=True, kw_only=True):
    """Files of a run that was purged, or the parts of the upload `upload_id`, which has expired."""

    project_id: str
    owner: str
    upload_id: str
    file_count: int
    size_bytes: int


class GcReport(Resource, frozen=True, kw_only=True):
    """What nothing refers to: `freed` when `is_deleted`, otherwise what would be.

    `object_count`, `size_bytes`: all that was there. `young_count`, `young_bytes`: of objects that nothing
    refers to, but that are too young to go.
    """

    is_deleted: bool
    object_count: int
    size_bytes: int
    young_count: int
    young_bytes: int
    freed_bytes: int
    freed: tuple[FreedObject, ...]
    leftovers: tuple[Leftover, ...]
