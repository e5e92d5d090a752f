"""Backups and restores that are killed, and disks that are full."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store_kit import fill_store, open_store, words_of

from paddock.governance import read_backup, restore_backup
from paddock.kernel.errors import AlreadyExists, NotFound, StorageFull

# kills itself with SIGKILL when a stage is reported the n-th time
KILLED = """
import os, signal, sys
from pathlib import Path
from paddock.governance import Governance, restore_backup
from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import open_metadata
from paddock.objects import open_objects

act, store, folder, at, nth = sys.argv[1:]
seen = 0

def progress(stage, done, total):
    global seen
    seen += stage == at
    if seen == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)

if act == "backup":
    metadata, objects = open_metadata(store, clock=SystemClock()), open_objects(store + "/objects")
    actor = Actor(DEFAULT_PROJECT, "ann")
    Governance(metadata, objects, SystemClock(), actor, Path(store)).backup(Path(folder), progress=progress)
else:
    restore_backup(Path(folder), store, progress=progress)
"""


def run_killed(act: str, store: Path, folder: Path, stage: str, nth: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, act, str(store), str(folder), stage, str(nth)],
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.fixture
def app(tmp_path):
    app = open_store(tmp_path / "store")
    fill_store(app)
    yield app
    app.close()


@pytest.mark.parametrize(
    ("stage", "nth"), [("rows", 1), ("rows", 2), ("objects", 4), ("logs", 2), ("sync", 1)]
)
def test_killed_backup_is_no_backup(app, tmp_path, stage, nth):
    """Wherever it is killed, nothing that a restore accepts is left, and the next backup clears it."""
    target, draft = tmp_path / "backup", tmp_path / ".backup.partial"

    run_killed("backup", app.store.folder, target, stage, nth)

    assert not target.exists()
    assert draft.is_dir()
    if stage != "sync":  # by then it is complete; only its name is missing
        with pytest.raises(NotFound):
            restore_backup(draft, str(tmp_path / "restored"))
    app.governance.backup(target)
    read_backup(target)
    assert not draft.exists()


def test_killed_restore_has_no_rows_and_can_be_repeated(app, tmp_path):
    """What a killed restore left is no store; the same command again makes one."""
    target, restored = tmp_path / "backup", tmp_path / "restored"
    app.governance.backup(target)

    run_killed("restore", restored, target, "objects", 3)
    assert not (restored / "metadata.db").exists()
    restore_backup(target, str(restored))

    again = open_store(restored)
    assert words_of(again.governance.check()) == []
    again.close()


def test_restore_killed_before_its_rows_is_not_taken_for_anything(app, tmp_path):
    """At the last moment everything lies there but the rows; a person has to look, nothing is deleted."""
    target, restored = tmp_path / "backup", tmp_path / "restored"
    app.governance.backup(target)

    run_killed("restore", restored, target, "rows", 1)

    with pytest.raises(AlreadyExists):
        restore_backup(target, str(restored))
    assert (restored / "objects").is_dir()


def test_backup_to_a_full_disk_leaves_nothing_and_the_store_unharmed(app, small_disk):
    """A backup that does not fit fails by name, whether rows or objects were too large."""
    run = app.tracking.start_run(experiment="large")
    app.tracking.log_artifact(run.run_id, "large.bin", bytes(range(256)) * 20_000)

    with pytest.raises(StorageFull):
        app.governance.backup(small_disk / "backup")

    assert list(small_disk.iterdir()) == []
    assert words_of(app.governance.check()) == []
    app.tracking.finish_run(run.run_id)


def test_backup_finds_a_disk_that_was_full_already(app, small_disk, fill_disk):
    """No byte left is the same refusal, and the file that took the space is left alone."""
    ballast = fill_disk(small_disk)

    with pytest.raises(StorageFull):
        app.governance.backup(small_disk / "backup")
    assert list(small_disk.iterdir()) == [ballast]


def test_restore_to_a_full_disk_leaves_the_place_as_it_was(app, small_disk, tmp_path):
    """A store that does not fit is taken back to the last file; the backup restores elsewhere."""
    run = app.tracking.start_run(experiment="large")
    app.tracking.log_artifact(run.run_id, "large.bin", bytes(range(256)) * 20_000)
    target = tmp_path / "backup"
    app.governance.backup(target)

    with pytest.raises(StorageFull):
        restore_backup(target, str(small_disk / "store"))
    with pytest.raises(StorageFull):
        restore_backup(target, str(small_disk))

    assert list(small_disk.iterdir()) == []
    assert restore_backup(target, str(tmp_path / "restored")).event_count > 0
