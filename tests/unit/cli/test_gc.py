"""`paddock gc` on a real store in a folder."""

import json
import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.cli import main
from paddock.kernel.digest import digest_bytes
from paddock.kernel.settings import resolve_settings

DAY_S = 86_400


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder whose store is `.paddock`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PADDOCK_STORE", raising=False)
    return tmp_path


def open_store() -> App:
    return open_app(resolve_settings({"principal": "ann"}, {}, {}))


def put_old(app: App, body: bytes, *, days: float = 2.0) -> str:
    digest = app.objects.put(body)
    os.utime(app.store.folder / "objects" / digest[:2] / digest[2:], (time.time() - days * DAY_S,) * 2)
    return digest


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def test_dry_run_then_delete(capsys: pytest.CaptureFixture[str]):
    """Without --delete it is only shown what would go; with it that goes, and a second time nothing does."""
    with closing(open_store()) as app:
        loose = [put_old(app, b"loose %d" % number) for number in range(12)]
        app.artifacts.put("", "kept", b"kept")
        app.objects.put(b"young")

        code, shown, _ = run(capsys, "gc")
        assert (code, len(list(app.objects.list_digests()))) == (0, 14)
        assert "12 objects to free, 86 B, of 14 with 95 B\n" in shown
        assert "1 younger one that nothing refers to stayed, 5 B\n" in shown
        assert "and 2 smaller ones\n" in shown
        assert shown.endswith("nothing was deleted; paddock gc --delete does it\n")
        assert run(capsys, "gc", "--delete")[1].startswith("12 objects freed, 86 B, of 14 with 95 B\n")
        assert set(app.objects.list_digests()) == {digest_bytes(b"kept"), digest_bytes(b"young")}
        assert "0 objects freed" in run(capsys, "gc", "--delete")[1]
        assert not set(loose) & set(app.objects.list_digests())


def test_result_is_json(capsys: pytest.CaptureFixture[str]):
    """Programs get every object by its digest, and nothing else on stdout."""
    with closing(open_store()) as app:
        digest = put_old(app, b"loose")
        upload = app.uploads.create("", "a")
        app.metadata.write(lambda tx: tx.execute("UPDATE artifact_uploads SET expires_at = 0"))

    code, out, err = run(capsys, "gc", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["is_deleted"], found["freed_bytes"]) == (False, 5)
    assert found["freed"] == [{"digest": digest, "size_bytes": 5}]
    assert [(left["upload_id"], left["file_count"]) for left in found["leftovers"]] == [(upload.upload_id, 0)]
    assert f"upload {upload.upload_id} has expired: 0 parts, 0 B\n" in run(capsys, "gc", "--delete")[1]


def test_age_is_chosen(capsys: pytest.CaptureFixture[str]):
    """What is younger than --older-than stays; less than an hour, and what is no time, is refused."""
    with closing(open_store()) as app:
        put_old(app, b"two days", days=2)
        put_old(app, b"two hours", days=1 / 12)

    assert run(capsys, "gc", "--older-than", "7d")[1].startswith("something refers to every object")
    assert "2 objects to free" in run(capsys, "gc", "--older-than", "1h")[1]
    for age in ("59m", "0d", "soon"):
        code, _, err = run(capsys, "gc", "--delete", "--older-than", age)
        assert (code, err.startswith("error: ")) == (2, True)


def test_empty_store_has_nothing_to_free(capsys: pytest.CaptureFixture[str]):
    """A new store says so."""
    code, out, _ = run(capsys, "gc")

    assert (code, "0 objects to free" in out) == (0, True)


def test_bar_goes_to_the_terminal_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """On a terminal the work shows a bar on stderr; what is written to stdout stays the same."""
    with closing(open_store()) as app:
        put_old(app, b"loose")
    plain = run(capsys, "gc")[1]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    code, out, _ = run(capsys, "gc")
    assert (code, out) == (0, plain)
