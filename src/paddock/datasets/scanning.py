"""Profile a file without holding all of it: of a Parquet file, one column is in memory at a time."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from paddock.datasets.profile import Profile
from paddock.datasets.profiling import (
    check_like,
    profile_column,
    profile_column_like,
    profile_like,
    profile_table,
)
from paddock.datasets.tables import check_file, open_parquet, read_table


@dataclass(frozen=True, slots=True)
class Scan:
    """What one reading of a file found."""

    schema: pa.Schema
    profile: Profile


def scan_file(path: Path, *, like: Profile | None = None) -> Scan:
    """Read every column of a file once and profile it; errors as in `read_table`.

    like: profile over the bins of this reference (`profile_like`), reading its columns only.
    """
    if check_file(path) == "parquet":
        return _scan_parquet(path, like)
    table = read_table(path)
    return Scan(table.schema, profile_like(table, like) if like else profile_table(table))


def _scan_parquet(path: Path, like: Profile | None) -> Scan:
    with open_parquet(path) as file:

        def read(name: str) -> pa.ChunkedArray:
            return file.read(columns=[name]).column(name)

        schema = file.schema_arrow
        if like is None:
            columns = tuple(profile_column(name, read(name)) for name in schema.names)
        else:
            check_like(schema, like)
            columns = tuple(profile_column_like(read(column.name), column) for column in like.columns)
        return Scan(schema, Profile(file.metadata.num_rows, columns))
