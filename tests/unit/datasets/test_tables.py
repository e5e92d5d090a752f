"""Files that are read, and files that are refused with the reason."""

from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pq
import pytest

from paddock.datasets import profile_like, profile_table, read_table, scan_file
from paddock.datasets.tables import parse_table, write_parquet
from paddock.kernel.errors import InvalidRows, NotFound, UnreadableFile

TABLE = pa.table({"hour": [5, 6, None], "carrier": ["B6", "", "UA"]})


def write(table: pa.Table, path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".arrow":
        with pa_ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        with pa_ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.ipc"])
def test_a_table_is_read_back(tmp_path: Path, name: str):
    """Parquet, Arrow files and Arrow streams give the table that was written."""
    assert read_table(write(TABLE, tmp_path / name)).equals(TABLE)


def test_csv_keeps_texts_and_takes_empty_numbers_for_missing(tmp_path: Path):
    """An empty field is the empty text in a text column and missing in a number column."""
    path = tmp_path / "t.csv"
    path.write_text("hour,carrier\n5,B6\n6,\n,UA\n")

    assert read_table(path).equals(TABLE)


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv"])
def test_an_empty_file_is_called_empty(tmp_path: Path, name: str):
    """0 bytes are no table in any format."""
    (tmp_path / name).touch()

    with pytest.raises(UnreadableFile, match="is empty"):
        read_table(tmp_path / name)


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.ipc"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float):
    """A copy that was cut off anywhere is an UnreadableFile, never half a table."""
    path = write(pa.table({"x": list(range(1000))}), tmp_path / name)
    body = path.read_bytes()
    path.write_bytes(body[: max(1, int(len(body) * share))])

    with pytest.raises(UnreadableFile):
        read_table(path)


def test_a_parquet_file_cut_at_its_end_is_called_truncated(tmp_path: Path):
    """The usual broken download is named for what it is."""
    path = write(TABLE, tmp_path / "t.parquet")
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(UnreadableFile, match=r"`t.parquet` is truncated"):
        read_table(path)


@pytest.mark.parametrize(
    ("real", "claimed", "words"),
    [
        ("t.parquet", "t.csv", "is not CSV but Parquet"),
        ("t.arrow", "t.parquet", "is not Parquet but Arrow"),
        ("t.ipc", "t.csv", "is not CSV but Arrow"),
    ],
)
def test_a_wrong_ending_is_answered_with_the_real_format(tmp_path: Path, real: str, claimed: str, words: str):
    """The first bytes say what the file really is."""
    path = write(TABLE, tmp_path / real).rename(tmp_path / claimed)

    with pytest.raises(UnreadableFile, match=words):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("t.parquet", b"hour,carrier\n5,B6\n", "is not Parquet; it starts with b'hour,car'"),
        ("t.csv", b"a,b\n1,\x00\n", "holds NUL bytes"),
        ("t.csv", b"a,b\n1,2\n3\n", "cannot be read as CSV: .*Expected 2 columns, got 1"),
        ("t.csv", b"a,b\n1,\xff\xfe\n", "column `b` is not UTF-8"),
        ("t.csv", b"a,b,a\n1,2,3\n", "more than one column called `a`"),
        ("t.csv", b"\n", "cannot be read as CSV"),
        ("t.xlsx", b"PK", "no ending that is known; known are .parquet"),
        ("t.parquet", b"PAR1" + bytes(40) + b"PAR1", "cannot be read as Parquet"),
        ("t.arrow", b"ARROW1\x00\x00" + bytes(40) + b"ARROW1", "cannot be read as Arrow"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, name: str, body: bytes, words: str):
    """The message says which file it is and what is wrong with it."""
    (tmp_path / name).write_bytes(body)

    with pytest.raises(UnreadableFile, match=words):
        read_table(tmp_path / name)


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_a_table_without_columns_or_with_a_name_twice_is_refused(tmp_path: Path, name: str):
    """A column that cannot be named cannot be used."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])

    with pytest.raises(UnreadableFile, match="has no columns"):
        read_table(write(pa.table({}), tmp_path / name))
    with pytest.raises(UnreadableFile, match="more than one column called `a`"):
        read_table(write(twice, tmp_path / name))


def test_an_arrow_file_with_codes_outside_its_dictionary_is_refused(tmp_path: Path):
    """Such a file would make a later read step outside of its memory."""
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 99]), pa.array(["a"]), safe=False)

    with pytest.raises(UnreadableFile, match="cannot be read as Arrow"):
        read_table(write(pa.table({"x": codes}), tmp_path / "t.arrow"))


def test_no_file_and_a_folder_are_told_apart(tmp_path: Path):
    """A wrong path is NotFound; a folder is said to be one."""
    with pytest.raises(NotFound, match="there is no file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(UnreadableFile, match="is a folder"):
        read_table(tmp_path)


def test_equal_content_gives_equal_parquet(tmp_path: Path):
    """Chunks, the order of a dictionary and the schema's metadata do not change the bytes."""
    plain = pa.table({"n": [1, 2, 3], "c": pa.array(["b", "a", "b"]).dictionary_encode()})
    other_codes = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], pa.int32()), pa.array(["a", "b"]))
    other = pa.table({"n": pa.chunked_array([[1], [2, 3]]), "c": other_codes})
    write_parquet(plain, tmp_path / "one.parquet")

    write_parquet(other.replace_schema_metadata({"pandas": "{}"}), tmp_path / "two.parquet")

    body = (tmp_path / "one.parquet").read_bytes()
    assert (tmp_path / "two.parquet").read_bytes() == body
    assert parse_table(body, "parquet", "t").equals(plain)


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv"])
def test_scanning_a_file_profiles_what_reading_it_gives(tmp_path: Path, name: str):
    """Column by column or at once, the profile is the same, also under dotted names."""
    path = tmp_path / name
    if name == "t.csv":
        path.write_text("a,a.b,c\n1,x,2.5\n2,,\n")
    else:
        write(pa.table({"a": [1, 2], "a.b": ["x", ""], "c": [2.5, None], "s": [{"a": 1}, None]}), path)
    table = read_table(path)

    scan = scan_file(path)

    assert (scan.schema.names, scan.profile) == (table.column_names, profile_table(table))
    assert scan_file(path, like=scan.profile).profile == profile_like(table, scan.profile)


def test_scanning_a_file_that_does_not_fit_its_reference_says_so(tmp_path: Path):
    """The missing column is named before any column is read."""
    reference = profile_table(pa.table({"hour": [1], "temp": [1.5]}))

    with pytest.raises(InvalidRows, match="column `temp` is missing"):
        scan_file(write(TABLE, tmp_path / "t.parquet"), like=reference)


def test_scanning_a_file_with_a_damaged_page_is_refused(tmp_path: Path):
    """Damage that only shows when a column is read is an UnreadableFile too."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": list(range(5000))}), path, compression="zstd", write_page_checksum=True)
    body = bytearray(path.read_bytes())
    body[4:400] = bytes(396)
    path.write_bytes(body)

    with pytest.raises(UnreadableFile, match="cannot be read as Parquet"):
        scan_file(path)
