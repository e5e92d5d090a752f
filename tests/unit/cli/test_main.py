"""Errors of the command line: one line, a hint, an exit code, never a traceback."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from paddock.cli import main
from paddock.cli.commands import root
from paddock.kernel.errors import InvalidSettings, PromotionRefused


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with no settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PADDOCK_STORE", raising=False)
    monkeypatch.delenv("PADDOCK_DEBUG", raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def make_it_raise(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(root, "get_command", lambda *_: failing)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("modls",), "`modls` is not a command; the nearest is `models`"),
        (("data", "lst"), "`lst` is not a command; the nearest is `list`"),
        (("xyzzy",), "`xyzzy` is not a command"),
        (("runs", "list", "--limt", "3"), "`--limt` is not an option; the nearest is `--limit`"),
        (("--stor", "x", "version"), "`--stor` is not an option; the nearest is `--store`"),
        (("runs", "list", "--limit", "0"), "invalid value for '--limit'"),
        (("runs", "show"), "missing argument"),
    ],
)
def test_misspelt_words_name_the_nearest(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
):
    """A wrong command or option is told with the one that was probably meant, and where the help is."""
    code, out, err = run(capsys, *arguments)

    assert (code, out) == (2, "")
    assert err.startswith(f"error: {words}")
    assert err.splitlines()[-1].startswith("hint: paddock")


def test_error_of_a_room_keeps_its_exit_code(capsys: pytest.CaptureFixture[str]):
    """Nothing of that name is 3, with the next command as a hint."""
    code, _, err = run(capsys, "models", "show", "nothing")

    assert code == 3
    assert err == "error: there is no model `nothing`\nhint: paddock models list\n"


def test_single_faults_are_listed_below_the_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Several faults of one input come out together, each once."""
    make_it_raise(monkeypatch, PromotionRefused("2 gates failed", problems=("AUC is 0.6", "2 gates failed")))

    code, _, err = run(capsys, "version")

    assert (code, err) == (4, "error: 2 gates failed\n  - AUC is 0.6\n")


def test_unforeseen_fault_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """What nobody foresaw is told shortly; PADDOCK_DEBUG=1 shows the whole."""
    make_it_raise(monkeypatch, RuntimeError("first\nsecond"))

    code, _, err = run(capsys, "version")

    assert (code, err) == (
        1,
        "error: a fault in Paddock: RuntimeError: first\nhint: PADDOCK_DEBUG=1 shows where\n",
    )
    monkeypatch.setenv("PADDOCK_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["version"])


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [("no rows today", 1, "no rows today\n"), (3, 3, ""), (0, 0, ""), (None, 0, ""), (True, 1, "")],
)
def test_code_that_ends_the_process_does_so_as_in_python(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: str | int | None,
    code: int,
    words: str,
):
    """`sys.exit("text")` shows the text and ends with 1, a number ends with that number, nothing with 0."""
    make_it_raise(monkeypatch, SystemExit(asked))

    assert run(capsys, "version") == (code, "", words)


def test_interrupt_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C ends with 130."""
    make_it_raise(monkeypatch, KeyboardInterrupt())

    code, _, err = run(capsys, "version")

    assert (code, err.strip()) == (130, "stopped")


def test_unknown_setting_in_the_file_names_the_nearest(capsys: pytest.CaptureFixture[str]):
    """A wrong key in paddock.toml is told with the one that was probably meant."""
    Path("paddock.toml").write_text("[settings]\nprot = 1\n")

    code, _, err = run(capsys, "runs", "list")

    assert code == InvalidSettings.exit_code
    assert "`prot` is not a setting; the nearest is `port`" in err


@pytest.mark.parametrize(
    "words", [("models", "list"), ("data", "list"), ("audit", "verify"), ("server",), ("up",)]
)
def test_unknown_section_of_the_file_names_the_nearest(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    """A misspelt section is an error of every command that reads the file, with all others of the kind."""
    Path("paddock.toml").write_text("[setings]\n[monitr.delay]\n[xyzzy]\n")

    code, _, err = run(capsys, *words)

    assert code == InvalidSettings.exit_code
    assert err == (
        "error: `setings` is not a section of paddock.toml; the nearest is `settings`; "
        "`monitr` is not a section of paddock.toml; the nearest is `monitor`; "
        "`xyzzy` is not a section of paddock.toml\n"
    )


@pytest.mark.parametrize(
    "text", ["[settings", "settings = 1\n", "\x00", "a = " + "9" * 5000, "a = " + "[" * 9000]
)
def test_file_that_is_no_toml_is_told(capsys: pytest.CaptureFixture[str], text: str):
    """A broken paddock.toml is an error in words."""
    Path("paddock.toml").write_text(text)

    code, _, err = run(capsys, "runs", "list")

    assert (code, err.startswith("error: ")) == (2, True)
    assert "paddock.toml" in err


def test_reader_that_stops_early_is_no_error():
    """`paddock ... | head` ends in silence."""
    program = "import sys; from paddock.cli import main; sys.exit(main(['--help']))"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert (process.wait(30), process.stderr.read()) == (0, b"")
