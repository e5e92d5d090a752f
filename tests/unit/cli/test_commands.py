"""Commands on a real store in a folder."""

import json
import sys
import tarfile
from pathlib import Path

import pytest

from paddock.cli import main

CSV = "carrier,delay\nUA,3.5\nAA,-1.0\n"
PIPELINE = """
import paddock as pk

@pk.step
def double(value):
    return value * 2

@pk.pipeline
def work(value: int = 1):
    return double(value)

@pk.step
def fail():
    raise ValueError("no rows")

@pk.pipeline
def broken():
    return fail()

def plain():
    return 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder whose store is `.paddock`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PADDOCK_STORE", raising=False)
    (tmp_path / "flights.csv").write_text(CSV)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def show(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_datasets_are_added_listed_and_shown(capsys: pytest.CaptureFixture[str]):
    """A file becomes version 1; the same file again is still version 1."""
    first = run(capsys, "data", "add", "flights.csv")
    again = show(capsys, "data", "add", "flights.csv")
    listed = show(capsys, "data", "list")
    text = run(capsys, "data", "show", "flights@1")[1]

    assert first[1] == "flights@1  2 rows  29 B\n"
    assert again["version"] == 1
    assert [each["name"] for each in listed["datasets"]] == ["flights"]
    assert "carrier" in text
    assert "string" in text


@pytest.mark.parametrize("name", ["empty.csv", "cut.parquet", "none.csv"])
def test_bad_files_are_refused(capsys: pytest.CaptureFixture[str], folder: Path, name: str):
    """An empty, truncated or missing file is an error with a reason, and no dataset."""
    (folder / "empty.csv").write_text("")
    (folder / "cut.parquet").write_bytes(b"PAR1 and then nothing")

    code, _, err = run(capsys, "data", "add", name)

    assert code in (2, 3)
    assert name in err
    assert show(capsys, "data", "list")["datasets"] == []


def test_empty_listings_say_what_would_be_there(capsys: pytest.CaptureFixture[str]):
    """A new store answers every listing, with the command that fills it."""
    for words in (("data", "list"), ("runs", "list"), ("models", "list"), ("monitor",)):
        code, out, _ = run(capsys, *words)

        assert code == 0
        assert "yet" in out
        assert "paddock" in out or "log_model" in out


def test_pipeline_runs_with_its_parameters(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """`MODULE:PIPELINE` is found in the current folder; the second run comes from the cache."""
    (folder / "flights_work.py").write_text(PIPELINE)
    monkeypatch.setattr(sys, "path", [*sys.path])

    first = run(capsys, "run", "flights_work:work", "-p", "value=4")
    second = run(capsys, "run", "flights_work:work", "-p", "value=4")

    assert (first[0], second[0]) == (0, 0)
    assert "succeeded" in first[1]
    assert "cached" in second[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("flights_more:wrk",), 2, "has no pipeline `wrk`; the nearest is `work`"),
        (("flights_more:plain",), 2, "decorate the function"),
        (("flights_more",), 2, "names no pipeline"),
        (("no.such.module:x",), 2, "there is no module `no.such.module`"),
        (("flights_bad:work",), 2, "cannot be imported: ModuleNotFoundError"),
        (("flights_more:work", "-p", "vale=4"), 2, "`vale`; the nearest is `value`"),
        (("flights_more:work", "-p", "4"), 2, "`4` is not NAME=VALUE"),
        (("flights_more:broken",), 1, "no rows"),
    ],
)
def test_wrong_calls_of_a_pipeline_say_why(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
):
    """A wrong name, a wrong parameter and a failing step are told apart, without a traceback."""
    (folder / "flights_more.py").write_text(PIPELINE)
    (folder / "flights_bad.py").write_text("import no_such_library_at_all")
    monkeypatch.setattr(sys, "path", [*sys.path])

    found, out, err = run(capsys, "run", *arguments)

    assert found == code
    assert words in out + err


def test_ledger_is_checked_and_its_head_told(capsys: pytest.CaptureFixture[str]):
    """`audit verify` counts what it checked."""
    run(capsys, "data", "add", "flights.csv")

    code, out, _ = run(capsys, "audit", "verify")
    verdict = show(capsys, "audit", "verify")

    assert (code, out.splitlines()[0]) == (0, "1 event checked, all in order")
    assert (verdict["ok"], verdict["head_position"]) == (True, 1)


@pytest.mark.parametrize("name", ["saved", "saved.tar"])
def test_backup_restores_to_the_same_store(capsys: pytest.CaptureFixture[str], folder: Path, name: str):
    """The drill: back up, lose the store, restore, and find everything with its history."""
    run(capsys, "data", "add", "flights.csv")
    before = show(capsys, "data", "list")
    head = show(capsys, "audit", "verify")["head_hash"]

    backed_up = run(capsys, "backup", name)
    restored = run(capsys, "--store", "other", "restore", name)

    assert (backed_up[0], restored[0]) == (0, 0), backed_up[2] + restored[2]
    assert show(capsys, "--store", "other", "data", "list") == before
    assert show(capsys, "--store", "other", "audit", "verify")["head_hash"] == head
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [".paddock", "flights.csv", "other", name]
    )


def test_backup_and_restore_overwrite_nothing(capsys: pytest.CaptureFixture[str]):
    """A second backup to one place, and a restore onto a store, are refused."""
    run(capsys, "data", "add", "flights.csv")

    assert run(capsys, "backup", "saved")[0] == 0
    assert run(capsys, "backup", "saved")[0] == 4
    assert run(capsys, "backup", "saved.tar")[0] == 0
    assert run(capsys, "backup", "saved.tar")[0] == 4
    assert run(capsys, "restore", "saved")[0] == 4
    assert show(capsys, "audit", "verify")["checked_count"] == 1


def test_damaged_backup_restores_nothing(capsys: pytest.CaptureFixture[str], folder: Path):
    """A flipped bit, a folder that is no backup, and no folder are found before anything is written."""
    run(capsys, "data", "add", "flights.csv")
    run(capsys, "backup", "saved")
    victim = max(
        (path for path in (folder / "saved").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    victim.chmod(0o600)
    victim.write_bytes(victim.read_bytes()[:-1] + b"\xff")
    (folder / "nothing").mkdir()

    codes = [run(capsys, "--store", "other", "restore", name)[0] for name in ("saved", "nothing", "absent")]

    assert codes == [7, 3, 3]
    assert not (folder / "other").exists()


def test_archive_with_anything_else_in_it_is_refused(capsys: pytest.CaptureFixture[str], folder: Path):
    """Links, absolute names and names that leave the folder are not extracted."""
    for number, (name, kind) in enumerate(
        [
            ("../evil", tarfile.REGTYPE),
            ("/tmp/evil", tarfile.REGTYPE),
            ("backup.json", tarfile.SYMTYPE),
            ("objects", tarfile.DIRTYPE),
        ]
    ):
        archive = folder / f"evil{number}.tar"
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        with tarfile.open(archive, "w") as file:
            file.addfile(member)

        assert run(capsys, "--store", "other", "restore", str(archive))[0] == 7
    assert not (folder / "other").exists()


def test_damaged_object_fails_the_backup(capsys: pytest.CaptureFixture[str], folder: Path):
    """A backup that could not be restored is not written to its end."""
    run(capsys, "data", "add", "flights.csv")
    files = [path for path in (folder / ".paddock" / "objects").rglob("*") if path.is_file()]
    victim = max(files, key=lambda path: path.stat().st_size)
    victim.chmod(0o600)
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")

    code, _, err = run(capsys, "backup", "saved")

    assert code == 7
    assert "error: " in err
    assert not (folder / "saved").exists()
    assert run(capsys, "audit", "check")[0] == 7


def test_whole_store_has_no_faults(capsys: pytest.CaptureFixture[str]):
    """`audit check` counts what it looked at."""
    run(capsys, "data", "add", "flights.csv")

    code, out, _ = run(capsys, "audit", "check")

    assert (code, out) == (0, "1 event, 2 objects, 0 segments of prediction logs: no faults\n")
