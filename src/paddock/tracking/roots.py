"""Where clients keep the files of runs and of logged models: a text for them that the server never opens."""

from dataclasses import dataclass

from paddock.metadata import Reader
from paddock.tracking.locations import artifact_root
from paddock.tracking.logged_models.sql import find_model
from paddock.tracking.sql.runs import find_run


@dataclass(frozen=True, slots=True)
class ArtifactRoot:
    """What all addresses of the files of one run, or of one logged model, begin with.

    location: that of the experiment where it has one of its own, else empty. run_id: the run, or the one that
    made the model, or empty.
    """

    uri: str
    location: str
    run_id: str


def find_run_root(reader: Reader, project_id: str, run_id: str) -> ArtifactRoot | None:
    """Return the root of a run, deleted or not."""
    row = find_run(reader, project_id, run_id)
    if row is None:
        return None
    root = artifact_root(row.run.experiment_id, row.run.artifact_location)
    return ArtifactRoot(f"{root}/{run_id}/artifacts", row.run.artifact_location, run_id)


def find_model_root(reader: Reader, project_id: str, model_id: str) -> ArtifactRoot | None:
    """Return the root of a logged model that is not deleted."""
    row = find_model(reader, project_id, model_id)
    if row is None or row.model.lifecycle != "active":
        return None
    return ArtifactRoot(row.model.artifact_uri, row.artifact_location, row.model.source_run_id)
