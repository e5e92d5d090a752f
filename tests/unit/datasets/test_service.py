"""Dataset versions in a store: numbered, found again, never stored twice."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from paddock.datasets import Datasets, Field, profile_table
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IdempotencyConflict, InvalidInput, NotFound, UnreadableFile
from paddock.kernel.refs import Actor, DatasetRef, ProjectId

from .conftest import START

MARCH = pa.table({"hour": [5, 6], "carrier": ["B6", None]})
APRIL = pa.table({"hour": [7], "carrier": ["UA"]})
CSV = b"hour,carrier\n5,B6\n"


def csv_file(folder: Path, body: bytes = CSV) -> Path:
    path = folder / "flights.csv"
    path.write_bytes(body)
    return path


def test_a_file_becomes_a_version_with_its_own_bytes(datasets: Datasets, tmp_path: Path):
    """The object is the file itself; digest, schema, rows, size and source are recorded."""
    version = datasets.add_file("flights", csv_file(tmp_path))

    assert datasets.objects.get(version.digest) == CSV
    assert version.digest == digest_bytes(CSV)
    assert version.schema == (Field("hour", "int64"), Field("carrier", "string"))
    assert (version.ref, version.format) == (DatasetRef("flights", 1), "csv")
    assert (version.row_count, version.size_bytes, version.source) == (1, len(CSV), "flights.csv")
    assert (version.principal, version.created_at) == ("ann", START)


def test_a_version_is_read_back_by_name_and_number(datasets: Datasets):
    """`flights@1` is the first table, `flights` the newest."""
    datasets.add_table("flights", MARCH)
    datasets.add_table("flights", APRIL)

    assert datasets.read("flights@1").equals(MARCH)
    assert datasets.read("flights").equals(APRIL)
    assert datasets.get("flights").version == 2


def test_the_profile_of_a_version_is_that_of_its_rows(datasets: Datasets):
    """What was profiled is what is stored."""
    version = datasets.add_table("flights", MARCH)

    assert datasets.get_profile(version) == profile_table(MARCH)


def test_the_same_content_is_never_stored_twice(datasets: Datasets, tmp_path: Path):
    """Adding a file or a table again returns its version; no object, row or event is added."""
    first = (datasets.add_file("flights", csv_file(tmp_path)), datasets.add_table("flights", MARCH))
    objects, events = list(datasets.objects.list_digests()), datasets.metadata.events("default")

    again = (datasets.add_file("flights", csv_file(tmp_path)), datasets.add_table("flights", MARCH))

    assert again == first
    assert list(datasets.objects.list_digests()) == objects
    assert datasets.metadata.events("default") == events


def test_the_same_content_under_two_names_is_one_object(datasets: Datasets):
    """Names share the bytes, each has its own versions."""
    first = datasets.add_table("march", MARCH)
    objects = list(datasets.objects.list_digests())

    second = datasets.add_table("spring", MARCH)

    assert (second.version, second.digest) == (1, first.digest)
    assert list(datasets.objects.list_digests()) == objects


def test_a_table_read_back_and_added_again_is_the_same_version(datasets: Datasets):
    """A round trip through the store changes nothing."""
    version = datasets.add_table("flights", MARCH)

    assert datasets.add_table("flights", datasets.read("flights")) == version


def test_concurrent_adds_of_one_content_give_one_version(datasets: Datasets):
    """Eight threads that add the same table all get version 1."""
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: datasets.add_table("flights", MARCH), range(8)))

    assert {version.version for version in versions} == {1}
    assert len(datasets.list_versions("flights")) == 1


def test_concurrent_adds_of_different_content_number_without_gap(datasets: Datasets):
    """Eight threads that add eight tables get versions 1 to 8."""
    tables = [pa.table({"hour": [at]}) for at in range(8)]

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda table: datasets.add_table("flights", table), tables))

    assert sorted(version.version for version in versions) == list(range(1, 9))


@pytest.mark.parametrize("body", [b"", b"a,b\n1\n", b"PAR1", b"a,a\n1,2\n"])
def test_a_bad_file_leaves_nothing_behind(datasets: Datasets, tmp_path: Path, body: bytes):
    """After UnreadableFile there is no object, no version and no event."""
    with pytest.raises(UnreadableFile):
        datasets.add_file("flights", csv_file(tmp_path, body))

    assert list(datasets.objects.list_digests()) == []
    assert datasets.list_datasets() == ()
    assert datasets.metadata.events("default") == ()


def test_no_file_is_not_found(datasets: Datasets, tmp_path: Path):
    """A wrong path is told apart from a bad file."""
    with pytest.raises(NotFound, match="there is no file"):
        datasets.add_file("flights", tmp_path / "absent.parquet")


def test_a_header_alone_is_a_dataset_without_rows(datasets: Datasets, tmp_path: Path):
    """Columns without rows are a valid, empty version."""
    version = datasets.add_file("flights", csv_file(tmp_path, b"hour,carrier\n"))

    assert (version.row_count, datasets.read("flights").num_rows) == (0, 0)


def test_unknown_names_are_answered_with_what_there_is(datasets: Datasets):
    """A typing error gets the nearest name, a wrong number the latest version."""
    datasets.add_table("flights", MARCH)

    with pytest.raises(NotFound) as typed:
        datasets.get("fligths")
    with pytest.raises(NotFound, match="no version 7; latest is 1"):
        datasets.get("flights@7")
    with pytest.raises(NotFound):
        datasets.list_versions("weather")
    with pytest.raises(InvalidInput):
        datasets.get("flights@latest")
    assert typed.value.hint == "paddock data show flights"


def test_a_list_shows_the_newest_version_and_how_many(datasets: Datasets):
    """Datasets come by name, versions newest first."""
    for name, table in (("weather", APRIL), ("flights", MARCH), ("flights", APRIL)):
        datasets.add_table(name, table)

    listed = [(each.name, each.latest.version, each.version_count) for each in datasets.list_datasets()]
    assert listed == [("flights", 2, 2), ("weather", 1, 1)]
    assert [each.version for each in datasets.list_versions("flights")] == [2, 1]


def test_projects_do_not_see_each_other(datasets: Datasets):
    """The same name in another project is another dataset."""
    datasets.add_table("flights", MARCH)
    other = replace(datasets, actor=Actor(ProjectId("other"), "ann"))

    assert other.list_datasets() == ()
    assert other.add_table("flights", APRIL).version == 1


def test_adding_a_version_is_told_to_the_ledger(datasets: Datasets):
    """One event per new version, with its digest."""
    version = datasets.add_table("flights", MARCH)

    (event,) = datasets.metadata.events("default", kind="dataset.")
    assert (event.kind, event.subject, event.principal) == ("dataset.added", "dataset:flights", "ann")
    assert event.data == {"version": 1, "digest": version.digest, "rows": 2}


def test_an_idempotency_key_answers_again_and_refuses_other_content(datasets: Datasets):
    """The same key and table give the first answer; another table under the key is a conflict."""
    first = datasets.add_table("flights", MARCH, key="k1")

    assert datasets.add_table("flights", MARCH, key="k1") == first
    with pytest.raises(IdempotencyConflict):
        datasets.add_table("flights", APRIL, key="k1")
