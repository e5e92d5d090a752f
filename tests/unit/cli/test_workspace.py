"""Which project and which store a command works on, and what is said when there is none."""

import errno
import sys
from pathlib import Path

import click
import pytest

from paddock.cli import main
from paddock.cli.commands import root
from paddock.cli.workspace import read_settings
from paddock.kernel.errors import InvalidSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with no settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("PADDOCK_STORE", "PADDOCK_PROJECT", "PADDOCK_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    assert "fault in Paddock" not in err
    return code, out, err


def test_name_of_the_project_is_the_default_of_its_setting(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A flag comes before the environment, that before `[settings]`, that before `[project]`."""
    file = folder / "paddock.toml"
    file.write_text('[project]\nname = "flights"\n')
    assert read_settings().text("project") == "flights"

    file.write_text('[project]\nname = "flights"\n[settings]\nproject = "trains"\n')
    assert read_settings().text("project") == "trains"
    monkeypatch.setenv("PADDOCK_PROJECT", "ships")
    assert read_settings().text("project") == "ships"
    assert read_settings(project="cars").text("project") == "cars"


@pytest.mark.parametrize("text", ['project = "x"', "[project]\nname = 3", '[project]\nname = "a b"'])
def test_name_that_cannot_name_a_project_is_refused(folder: Path, text: str):
    """The name is checked like any other, and the error says where it stands."""
    (folder / "paddock.toml").write_text(text)

    with pytest.raises(InvalidSettings, match=r"paddock\.toml"):
        read_settings()


@pytest.mark.parametrize(
    "words", [("models", "list"), ("runs", "list"), ("audit", "verify"), ("backup", "b.tar"), ("monitor",)]
)
def test_mistyped_store_is_told_and_not_made(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...]
):
    """A command that only reads leaves nothing behind where there is no store."""
    code, _, err = run(capsys, "--store", "nostore", *words)

    assert code == 3
    assert err.startswith("error: there is no store in `nostore`\nhint: paddock data add")
    assert list(folder.iterdir()) == []


def test_adding_a_dataset_makes_the_store(capsys: pytest.CaptureFixture[str], folder: Path):
    """The command of the hint makes the store that was named."""
    (folder / "rows.csv").write_text("a\n1\n")

    assert run(capsys, "--store", "new", "data", "add", "rows.csv")[0] == 0
    assert run(capsys, "--store", "new", "models", "list")[0] == 0


@pytest.mark.parametrize("words", [("models", "list"), ("data", "add", "rows.csv")])
def test_store_that_is_a_file_is_told(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...]
):
    """A file cannot be a store, and is left as it was."""
    (folder / "rows.csv").write_text("a\n1\n")

    code, _, err = run(capsys, "--store", "rows.csv", *words)

    assert (code, err.splitlines()[0]) == (2, "error: `rows.csv` is a file, but a store is a folder")
    assert (folder / "rows.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_backup_into_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str], folder: Path, name: str):
    """The missing folder is named, with the command that makes it."""
    code, _, err = run(capsys, "backup", f"missing/{name}")

    assert code == 3
    assert err == (
        f"error: there is no folder `{folder}/missing` to write `{name}` into\n"
        f"hint: mkdir -p {folder}/missing\n"
    )


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.EROFS, 5, "cannot write `/srv/paddock`: Read-only file system"),
        (errno.EACCES, 5, "cannot open `/srv/paddock`: Permission denied"),
        (errno.ENOSPC, 6, "cannot write `/srv/paddock`: No space left on device"),
        (errno.ENOENT, 3, "cannot find `/srv/paddock`: No such file or directory"),
    ],
)
def test_what_the_system_refuses_is_no_fault_of_paddock(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int, code: int, words: str
):
    """Ordinary conditions of files are told with the path, a hint and an exit code; debugging shows where."""

    @click.command()
    def failing() -> None:
        raise OSError(number, "as the system says", "/srv/paddock")

    monkeypatch.setattr(root, "get_command", lambda *_: failing)

    found, _, err = run(capsys, "version")

    assert (found, err.splitlines()[0]) == (code, f"error: {words}")
    assert err.splitlines()[1].startswith("hint: ")
    monkeypatch.setenv("PADDOCK_DEBUG", "1")
    with pytest.raises(OSError, match="as the system says"):
        main(["version"])


TRAINING = """
import pyarrow as pa

import paddock as pk

pk.add_dataset("seen", pa.table({"x": [1.0]}))

@pk.pipeline
def train():
    return None
"""
RETRAINED = """
[pipeline.train]
entry = "training_elsewhere:train"
[endpoint.shop]
model = "shop@champion"
[retrain.shop]
pipeline = "train"
"""


def test_code_of_the_user_works_on_the_store_of_the_loop(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """With `--store`, what a pipeline's module does lands there and not in the default store."""
    (folder / "training_elsewhere.py").write_text(TRAINING)
    (folder / "paddock.toml").write_text(RETRAINED)
    monkeypatch.setattr(sys, "path", [*sys.path])

    code, _, err = run(capsys, "--store", "elsewhere", "loop", "--once")

    assert code == 0, err
    assert "seen" in run(capsys, "--store", "elsewhere", "data", "list")[1]
    assert not (folder / ".paddock").exists()
