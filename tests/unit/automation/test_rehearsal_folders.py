"""Folders of rehearsals: gone after their block, and after the next start when their process was killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from paddock.automation import sweep_rehearsals
from paddock.automation.rehearsal_folders import rehearsal_folder

REHEARSING = """
import sys
from pathlib import Path
from paddock.automation.rehearsal_folders import rehearsal_folder
with rehearsal_folder(Path(sys.argv[1])) as folder:
    (folder / "packages").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


def start_rehearsing(place: Path) -> tuple["subprocess.Popen[str]", Path]:
    """Start a process that holds a folder in `place` until its input ends."""
    command = [sys.executable, "-c", REHEARSING, str(place)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_folder_is_gone_after_its_block(tmp_path: Path):
    """Also when the rehearsal fails, and with all that is in it."""

    def fail(folder: Path) -> None:
        (folder / "packages").mkdir()
        (folder / "packages" / "model").write_text("x")
        raise LookupError

    with pytest.raises(LookupError), rehearsal_folder(tmp_path) as folder:
        fail(folder)

    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_killed_process_goes_at_the_next_start(tmp_path: Path):
    """What SIGKILL has left is removed, be the folder old or new; a rehearsal that goes on keeps its own."""
    killed, left_over = start_rehearsing(tmp_path)
    killed.kill()
    killed.communicate()
    living, used = start_rehearsing(tmp_path)
    assert not left_over.exists()
    (tmp_path / ".rehearsal-older").mkdir()
    (tmp_path / "predictions").mkdir()

    sweep_rehearsals(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {used.name, "predictions"}
    living.communicate("")
    assert {path.name for path in tmp_path.iterdir()} == {"predictions"}


def test_two_rehearsals_of_one_process_keep_their_folders(tmp_path: Path):
    """The second one takes the first for what it is: at work."""
    with rehearsal_folder(tmp_path) as one, rehearsal_folder(tmp_path) as two:
        assert one != two
        assert one.is_dir()
        assert two.is_dir()


def test_place_that_is_not_there_has_nothing_to_sweep(tmp_path: Path):
    """An endpoint that was never served has no folder yet."""
    sweep_rehearsals(tmp_path / "none")

    assert not (tmp_path / "none").exists()
