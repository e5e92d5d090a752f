"""Dataset versions, read and added from Python."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.kernel.errors import PaddockError
from paddock.kernel.names import check_name
from paddock.kernel.purity import note_impure
from paddock.kernel.refs import DatasetRef
from paddock.sdk.active import active_run
from paddock.sdk.ambient import current_store, unwatched_store
from paddock.wire import structs

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a dataset; reading it inside a run records it as an input of that run."""

    version: structs.DatasetVersion

    @property
    def ref(self) -> DatasetRef:
        return DatasetRef(self.version.name, self.version.version)

    def to_arrow(self) -> "pa.Table":
        """Return all rows as an Arrow table, verified against the version's digest."""
        run = active_run()
        if run is not None:
            run.log_input(self.ref)
        return unwatched_store().datasets.read(self.version)

    def to_pandas(self) -> "pd.DataFrame":
        """Return all rows as a pandas DataFrame; pandas must be installed."""
        return self.to_arrow().to_pandas()


def dataset(ref: str) -> Dataset:
    """Return `flights@3`, or for `flights` its latest version. Raises NotFound with what there is.

    A step of a pipeline that asks for the latest version is not cached: there may be another one next time.
    """
    try:
        found = Dataset(unwatched_store().datasets.get(ref))
    except PaddockError:
        note_impure(f"it asks for dataset `{ref}`, which was not to be had and may be next time")
        raise
    if "@" not in ref:
        note_impure(
            f"it asks for the newest version of dataset `{ref}`, which may be another one next time;"
            f" name it (`{found.ref}`) or hand it to the step as an argument"
        )
    return found


def add_dataset(name: str, source: "pa.Table | str | Path") -> Dataset:
    """Register an Arrow table, or a Parquet, CSV or Arrow file, as a version of `name`.

    The same content as an existing version returns that version; nothing is stored twice.
    """
    check_name("dataset", name)
    datasets = current_store().datasets
    if isinstance(source, str | Path):
        return Dataset(datasets.add_file(name, Path(source)))
    return Dataset(datasets.add_table(name, source))
