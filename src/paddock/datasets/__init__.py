"""Dataset versions and their profiles.

A dataset is a name; a version of it is an immutable object with schema, row count and profile.
Invariants: versions count 1, 2, 3 per name; two versions of one name never have the same bytes;
an object and its profile are stored before the version that names them.

A profile holds all that drift needs, in kilobytes: see `docs/formats/profile.md`.
"""

from paddock.datasets.profile import (
    ColumnKind,
    ColumnProfile,
    Profile,
    decode_profile,
    encode_profile,
    merge_profiles,
)
from paddock.datasets.profiling import profile_like, profile_table
from paddock.datasets.records import DatasetSummary, DatasetVersion, Field
from paddock.datasets.scanning import Scan, scan_file
from paddock.datasets.service import Datasets
from paddock.datasets.tables import read_table, write_parquet

__all__ = [
    "ColumnKind",
    "ColumnProfile",
    "DatasetSummary",
    "DatasetVersion",
    "Datasets",
    "Field",
    "Profile",
    "Scan",
    "decode_profile",
    "encode_profile",
    "merge_profiles",
    "profile_like",
    "profile_table",
    "read_table",
    "scan_file",
    "write_parquet",
]
