"""Read a table out of a Parquet, CSV or Arrow file; say plainly what is wrong with a bad one.

Texts of a CSV stay as they stand there (an empty field is the empty text); empty fields of other
columns are missing. A file is judged by its ending and by its first bytes, which must agree.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pq

from paddock.datasets.records import FileFormat
from paddock.kernel.errors import NotFound, UnreadableFile

_FORMATS: Mapping[str, FileFormat] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_TITLES: Mapping[FileFormat, str] = {"parquet": "Parquet", "csv": "CSV", "arrow": "Arrow"}
_ARROW_STREAM = b"\xff\xff\xff\xff"
_HEAD_BYTES = 65_536


def format_of(path: Path) -> FileFormat:
    """Return the format that the ending of `path` names; UnreadableFile for an unknown ending.

    >>> format_of(Path("flights.pq"))
    'parquet'
    """
    known = _FORMATS.get(path.suffix.lower())
    if known is None:
        raise UnreadableFile(f"`{path.name}` has no ending that is known; known are {', '.join(_FORMATS)}")
    return known


def read_table(path: Path) -> pa.Table:
    """Return the table in the file at `path`.

    Raises NotFound when there is no such file, and UnreadableFile when it is empty, cut off, not
    of the format its ending names, has no columns or has two columns of one name.
    """
    file_format = check_file(path)
    with _refusing(path.name, file_format), pa.OSFile(str(path)) as source:
        return _parse(source, file_format, path.name)


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Give a Parquet file whose columns are read one by one; errors as in `read_table`, in the body too."""
    with _refusing(path.name, "parquet"), pa.OSFile(str(path)) as source:
        _check_marks(source, "parquet", path.name)
        with pq.ParquetFile(source) as file:
            _check_columns(file.schema_arrow.names, f"`{path.name}`")
            yield file


def check_file(path: Path) -> FileFormat:
    """Return the format of the file at `path`; NotFound and UnreadableFile as in `read_table`."""
    if not path.exists():
        raise NotFound(f"there is no file `{path}`")
    if not path.is_file():
        raise UnreadableFile(f"`{path}` is a folder, not a file")
    return format_of(path)


def parse_table(body: bytes, file_format: FileFormat, label: str) -> pa.Table:
    """Return the table in the bytes of a file; errors as in `read_table` call it `label`."""
    with _refusing(label, file_format):
        return _parse(pa.BufferReader(body), file_format, label)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write `table` so that equal content gives equal bytes (with one version of Arrow).

    How the rows were chunked, in which order a dictionary was built and the metadata of the schema
    do not matter. Raises UnreadableFile for a table without columns or with two of one name.
    """
    _check_columns(table.column_names, "the table")
    pq.write_table(
        _canonical(table),
        path,
        version="2.6",
        compression="zstd",
        compression_level=3,
        row_group_size=131_072,
    )


@contextmanager
def _refusing(label: str, file_format: FileFormat) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        title = _TITLES[file_format]
        raise UnreadableFile(f"`{label}` cannot be read as {title}: {_first_line(error)}") from error


def _parse(source: pa.NativeFile, file_format: FileFormat, label: str) -> pa.Table:
    _check_marks(source, file_format, label)
    table = _READERS[file_format](source)
    _check_columns(table.column_names, f"`{label}`")
    return table


def _check_marks(source: pa.NativeFile, wanted: FileFormat, label: str) -> None:
    """Judge a file by its first and last bytes; `source` stands at its start before and after."""
    size = source.size()
    if size == 0:
        raise UnreadableFile(f"`{label}` is empty")
    head = source.read(_HEAD_BYTES)
    source.seek(max(0, size - 8))
    tail = source.read(8)
    source.seek(0)
    found = _mark(head)
    if found and found != wanted:
        raise UnreadableFile(f"`{label}` is not {_TITLES[wanted]} but {_TITLES[found]}")
    if wanted == "csv" and b"\0" in head:
        raise UnreadableFile(f"`{label}` is not CSV; it holds NUL bytes")
    if wanted != "csv" and not found:
        raise UnreadableFile(f"`{label}` is not {_TITLES[wanted]}; it starts with {head[:8]!r}")
    for mark, title in ((b"PAR1", "a Parquet"), (b"ARROW1", "an Arrow")):
        if head.startswith(mark) and not tail.endswith(mark):
            raise UnreadableFile(f"`{label}` is truncated; {title} file ends with `{mark.decode()}`")


def _mark(head: bytes) -> FileFormat | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    return "arrow" if head.startswith((b"ARROW1", _ARROW_STREAM)) else None


def _read_parquet(source: pa.NativeFile) -> pa.Table:
    # ParquetFile, because pq.read_table refuses two columns of one name before we can say it better
    with pq.ParquetFile(source) as file:
        return file.read()


def _read_csv(source: pa.NativeFile) -> pa.Table:
    table = pc_csv.read_csv(source)
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise pa.ArrowInvalid(f"column `{field.name}` is not UTF-8")
    return table


def _read_arrow(source: pa.NativeFile) -> pa.Table:
    is_stream = source.read(4) == _ARROW_STREAM
    source.seek(0)
    with pa_ipc.open_stream(source) if is_stream else pa_ipc.open_file(source) as reader:
        table = reader.read_all()
    table.validate(full=True)  # offsets and codes of an IPC file are trusted by every later read
    return table


_READERS: Mapping[FileFormat, Callable[[pa.NativeFile], pa.Table]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "arrow": _read_arrow,
}


def _check_columns(names: Sequence[str], label: str) -> None:
    if not names:
        raise UnreadableFile(f"{label} has no columns")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        names = ", ".join(f"`{name}`" for name in twice)
        raise UnreadableFile(f"{label} has more than one column called {names}")


def _canonical(table: pa.Table) -> pa.Table:
    columns = [_canonical_column(column) for column in table.columns]
    fields = [
        pa.field(field.name, column.type, nullable=field.nullable)
        for field, column in zip(table.schema, columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields)).combine_chunks()


def _canonical_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(column.type):
        return column
    return column.cast(column.type.value_type).dictionary_encode()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300].rstrip(".")
