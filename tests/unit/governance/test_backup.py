"""Backups: complete or not there, restored as they were, refused when one byte differs."""

import os
from pathlib import Path

import apsw
import msgspec
import pytest
from store_kit import add_label, open_store, words_of

from paddock.governance import read_backup, restore_backup
from paddock.governance.files import describe_file
from paddock.governance.rules import decode_manifest, encode_manifest
from paddock.kernel.errors import (
    AlreadyExists,
    IntegrityError,
    InvalidInput,
    NotFound,
    StoreInUse,
    StoreTooNew,
    UnreadableFile,
)
from paddock.prediction_log import read_labels
from paddock.serving import GatewayState, Route, publish

FROZEN = Path(__file__).parents[2] / "frozen" / "backup-v1.json"


@pytest.fixture
def restored(tmp_path):
    return tmp_path / "restored"


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_restored_store_is_the_one_that_was_backed_up(app, filled, target, restored, predictions):
    """Rows, objects, configs, packages, logs and the head of the ledger come back, and nothing is amiss."""
    report = app.governance.backup(target)
    result = restore_backup(target, str(restored))

    again = open_store(restored)
    check = again.governance.check()
    assert words_of(check) == []
    assert (check.object_count, check.segment_count) == (report.object_count, 1)
    assert (result.head_position, result.head_hash) == (report.head_position, report.head_hash)
    assert again.tracking.read_artifact(filled.run_id, "notes/fit.txt") == b"depth 6"
    assert again.registry.get("delay@champion").package_digest == filled.package
    assert read_labels(again.gateway_folder("delay") / "predictions") == read_labels(predictions)
    state = again.gateway_folder("delay")
    assert (state / "packages" / filled.package / "manifest.json").is_file()
    assert (state / "config.json").read_bytes() == (predictions.parent / "config.json").read_bytes()
    again.close()


def test_backup_takes_the_place_of_an_empty_folder_only(app, filled, target):
    """An empty folder becomes the backup; one that holds something, or a file, stays as it is."""
    target.mkdir(parents=True)
    app.governance.backup(target)
    before = files_of(target)

    with pytest.raises(AlreadyExists):
        app.governance.backup(target)
    with pytest.raises(AlreadyExists):
        app.governance.backup(target / "backup.json")
    assert files_of(target) == before
    assert [path.name for path in target.parent.iterdir()] == ["monday"]


def test_two_backups_to_one_place_do_not_mix(app, filled, target):
    """While one is being written, a second one to the same place is refused."""
    refusals = []

    def interfere(stage, done, total):
        if stage == "rows" and done == 0:
            with pytest.raises(StoreInUse) as caught:
                app.governance.backup(target)
            refusals.append(caught.value)

    app.governance.backup(target, progress=interfere)

    assert len(refusals) == 1
    read_backup(target)


def test_progress_reaches_the_end_of_every_stage(app, filled, target, restored):
    """Each stage is reported up to its last part, when backing up and when restoring."""
    steps, restoring = [], []
    report = app.governance.backup(target, progress=lambda *step: steps.append(step))
    restore_backup(target, str(restored), progress=lambda *step: restoring.append(step))

    last = {stage: (done, total) for stage, done, total in steps}
    assert last == {
        "ledger": (1, 1),
        "rows": (1, 1),
        "objects": (report.object_count,) * 2,
        "logs": (1, 1),
        "sync": (1, 1),
    }
    assert ("objects", report.object_count, report.object_count) in restoring


def test_failed_backup_leaves_nothing(app, filled, target):
    """A damaged object fails the backup by name, and no folder is left that could be taken for one."""
    victim = app.store.folder / "objects" / filled.dataset[:2] / filled.dataset[2:]
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")

    with pytest.raises(IntegrityError, match=filled.dataset):
        app.governance.backup(target)
    assert list(target.parent.iterdir()) == []


def test_damaged_log_fails_the_backup(app, filled, target, predictions):
    """A prediction log that no reader can read is not backed up as if it were whole."""
    for _ in range(3):
        add_label(predictions)
    segment = next(predictions.glob("labels-*.log"))
    body = bytearray(segment.read_bytes())
    body[80] ^= 1
    segment.write_bytes(body)

    with pytest.raises(IntegrityError, match=segment.name):
        app.governance.backup(target)


