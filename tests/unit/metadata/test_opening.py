"""From an address to a store, and what is missing on the way."""

import subprocess
import sys
from pathlib import Path

import pytest

from paddock.kernel.clock import SystemClock
from paddock.kernel.errors import NotFound, PaddockError, UnreadableFile
from paddock.metadata import open_metadata, restore_metadata


def test_metadata_does_not_load_psycopg() -> None:
    """Importing the room loads neither psycopg nor anything heavier."""
    code = (
        "import sys, paddock.metadata, paddock.objects;"
        "print([name for name in ('psycopg', 'numpy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


def test_missing_psycopg_is_named() -> None:
    """Without psycopg the error says what to install."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from paddock.kernel.clock import SystemClock\n"
        "from paddock.kernel.errors import InvalidSettings\n"
        "from paddock.metadata import open_metadata\n"
        "try: open_metadata('postgresql://x', clock=SystemClock())\n"
        "except InvalidSettings as error: print(error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "pip install 'paddock[postgres]'"


def test_file_address_is_taken_as_it_is(tmp_path: Path) -> None:
    """An address ending in `.db` is the file itself, any other a folder for it."""
    open_metadata(str(tmp_path / "mine.db"), clock=SystemClock()).close()
    open_metadata(str(tmp_path / "deep" / "folder"), clock=SystemClock()).close()

    assert (tmp_path / "mine.db").is_file()
    assert (tmp_path / "deep" / "folder" / "metadata.db").is_file()


def test_restore_needs_a_backup(tmp_path: Path) -> None:
    """A backup that is not there is NotFound, a file that is none UnreadableFile, and no store is made."""
    (tmp_path / "text").write_text("not a backup")

    with pytest.raises(NotFound):
        restore_metadata(tmp_path / "none", str(tmp_path / "store"))
    with pytest.raises(UnreadableFile):
        restore_metadata(tmp_path / "text", str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_cut_backup_is_not_restored(tmp_path: Path) -> None:
    """A backup that lost its second half is refused, and no store is made."""
    store = open_metadata(str(tmp_path / "store"), clock=SystemClock())
    store.backup(tmp_path / "backup.db")
    store.close()
    body = (tmp_path / "backup.db").read_bytes()
    (tmp_path / "cut.db").write_bytes(body[: len(body) // 2])

    with pytest.raises(PaddockError, match=r"cut\.db"):
        restore_metadata(tmp_path / "cut.db", str(tmp_path / "other"))
    assert not (tmp_path / "other" / "metadata.db").exists()
