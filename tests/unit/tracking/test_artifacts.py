"""Files of runs and of logged models: stored, listed, read and deleted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import Conflict, DigestMismatch, InvalidInput, LimitExceeded, NotFound
from paddock.kernel.ids import new_id
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.refusals import BadPath
from paddock.metadata import Metadata, Transaction
from paddock.objects import ObjectStore, open_objects
from paddock.tracking import Tracking
from paddock.tracking.artifacts import (
    ArtifactFile,
    ArtifactPage,
    Artifacts,
    ArtifactTotal,
    owner_of_model,
    owner_of_run,
)

BODY = b"depth 6"
MODEL = owner_of_model("m-1f")


@pytest.fixture
def objects() -> ObjectStore:
    return open_objects("memory:")


@pytest.fixture
def artifacts(metadata: Metadata, objects: ObjectStore, clock: SimulatedClock) -> Artifacts:
    return Artifacts(metadata, objects, clock, Actor(ProjectId("default"), "ann"))


@pytest.fixture
def run(metadata: Metadata, clock: SimulatedClock, artifacts: Artifacts) -> str:
    """The owner that is a run of the project."""
    tracking = Tracking(metadata, artifacts.objects, clock, artifacts.actor)
    return owner_of_run(tracking.start_run(experiment="delay").run_id)


def names(page: ArtifactPage) -> list[str]:
    return [f"{entry.path}/" if entry.is_folder else entry.path for entry in page.entries]


def in_project(artifacts: Artifacts, project: str) -> Artifacts:
    actor = Actor(ProjectId(project), "bob")
    return Artifacts(artifacts.metadata, artifacts.objects, artifacts.clock, actor)


def test_file_comes_back(artifacts: Artifacts, run: str, clock: SimulatedClock):
    """A file has its name, its digest, its size, its time and whoever put it, and its bytes."""
    put = artifacts.put(run, "notes/fit.txt", BODY)

    assert put == ArtifactFile(run, "notes/fit.txt", digest_bytes(BODY), 7, "ann", clock.now())
    assert (put.name, artifacts.get(run, "notes/fit.txt")) == ("fit.txt", put)
    assert artifacts.read(run, "notes/fit.txt") == BODY
    assert b"".join(artifacts.read_chunks(put, 2, 5)) == BODY[2:5]


def test_bytes_file_and_stream_are_one_object(artifacts: Artifacts, run: str, tmp_path: Path):
    """The same bytes under three names and from three sources are stored once."""
    (tmp_path / "source").write_bytes(BODY)

    digests = {
        artifacts.put(run, "a", BODY).digest,
        artifacts.put_file(run, "b", tmp_path / "source").digest,
        artifacts.put_stream(MODEL, "c", iter((BODY[:2], BODY[2:]))).digest,
    }
    assert list(artifacts.objects.list_digests()) == [*digests]
    assert artifacts.total(run) == ArtifactTotal(2, 14)


def test_file_of_the_same_name_is_replaced(artifacts: Artifacts, run: str):
    """The name then stands for the new bytes, and there is one file."""
    artifacts.put(run, "model.bin", b"one")
    artifacts.put(run, "model.bin", b"second")

    assert artifacts.read(run, "model.bin") == b"second"
    assert artifacts.total(run) == ArtifactTotal(1, 6)


def test_repeated_put_with_a_key_is_one(artifacts: Artifacts, run: str, clock: SimulatedClock):
    """A put that is sent again after its answer was lost does not undo what came in between."""
    first = artifacts.put(run, "a", b"one", key="k1")
    artifacts.put(run, "a", b"two")

    assert artifacts.put(run, "a", b"one", key="k1") == first
    assert artifacts.read(run, "a") == b"two"


def test_announced_digest_and_size_are_held(artifacts: Artifacts, run: str, tmp_path: Path):
    """Bytes that are others than announced, or more than allowed, are not stored at all."""
    (tmp_path / "source").write_bytes(BODY)
    other = digest_bytes(b"other")

    with pytest.raises(DigestMismatch):
        artifacts.put(run, "a", BODY, digest=other)
    with pytest.raises(DigestMismatch):
        artifacts.put_file(run, "a", tmp_path / "source", digest=other)
    with pytest.raises(DigestMismatch):
        artifacts.put_stream(run, "a", (BODY,), digest=other)
    with pytest.raises(LimitExceeded):
        artifacts.put_stream(run, "a", (BODY,), most_bytes=6)
    assert list(artifacts.objects.list_digests()) == []
    assert artifacts.find(run, "a") is None


def test_path_is_a_file_or_a_folder(artifacts: Artifacts, run: str):
    """Nothing is put into a file, and no file takes the name of a folder; a neighbour is neither."""
    artifacts.put(run, "a/b/c", BODY)
    artifacts.put(run, "a-b", BODY)
    artifacts.put(run, "a0", BODY)

    for path, words in (
        ("a", "`a` is a folder"),
        ("a/b", "`a/b` is a folder"),
        ("a/b/c/d/e", "`a/b/c` is a file"),
    ):
        with pytest.raises(Conflict, match=words):
            artifacts.put(run, path, BODY)
    assert names(artifacts.list_files(run)) == ["a-b", "a/b/c", "a0"]


def test_bytes_for_a_bad_place_are_not_stored(artifacts: Artifacts, run: str):
    """A bad name, a missing run and a taken path are told before the bytes are read."""

    def unread() -> Iterator[bytes]:
        raise AssertionError("the bytes were read")
        yield b""

    artifacts.put(run, "a", BODY)
    for owner, path, error in (
        (run, "../x", BadPath),
        (owner_of_run(new_id()), "x", NotFound),
        (run, "a/x", Conflict),
        ("users/ann", "x", InvalidInput),
    ):
        with pytest.raises(error):
            artifacts.put_stream(owner, path, unread())


def test_other_project_sees_nothing(artifacts: Artifacts, run: str):
    """Files, like the run they are of, belong to one project."""
    artifacts.put(run, "a", BODY)
    artifacts.put("", "a", BODY)
    other = in_project(artifacts, "other")

    assert other.find(run, "a") is None
    assert other.find("", "a") is None
    assert names(other.list_files(run)) == []
    with pytest.raises(NotFound, match="no run"):
        other.put(run, "a", BODY)


def test_absent_file_is_not_found(artifacts: Artifacts, run: str):
    """A name nobody has used, and the name of a folder, are no files."""
    artifacts.put(run, "a/b", BODY)

    for path in ("x", "a", "a/b/c"):
        with pytest.raises(NotFound, match=f"has no artifact `{path}`"):
            artifacts.get(run, path)


def test_folder_is_listed_with_its_folders(artifacts: Artifacts, run: str):
    """A folder shows what lies in it and not what lies deeper; a file or nothing is an empty folder."""
    for path in ("a/x/1", "a/x/2", "a/x.txt", "a/y", "b", "B", "é"):
        artifacts.put(run, path, BODY)

    assert names(artifacts.list_folder(run)) == ["B", "a/", "b", "é"]
    assert names(artifacts.list_folder(run, "a")) == ["a/x.txt", "a/x/", "a/y"]
    assert names(artifacts.list_files(run, "a")) == ["a/x.txt", "a/x/1", "a/x/2", "a/y"]
    assert names(artifacts.list_folder(run, "b")) == names(artifacts.list_folder(run, "none")) == []
    assert {entry.size_bytes for entry in artifacts.list_folder(run).entries} == {0, 7}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_are_the_whole_listing(artifacts: Artifacts, run: str, limit: int):
    """Page by page each entry comes once, in the same order, whatever the size of the pages."""
    for path in ("a/1", "a/2", "b/1/x", "b/2", "c", "d"):
        artifacts.put(run, path, BODY)
    found: list[str] = []
    files: list[str] = []
    for into, ask in ((found, artifacts.list_folder), (files, artifacts.list_files)):
        page = ask(run, limit=limit)
        into += names(page)
        while page.next_cursor:
            page = ask(run, limit=limit, cursor=page.next_cursor)
            into += names(page)

    assert found == ["a/", "b/", "c", "d"]
    assert files == ["a/1", "a/2", "b/1/x", "b/2", "c", "d"]


def test_page_is_asked_for_rightly(artifacts: Artifacts, run: str):
    """A cursor of another folder, a page of no or too many entries, and a bad folder are refused."""
    artifacts.put(run, "a/1", BODY)
    artifacts.put(run, "a/2", BODY)
    cursor = artifacts.list_folder(run, "a", limit=1).next_cursor

    with pytest.raises(InvalidInput, match="another folder"):
        artifacts.list_folder(run, "b", cursor=cursor)
    for limit in (0, 1001):
        with pytest.raises(InvalidInput, match="1 to 1000"):
            artifacts.list_folder(run, limit=limit)
    for folder in ("..", "/", "a/"):
        with pytest.raises(BadPath):
            artifacts.list_folder(run, folder)


def test_file_and_folder_are_deleted(artifacts: Artifacts, run: str, metadata: Metadata):
    """A deletion takes what it names and nothing beside it, and tells the ledger how much that was."""
    for path in ("a/1", "a/2/x", "a0", "ab", "b"):
        artifacts.put(run, path, BODY)

    assert artifacts.delete(run, "a") == ArtifactTotal(2, 14)
    assert artifacts.delete(run, "b") == ArtifactTotal(1, 7)
    assert names(artifacts.list_files(run)) == ["a0", "ab"]
    with pytest.raises(NotFound):
        artifacts.delete(run, "a")
    events = metadata.events("default", kind="artifacts.")
    assert [(event.subject, event.data) for event in events] == [
        (run.replace("runs/", "run:"), {"path": "a", "file_count": 2, "size_bytes": 14}),
        (run.replace("runs/", "run:"), {"path": "b", "file_count": 1, "size_bytes": 7}),
    ]


def test_owner_is_deleted_whole(artifacts: Artifacts, run: str):
    """All files of one owner go, those of others stay; a second time there is nothing to do."""
    for owner in (run, MODEL, ""):
        artifacts.put(owner, "a/1", BODY)

    assert artifacts.delete_owner(run) == ArtifactTotal(1, 7)
    assert artifacts.delete_owner(run) == ArtifactTotal(0, 0)
    assert [artifacts.total(owner).file_count for owner in (run, MODEL, "")] == [0, 1, 1]
    with pytest.raises(InvalidInput):
        artifacts.delete_owner("")


def test_hundred_thousand_files_are_listed_by_page(artifacts: Artifacts, run: str):
    """A folder with 100,000 files, or with as many below it, takes out one page of rows for a page."""
    digest = artifacts.put(run, "a", BODY).digest

    def fill(tx: Transaction) -> None:
        paths = [f"flat/{number:06}" for number in range(100_000)]
        paths += [f"deep/{number // 1000:03}/{number:06}" for number in range(100_000)]
        tx.execute_many(
            "INSERT INTO artifacts (project_id, owner, path, digest, size_bytes, principal, created_at)"
            " VALUES ('default', :owner, :path, :digest, 7, 'ann', 0)",
            [{"owner": run, "path": path, "digest": digest} for path in paths],
        )

    artifacts.metadata.write(fill)
    page = artifacts.list_folder(run, "flat", limit=1000)
    count = len(page.entries)
    while page.next_cursor:
        page = artifacts.list_folder(run, "flat", limit=1000, cursor=page.next_cursor)
        count += len(page.entries)

    assert count == 100_000
    assert names(artifacts.list_folder(run)) == ["a", "deep/", "flat/"]
    assert names(artifacts.list_folder(run, "deep", limit=3)) == ["deep/000/", "deep/001/", "deep/002/"]
    assert artifacts.delete(run, "flat").file_count == 100_000
