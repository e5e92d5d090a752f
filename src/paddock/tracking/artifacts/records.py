"""What is known of artifacts and of uploads under way, as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType

from paddock.kernel.digest import Digest
from paddock.kernel.ids import RunId

# `runs/<run_id>`, `models/<model_id>`, or empty for files that belong to nothing
Owner = NewType("Owner", str)
UploadId = NewType("UploadId", str)
UploadState = Literal["open", "complete"]


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file. path: inside of its owner, `/` between segments; digest: of its bytes, and its ETag."""

    owner: Owner
    path: str
    digest: Digest
    size_bytes: int
    principal: str
    created_at: datetime

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """A line of a listing. path: the whole one; a folder has no size and no digest of its own."""

    path: str
    is_folder: bool
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """Some entries, by bytes of their path, a folder as if it ended in `/`.

    next_cursor: give it back for the next page; empty on the last one.
    """

    entries: tuple[ArtifactEntry, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class ArtifactTotal:
    """How many files, and their bytes; the same bytes under two names count twice."""

    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that comes in parts. size_bytes, part_count: as announced, -1 and 0 when it was not told.

    state: `complete` once the file is there; then digest is its own and size_bytes what it has.
    """

    upload_id: UploadId
    owner: Owner
    path: str
    size_bytes: int
    part_count: int
    state: UploadState
    digest: str
    principal: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A part that has arrived. number: from 1."""

    number: int
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PartRef:
    """A part as the client names it to complete an upload; digest: empty when it does not say."""

    number: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that a row names. where: the row; what: what it is to that row."""

    where: str
    what: str
    digest: str


@dataclass(frozen=True, slots=True)
class Leftover:
    """Files of an owner that is gone, or parts of an upload that nobody completed.

    upload_id: empty for files of an owner.
    """

    project_id: str
    owner: Owner
    upload_id: str
    file_count: int
    size_bytes: int


def owner_of_run(run_id: RunId | str) -> Owner:
    """Return the owner of a run's files.

    >>> owner_of_run("0192f0c1aabb7ccc8dddeeeeffff0a1b")
    'runs/0192f0c1aabb7ccc8dddeeeeffff0a1b'
    """
    return Owner(f"runs/{run_id}")


def owner_of_model(model_id: str) -> Owner:
    """Return the owner of the files of a logged model.

    >>> owner_of_model("m-0192f0c1")
    'models/m-0192f0c1'
    """
    return Owner(f"models/{model_id}")
