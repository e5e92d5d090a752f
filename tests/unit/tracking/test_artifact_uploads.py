"""Files that come in parts."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.clock import SimulatedClock, from_micros
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import (
    Conflict,
    DigestMismatch,
    IntegrityError,
    InvalidInput,
    LimitExceeded,
    NotFound,
)
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata
from paddock.objects import MemoryBackend, ObjectStore
from paddock.tracking.artifacts import (
    Artifacts,
    ArtifactUploads,
    Owner,
    PartRef,
    Upload,
    UploadPart,
    owner_of_model,
)
from paddock.tracking.artifacts.records import UploadId
from paddock.tracking.artifacts.rules import choose_parts

MODEL = owner_of_model("m-1f")
PARTS = (b"first " * 1000, b"second " * 1000, b"third")
BODY = b"".join(PARTS)


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def artifacts(metadata: Metadata, backend: MemoryBackend, clock: SimulatedClock) -> Artifacts:
    return Artifacts(metadata, ObjectStore(backend), clock, Actor(ProjectId("default"), "ann"))


@pytest.fixture
def uploads(artifacts: Artifacts) -> ArtifactUploads:
    return ArtifactUploads(artifacts)


def send(uploads: ArtifactUploads, upload: Upload, numbers: Sequence[int] = (1, 2, 3)) -> tuple[PartRef, ...]:
    parts = [uploads.put_part(upload.upload_id, number, PARTS[number - 1]) for number in numbers]
    return tuple(PartRef(part.number, part.digest) for part in parts)


def test_parts_become_the_file(uploads: ArtifactUploads, artifacts: Artifacts, tmp_path: Path):
    """Bytes, a file and a stream, in any order, are the file in the order of their numbers."""
    upload = uploads.create(MODEL, "model/weights.bin", size_bytes=len(BODY), part_count=3)
    (tmp_path / "part").write_bytes(PARTS[0])

    uploads.put_part(upload.upload_id, 3, PARTS[2])
    uploads.put_part_file(upload.upload_id, 1, tmp_path / "part")
    uploads.put_part_stream(upload.upload_id, 2, (PARTS[1][:5], PARTS[1][5:]))
    assert artifacts.find(MODEL, "model/weights.bin") is None
    file = uploads.complete(upload.upload_id)
    assert (file.digest, file.size_bytes) == (digest_bytes(BODY), len(BODY))
    assert artifacts.get(MODEL, "model/weights.bin") == file
    assert artifacts.read(MODEL, "model/weights.bin") == BODY


def test_upload_is_resumed(uploads: ArtifactUploads):
    """Who lost the connection asks what has arrived and sends the rest; a part sent twice is one."""
    upload = uploads.create(MODEL, "a", key="k1")
    send(uploads, upload, (1, 3, 3))

    assert uploads.create(MODEL, "a", key="k1") == upload
    assert uploads.get(upload.upload_id) == upload
    assert [part.number for part in uploads.list_parts(upload.upload_id)] == [1, 3]
    send(uploads, upload, (2,))
    assert uploads.complete(upload.upload_id).size_bytes == len(BODY)


def test_part_is_replaced(uploads: ArtifactUploads, artifacts: Artifacts):
    """A number stands for what was sent last under it."""
    upload = uploads.create(MODEL, "a")
    uploads.put_part(upload.upload_id, 1, b"wrong")
    uploads.put_part(upload.upload_id, 1, b"right")

    uploads.complete(upload.upload_id)
    assert artifacts.read(MODEL, "a") == b"right"


def test_part_of_another_digest_is_not_stored(uploads: ArtifactUploads, artifacts: Artifacts):
    """What was announced with a digest arrives with it or not at all."""
    upload = uploads.create(MODEL, "a")

    with pytest.raises(DigestMismatch):
        uploads.put_part(upload.upload_id, 1, PARTS[0], digest=digest_bytes(b"other"))
    with pytest.raises(LimitExceeded):
        uploads.put_part_stream(upload.upload_id, 1, PARTS, most_bytes=10)
    assert uploads.list_parts(upload.upload_id) == ()
    assert list(artifacts.objects.list_digests()) == []


def test_completing_again_is_the_same(uploads: ArtifactUploads, artifacts: Artifacts):
    """A completion whose answer was lost is answered again, and does not undo what came in between."""
    upload = uploads.create(MODEL, "a")
    parts = send(uploads, upload)
    first = uploads.complete(upload.upload_id, parts)
    artifacts.put(MODEL, "a", b"newer")

    again = uploads.complete(upload.upload_id, parts)
    assert (again.digest, again.size_bytes, again.path) == (first.digest, first.size_bytes, "a")
    assert artifacts.read(MODEL, "a") == b"newer"
    assert uploads.get(upload.upload_id).state == "complete"
    with pytest.raises(Conflict, match="is complete"):
        uploads.put_part(upload.upload_id, 1, b"late")


@pytest.mark.parametrize(
    ("announced", "sent", "named", "words"),
    [
        ((-1, 0), (), None, "no part has arrived"),
        ((-1, 0), (1, 3), None, "part 2 is missing"),
        ((-1, 3), (1, 2), None, "part 3 is missing"),
        ((-1, 0), (1, 2, 3), (1, 1, 2, 3), "part 1 is named twice"),
        ((-1, 0), (1, 2, 3), (1, 3, 2), "not in the order"),
        ((-1, 0), (1, 2, 3), (1, 3), "part 2 is missing"),
        ((-1, 0), (1, 2), (1, 2, 3), "part 3 has not arrived"),
        ((-1, 0), (2, 3), (2, 3), "part 1 is missing"),
        ((len(BODY) + 1, 0), (1, 2, 3), None, "but 13,006 were announced"),
    ],
)
def test_upload_that_is_not_one_file_stays_open(
    uploads: ArtifactUploads,
    artifacts: Artifacts,
    announced: tuple[int, int],
    sent: tuple[int, ...],
    named: tuple[int, ...] | None,
    words: str,
):
    """Parts that are missing, named twice or out of order are refused with the reason; nothing is lost."""
    upload = uploads.create(MODEL, "a", size_bytes=announced[0], part_count=announced[1])
    send(uploads, upload, sent)

    with pytest.raises(Conflict, match=words) as caught:
        uploads.complete(upload.upload_id, tuple(map(PartRef, named or ())))
    assert caught.value.http_status == 409
    assert artifacts.find(MODEL, "a") is None
    assert [part.number for part in uploads.list_parts(upload.upload_id)] == sorted(sent)


def test_part_named_with_another_digest_is_refused(uploads: ArtifactUploads):
    """The client and the server mean the same bytes, or nothing is completed."""
    upload = uploads.create(MODEL, "a")
    send(uploads, upload, (1,))

    with pytest.raises(Conflict, match="part 1 has the digest"):
        uploads.complete(upload.upload_id, (PartRef(1, digest_bytes(b"other")),))


def test_part_replaced_while_completing_is_noticed(
    uploads: ArtifactUploads, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
):
    """A part that changes between the copying and the end makes no file of the old one."""
    upload = uploads.create(MODEL, "a")
    send(uploads, upload, (1,))
    put_stream = artifacts.objects.put_stream

    def put_late(*arguments: object, **named: object) -> object:
        stored = put_stream(*arguments, **named)  # type: ignore[arg-type]
        uploads.put_part(upload.upload_id, 1, b"another")
        return stored

    monkeypatch.setattr(artifacts.objects, "put_stream", put_late)
    with pytest.raises(Conflict, match="was replaced"):
        uploads.complete(upload.upload_id)
    monkeypatch.undo()
    uploads.complete(upload.upload_id)
    assert artifacts.read(MODEL, "a") == b"another"


def test_damaged_part_is_told(uploads: ArtifactUploads, backend: MemoryBackend, artifacts: Artifacts):
    """A part whose bytes have changed in the store makes no file, and is mended by sending it again."""
    upload = uploads.create(MODEL, "a")
    send(uploads, upload)
    backend.write(digest_bytes(PARTS[1]), b"damaged")

    with pytest.raises(IntegrityError, match="part 2 is damaged"):
        uploads.complete(upload.upload_id)
    send(uploads, upload, (2,))
    assert uploads.complete(upload.upload_id).digest == digest_bytes(BODY)


def test_aborted_upload_is_gone(uploads: ArtifactUploads):
    """Nothing of it is left to resume; aborting again, or after the end, changes nothing."""
    upload, done = uploads.create(MODEL, "a"), uploads.create(MODEL, "b")
    send(uploads, upload)
    send(uploads, done)
    uploads.complete(done.upload_id)
    for each in (upload, upload, done):
        uploads.abort(each.upload_id)

    for ask in (uploads.get, uploads.list_parts, uploads.complete):
        with pytest.raises(NotFound, match="no upload"):
            ask(upload.upload_id)
    assert uploads.complete(done.upload_id).path == "b"


def test_upload_expires_without_parts(uploads: ArtifactUploads, clock: SimulatedClock):
    """Seven days after its last part an upload is gone; each part gives it seven more."""
    upload = uploads.create(MODEL, "a")
    clock.move_to(clock.now() + timedelta(days=6))
    send(uploads, upload, (1,))
    clock.move_to(clock.now() + timedelta(days=6))
    assert uploads.get(upload.upload_id).state == "open"

    clock.move_to(clock.now() + timedelta(days=1, seconds=1))
    with pytest.raises(NotFound, match="7 days"):
        uploads.put_part(upload.upload_id, 2, PARTS[1])


def test_upload_belongs_to_its_project(uploads: ArtifactUploads, artifacts: Artifacts):
    """Who acts in another project cannot see, feed, complete or abort it."""
    upload = uploads.create(MODEL, "a")
    actor = Actor(ProjectId("other"), "bob")
    other = ArtifactUploads(Artifacts(artifacts.metadata, artifacts.objects, artifacts.clock, actor))

    with pytest.raises(NotFound):
        other.put_part(upload.upload_id, 1, b"x")
    with pytest.raises(NotFound):
        other.complete(upload.upload_id)
    other.abort(upload.upload_id)
    assert uploads.get(upload.upload_id) == upload


def test_upload_needs_a_place(uploads: ArtifactUploads, artifacts: Artifacts):
    """The place is looked at when the upload begins, and again when it ends."""
    artifacts.put(MODEL, "file", b"x")
    with pytest.raises(Conflict):
        uploads.create(MODEL, "file/below")
    upload = uploads.create(MODEL, "folder")
    send(uploads, upload)
    artifacts.put(MODEL, "folder/below", b"x")

    with pytest.raises(Conflict, match="is a folder"):
        uploads.complete(upload.upload_id)


@pytest.mark.parametrize(("size", "count"), [(-2, 0), (0, -1), (0, 10_001)])
def test_upload_is_announced_rightly(uploads: ArtifactUploads, size: int, count: int):
    """A file has no negative size, and at most 10,000 parts."""
    with pytest.raises(InvalidInput):
        uploads.create(MODEL, "a", size_bytes=size, part_count=count)


@pytest.mark.parametrize(("count", "number"), [(0, 0), (0, 10_001), (3, 4), (3, -1)])
def test_part_has_a_number(uploads: ArtifactUploads, count: int, number: int):
    """Parts count from 1 to as many as were announced."""
    upload = uploads.create(MODEL, "a", part_count=count)

    with pytest.raises(InvalidInput, match="numbered 1 to"):
        uploads.put_part(upload.upload_id, number, b"x")


@given(st.lists(st.integers(1, 5), max_size=6), st.lists(st.integers(1, 5), max_size=6), st.integers(0, 5))
def test_only_a_whole_file_is_chosen(arrived: list[int], wanted: list[int], announced: int):
    """Whatever is named, parts make a file exactly when they are 1, 2, ... n, each once and all there."""
    upload = Upload(
        UploadId("u"), Owner(""), "a", -1, announced, "open", "", "ann", from_micros(0), from_micros(0)
    )
    stored = [UploadPart(number, digest_bytes(b"%d" % number), 1) for number in sorted(set(arrived))]
    named = wanted or sorted(set(arrived))
    is_whole = (
        bool(named) and named == list(range(1, (announced or max(named)) + 1)) and set(named) <= set(arrived)
    )

    try:
        chosen = choose_parts(upload, stored, tuple(map(PartRef, wanted)))
    except Conflict:
        assert not is_whole
    else:
        assert is_whole
        assert [part.number for part in chosen] == named
