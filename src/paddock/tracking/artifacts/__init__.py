"""Artifacts: files of runs and logged models, in the object store, under names that are safe everywhere.

- A file's bytes are stored before the row that names them, and once however many names they have.
- A name that could be read in two ways is refused, never cleaned; `rules.check_path` is the one place.
- A path is a file or a folder, never both.
- What is uploaded in parts is visible when it is complete, and not before.
"""

from paddock.tracking.artifacts.keeping import Leftovers, list_artifact_projects, list_named_objects
from paddock.tracking.artifacts.records import (
    ArtifactEntry,
    ArtifactFile,
    ArtifactPage,
    ArtifactTotal,
    Leftover,
    NamedObject,
    Owner,
    PartRef,
    Upload,
    UploadPart,
    owner_of_model,
    owner_of_run,
)
from paddock.tracking.artifacts.rules import find_path_problem
from paddock.tracking.artifacts.service import Artifacts
from paddock.tracking.artifacts.uploads import ArtifactUploads

__all__ = [
    "ArtifactEntry",
    "ArtifactFile",
    "ArtifactPage",
    "ArtifactTotal",
    "ArtifactUploads",
    "Artifacts",
    "Leftover",
    "Leftovers",
    "NamedObject",
    "Owner",
    "PartRef",
    "Upload",
    "UploadPart",
    "find_path_problem",
    "list_artifact_projects",
    "list_named_objects",
    "owner_of_model",
    "owner_of_run",
]
