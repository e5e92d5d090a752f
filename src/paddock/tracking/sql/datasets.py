"""Which described datasets the runs of experiments have read."""

from collections.abc import Sequence
from dataclasses import dataclass

from paddock.metadata import Reader


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A described dataset and the context some run has read it in, empty where none was told."""

    experiment_id: str
    name: str
    digest: str
    context: str


def list_dataset_uses(reader: Reader, experiment_nos: Sequence[int], limit: int) -> tuple[DatasetUse, ...]:
    """Return each dataset and context once, by experiment, name, digest and context."""
    if not experiment_nos:
        return ()
    places = ", ".join(str(int(number)) for number in experiment_nos)
    rows = reader.fetch_all(
        f"""
        SELECT DISTINCT e.experiment_id, d.name, d.digest, i.context
        FROM described_datasets d
        JOIN run_described_inputs i ON i.dataset_no = d.dataset_no
        JOIN experiments e ON e.experiment_no = d.experiment_no
        WHERE d.experiment_no IN ({places})
        ORDER BY e.experiment_id, d.name, d.digest, i.context LIMIT :limit
        """,  # noqa: S608 - whole numbers
        {"limit": limit},
    )
    return tuple(
        DatasetUse(str(row["experiment_id"]), str(row["name"]), str(row["digest"]), str(row["context"]))
        for row in rows
    )