def test_every_changed_byte_is_found_and_named(app, filled, target, restored):
    """Whichever file is changed, cut off or missing, it is named and nothing is restored."""
    app.governance.backup(target)
    for path in files_of(target):
        name, body = path.relative_to(target).as_posix(), path.read_bytes()
        flipped = bytes([*body[: len(body) // 2], body[len(body) // 2] ^ 1, *body[len(body) // 2 + 1 :]])
        for faulty in (flipped, body[:-1], body + b"x"):
            path.write_bytes(faulty)
            if name == "backup.json" and faulty == body[:-1]:
                continue  # only the line end is cut off: the manifest says the same
            with pytest.raises(IntegrityError, match=name):
                restore_backup(target, str(restored))
        path.unlink()
        with pytest.raises((IntegrityError, NotFound), match=name):
            restore_backup(target, str(restored))
        path.write_bytes(body)

    assert not restored.exists()
    restore_backup(target, str(restored))


def test_link_in_a_backup_is_no_file_of_it(app, filled, target, restored, tmp_path):
    """A file that was replaced by a link to the same bytes is not followed."""
    app.governance.backup(target)
    rows = target / "metadata.backup"
    rows.rename(tmp_path / "elsewhere")
    rows.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(IntegrityError, match=r"metadata\.backup.* missing"):
        restore_backup(target, str(restored))


def test_restore_overwrites_nothing(app, filled, target, restored):
    """A store, or any folder that holds something, is left as it is."""
    app.governance.backup(target)
    restored.mkdir()
    (restored / "mine").write_text("kept")

    with pytest.raises(AlreadyExists):
        restore_backup(target, str(app.store.folder))
    with pytest.raises(AlreadyExists):
        restore_backup(target, str(restored))
    assert [path.name for path in restored.iterdir()] == ["mine"]
    assert app.metadata.verify_ledger().ok


def test_backup_of_one_engine_is_refused_for_the_other(app, filled, target, tmp_path):
    """The refusal comes before anything is written, and says what would do."""
    app.governance.backup(target)

    with pytest.raises(InvalidInput, match="sqlite"):
        restore_backup(target, "postgresql:///nowhere", folder=tmp_path / "local")
    assert not (tmp_path / "local").exists()


def test_newer_backup_is_refused(app, filled, target, restored):
    """A backup of a later format asks for a newer Paddock; what never was a backup is called that."""
    app.governance.backup(target)
    manifest = target / "backup.json"
    body = manifest.read_bytes()
    manifest.write_bytes(body.replace(b'"format_version": 1', b'"format_version": 2'))
    with pytest.raises(StoreTooNew):
        restore_backup(target, str(restored))
    manifest.write_bytes(body.replace(b'"format": "paddock.backup"', b'"format": "else"'))
    with pytest.raises(UnreadableFile):
        restore_backup(target, str(restored))


def test_backup_of_a_newer_schema_leaves_nothing(app, filled, target, restored):
    """A backup whose rows a newer Paddock has written is refused, and the place stays as it was."""
    app.governance.backup(target)
    rows = target / "metadata.backup"
    connection = apsw.Connection(str(rows))
    connection.execute("INSERT INTO schema_migrations (number, name, applied_at) VALUES (9999, 'later', 0)")
    connection.close()
    manifest = decode_manifest((target / "backup.json").read_bytes())
    files = {**manifest.files, rows.name: describe_file(rows)}
    resealed = msgspec.structs.replace(manifest, files=files)
    (target / "backup.json").write_bytes(encode_manifest(resealed))

    with pytest.raises(StoreTooNew, match="9999"):
        restore_backup(target, str(restored))
    assert not restored.exists()


def test_config_is_never_ahead_of_the_rows(app, filled, target, restored):
    """Traffic that changes while a backup is written comes back with rows that know of it, or not at all."""

    def change_traffic(stage, done, total):
        if (stage, done) in {("rows", 0), ("rows", 1)}:
            revision = app.endpoints.set_traffic(
                "delay",
                (Route(1, 0.5 + done / 4), Route(2, 0.5 - done / 4)),
                packages={1: filled.package, 2: filled.package},
                reason=f"step {done}",
            )
            publish(GatewayState(app.gateway_folder("delay")), revision.config, app.objects)

    app.governance.backup(target, progress=change_traffic)
    restore_backup(target, str(restored))

    again = open_store(restored)
    assert words_of(again.governance.check()) == []
    again.close()


def test_what_a_killed_restore_left_is_cleared(app, filled, target, restored):
    """A folder with the marker of a restore that never ended is filled anew, its old logs gone."""
    app.governance.backup(target)
    (restored / "gateways" / "old" / "predictions").mkdir(parents=True)
    (restored / ".restoring").touch()

    restore_backup(target, str(restored))

    assert sorted(path.name for path in (restored / "gateways").iterdir()) == ["delay"]
    assert not (restored / ".restoring").exists()


def test_missing_package_is_noted_and_the_rest_restored(app, filled, target, restored):
    """An object that the store had lost before the backup does not keep everything else from coming back."""
    (app.store.folder / "objects" / filled.package[:2] / filled.package[2:]).unlink()
    app.governance.backup(target)

    result = restore_backup(target, str(restored))

    assert len(result.notes) == 1
    assert filled.package in result.notes[0]
    assert (restored / "metadata.db").is_file()


def test_torn_tail_of_a_log_is_cut(app, filled, target, predictions):
    """Half a frame at the end of a log, as a crash or a writer at work leaves it, is not in the backup."""
    segment = next(predictions.glob("labels-*.log"))
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[64:90])

    app.governance.backup(target)

    assert (target / "gateways" / "delay" / "predictions" / segment.name).read_bytes() == whole


def test_backup_is_for_its_owner_alone(app, filled, target):
    """Folders 0700 and files 0600: a backup holds what the store holds."""
    before = os.umask(0o022)
    try:
        app.governance.backup(target)
    finally:
        os.umask(before)

    modes = {path.stat().st_mode & 0o777 for path in (target, *target.rglob("*"))}
    assert modes == {0o600, 0o700}


def test_frozen_manifest_reads_and_writes_as_ever():
    """A manifest of format 1 keeps its meaning and its bytes."""
    body = FROZEN.read_bytes()

    manifest = decode_manifest(body)

    assert (manifest.engine, manifest.schema_version, manifest.head_position) == ("sqlite", 9, 41)
    assert manifest.size_bytes == 172_032 + 7
    assert encode_manifest(manifest) == body


def test_manifest_with_odd_names_is_refused():
    """A manifest may be sealed anew by anyone; it still cannot name files outside a backup."""
    manifest = decode_manifest(FROZEN.read_bytes())
    file = next(iter(manifest.files.values()))
    for name in ("../evil", "/etc/passwd", "gateways/../../config.json", "objects/ab"):
        evil = msgspec.structs.replace(manifest, files={name: file})
        with pytest.raises(IntegrityError, match="does not have"):
            decode_manifest(encode_manifest(evil))
