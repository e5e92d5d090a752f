"""What nothing refers to is freed, and nothing else."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest
from store_kit import Filled, fill_store, open_store, words_of

from paddock.app import App, open_app
from paddock.governance import GcReport
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput, StoreInUse
from paddock.kernel.ids import new_id
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.settings import resolve_settings
from paddock.registry import NewVersion
from paddock.tracking import owner_of_model, owner_of_run

DAY = timedelta(days=1)
MODEL = owner_of_model("m-1f")

# Every column that holds a digest: the objects it names are marked, or it names none.
MARKED = {
    "artifact_upload_parts.digest",
    "artifacts.digest",
    "dataset_versions.digest",
    "dataset_versions.profile_digest",
    "gate_reports.candidate_digest",
    "gate_reports.report_digest",
    "model_versions.package_digest",
    "runs.environment_digest",
    "step_cache.output_digest",  # the same as of the step run that made it
    "step_runs.log_digest",
    "step_runs.output_digest",
}
NO_OBJECT = {
    "artifact_uploads.digest",  # of an artifact that has a row of its own
    "described_datasets.digest",
    "idempotency_keys.request_digest",
    "logged_model_metrics.dataset_digest",
    "model_versions.code_digest",
    "model_versions.environment_digest",
    "model_versions.params_digest",
    "monitor_windows.facts_digest",
    "pipeline_runs.request_digest",
    "step_cache.code_digest",
    "step_cache.environment_digest",
    "step_cache.inputs_digest",
    "step_runs.code_digest",
    "step_values.digest",
}


def path_of(app: App, digest: Digest | str) -> Path:
    return app.store.folder / "objects" / digest[:2] / digest[2:]


def grow_old(app: App, *digests: Digest | str, days: float = 2.0) -> None:
    """Make objects look as if they were stored days ago; all of them when none is named."""
    for digest in digests or tuple(app.objects.list_digests()):
        os.utime(path_of(app, digest), (time.time() - days * 86_400,) * 2)


def freed(report: GcReport) -> set[str]:
    return {each.digest for each in report.freed}


def test_filled_store_loses_nothing(app: App, filled: Filled):
    """What any room has written and still names stays, however old it is."""
    app.acting_as(Actor(ProjectId("other"), "bob")).artifacts.put(MODEL, "a", b"of another project")
    app.acting_as(Actor(ProjectId("third"), "bob")).tracking.start_run(experiment="e")
    upload = app.uploads.create(MODEL, "large.bin")
    app.uploads.put_part(upload.upload_id, 1, b"a part that has arrived")
    before = set(app.objects.list_digests())
    grow_old(app)

    report = app.governance.collect(delete=True)

    assert (freed(report), report.leftovers) == (set(), ())
    assert report.object_count == len(before) >= 12
    assert set(app.objects.list_digests()) == before
    assert words_of(app.governance.check()) == []


def test_dry_run_shows_and_delete_frees(app: App, filled: Filled):
    """First it is told what nothing refers to, and nothing happens; then exactly that is deleted."""
    loose = {app.objects.put(b"loose %d" % number) for number in range(3)}
    app.artifacts.put(MODEL, "a/x", b"deleted")
    app.artifacts.put(MODEL, "b", b"named twice")
    app.artifacts.put(MODEL, "a/y", b"named twice")
    app.artifacts.delete(MODEL, "a")
    grow_old(app)

    shown = app.governance.collect()
    assert freed(shown) == loose | {digest_bytes(b"deleted")}
    assert (shown.is_deleted, shown.freed_bytes) == (False, 3 * 7 + 7)
    assert loose < set(app.objects.list_digests())
    done = app.governance.collect(delete=True)
    assert (freed(done), done.is_deleted) == (freed(shown), True)
    assert freed(shown).isdisjoint(app.objects.list_digests())
    assert app.artifacts.read(MODEL, "b") == b"named twice"
    assert words_of(app.governance.check()) == []
    assert freed(app.governance.collect(delete=True)) == set()


def test_young_objects_stay(app: App):
    """What is younger than the least age is counted and stays: its row may be about to come."""
    young, old = app.objects.put(b"young"), app.objects.put(b"old")
    grow_old(app, young, days=0.9)
    grow_old(app, old, days=1.1)

    report = app.governance.collect(delete=True)

    assert freed(report) == {old}
    assert (report.young_count, report.young_bytes) == (1, 5)
    assert freed(app.governance.collect(delete=True, min_age=timedelta(hours=20))) == {young}


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=59), timedelta(days=-1)])
def test_least_age_has_a_floor(app: App, age: timedelta):
    """Nobody can ask for objects to be deleted that were stored a moment ago."""
    with pytest.raises(InvalidInput, match="60 minutes old"):
        app.governance.collect(delete=True, min_age=age)


def test_object_named_again_while_marking_stays(app: App, monkeypatch: pytest.MonkeyPatch):
    """An upload of the same bytes, after the rows were read, keeps the object whatever the marks say."""
    digest = app.objects.put(b"the same bytes")
    grow_old(app)
    list_objects = app.objects.list_objects

    def upload_meanwhile() -> Iterator[object]:
        found = tuple(list_objects())
        app.artifacts.put(MODEL, "a", b"the same bytes")
        return iter(found)

    monkeypatch.setattr(app.objects, "list_objects", upload_meanwhile)
    report = app.governance.collect(delete=True)

    assert (digest, freed(report)) == (digest_bytes(b"the same bytes"), set())
    assert app.artifacts.read(MODEL, "a") == b"the same bytes"


def test_object_put_again_without_a_row_stays(app: App, monkeypatch: pytest.MonkeyPatch):
    """Between an upload and its row there is only the object's age to tell, and it is looked at last."""
    digest = app.objects.put(b"the same bytes")
    grow_old(app)
    list_objects = app.objects.list_objects

    def put_meanwhile() -> Iterator[object]:
        found = tuple(list_objects())
        app.objects.put(b"the same bytes")
        return iter(found)

    monkeypatch.setattr(app.objects, "list_objects", put_meanwhile)

    assert freed(app.governance.collect(delete=True)) == set()
    assert app.objects.has(digest)


def test_row_of_a_slow_writer_is_seen(app: App, monkeypatch: pytest.MonkeyPatch):
    """A row that came after the first look, for an object that is old, keeps it: rows are read again."""
    digest = app.objects.put(b"stored days ago")
    grow_old(app)
    list_objects = app.objects.list_objects

    def name_meanwhile() -> Iterator[object]:
        found = tuple(list_objects())
        app.artifacts.put(MODEL, "a", b"stored days ago")
        grow_old(app)
        return iter(found)

    monkeypatch.setattr(app.objects, "list_objects", name_meanwhile)

    assert freed(app.governance.collect(delete=True)) == set()
    assert app.objects.get(digest) == b"stored days ago"


def test_package_that_is_registered_now_is_renewed(app: App, filled: Filled):
    """A version may name a package whose objects were stored long ago: they are young again by then."""
    grow_old(app)

    app.registry.register_version("again", filled.package)
    ages = {each.digest: each.age_s for each in app.objects.list_objects()}
    assert ages[filled.package] < 3600 < max(ages.values())


def test_expired_upload_is_dropped(tmp_path: Path):
    """An upload without parts for seven days goes with them; a part that is a file elsewhere stays."""
    clock = SimulatedClock(datetime(2013, 4, 1, tzinfo=UTC))
    settings = resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {})
    with closing(open_app(settings, clock=clock)) as app:
        app.artifacts.put(MODEL, "a", b"a part and a file")
        upload = app.uploads.create(MODEL, "large.bin")
        app.uploads.put_part(upload.upload_id, 1, b"a part and a file")
        app.uploads.put_part(upload.upload_id, 2, b"a part alone")
        clock.move_to(clock.now() + timedelta(days=7, seconds=1))
        grow_old(app)

        shown = app.governance.collect()
        assert [(left.upload_id, left.file_count, left.size_bytes) for left in shown.leftovers] == [
            (upload.upload_id, 2, 29)
        ]
        assert freed(shown) == {digest_bytes(b"a part alone")}
        assert freed(app.governance.collect(delete=True)) == freed(shown)
        assert app.governance.collect().leftovers == ()
        assert app.artifacts.read(MODEL, "a") == b"a part and a file"


def test_files_of_a_purged_run_are_dropped(app: App):
    """Where the run is gone from the rows its files go, and the ledger is told; a deleted run keeps them."""
    kept, purged = (app.tracking.start_run(experiment="e").run_id for _ in range(2))
    for run_id in (kept, purged):
        app.artifacts.put(owner_of_run(run_id), "a/b.txt", run_id.encode())
    app.metadata.write(lambda tx: tx.execute("DELETE FROM runs WHERE run_id = :run_id", {"run_id": purged}))
    grow_old(app)

    report = app.governance.collect(delete=True)

    assert [(left.owner, left.file_count) for left in report.leftovers] == [(owner_of_run(purged), 1)]
    assert freed(report) == {digest_bytes(purged.encode())}
    assert app.artifacts.total(owner_of_run(purged)).file_count == 0
    assert app.artifacts.read(owner_of_run(kept), "a/b.txt") == kept.encode()
    events = app.metadata.events("default", kind="artifacts.deleted")
    assert [event.subject for event in events] == [f"run:{purged}"]


def test_files_of_a_deleted_logged_model_are_dropped(app: App):
    """Who deletes a logged model frees its files, unless a version was registered from it."""
    app.tracking.start_run(experiment="e")
    kept, deleted, registered = (app.logged_models.create("1").model_id for _ in range(3))
    app.registry.models.create("iris")
    app.registry.versions.register("iris", NewVersion(f"models:/{registered}"))
    for model_id in (kept, deleted, registered):
        app.artifacts.put(owner_of_model(model_id), "MLmodel", model_id.encode())
    for model_id in (deleted, registered):
        app.logged_models.delete(model_id)
    grow_old(app)

    report = app.governance.collect(delete=True)

    assert [left.owner for left in report.leftovers] == [owner_of_model(deleted)]
    assert freed(report) == {digest_bytes(deleted.encode())}
    for model_id in (kept, registered):
        assert app.artifacts.read(owner_of_model(model_id), "MLmodel") == model_id.encode()


def test_files_that_a_version_comes_from_stay(app: App, filled: Filled):
    """A registered version may be loaded from its run's files, so a purge of the run leaves them."""
    app.metadata.write(
        lambda tx: tx.execute("DELETE FROM runs WHERE run_id = :run_id", {"run_id": filled.run_id})
    )
    grow_old(app)

    report = app.governance.collect(delete=True)
    assert report.leftovers == ()
    assert app.artifacts.read(owner_of_run(filled.run_id), "notes/fit.txt") == b"depth 6"


def test_candidate_of_a_gate_is_evidence(app: App, filled: Filled):
    """The package that a report judges stays, although no version of it was registered."""
    app.metadata.write(lambda tx: tx.execute("DELETE FROM model_verifications"))
    for table in ("alias_changes", "model_versions", "models", "endpoint_revisions", "endpoints"):
        app.metadata.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))
    for config in app.gateway_folder("delay").glob("*.json"):
        config.unlink()
    grow_old(app)

    app.governance.collect(delete=True)
    assert app.objects.has(filled.package)


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_nothing_is_deleted_while_a_package_cannot_be_read(app: App, filled: Filled, damage: str):
    """Nobody knows which files an unreadable package needs, so nothing goes before it is restored."""
    app.objects.put(b"loose")
    if damage == "lost":
        path_of(app, filled.package).unlink()
    else:
        path_of(app, filled.package).write_bytes(b"{}")
    grow_old(app)
    before = set(app.objects.list_digests())

    with pytest.raises(IntegrityError, match="nothing is deleted: model `delay@1`"):
        app.governance.collect(delete=True)
    assert set(app.objects.list_digests()) == before


def test_backup_and_collection_keep_out_of_each_others_way(app: App, filled: Filled, target: Path):
    """While objects are copied for a backup none is deleted, and only one collection runs at a time."""
    with app.objects.hold(), pytest.raises(StoreInUse, match="backed up or cleaned up"):
        app.governance.collect(delete=True)
    with app.objects.hold(deletes=True), pytest.raises(StoreInUse):
        app.governance.collect(delete=True)
    assert app.governance.backup(target).object_count > 0


def test_progress_is_told(app: App, filled: Filled):
    """Rows, objects and deletions are told from none to all."""
    app.objects.put(b"loose")
    grow_old(app)
    told: list[tuple[str, int, int]] = []

    app.governance.collect(delete=True, progress=lambda *part: told.append(part))
    for stage in ("rows", "objects", "deleting"):
        parts = [part for part in told if part[0] == stage]
        assert parts[-1][1] == parts[-1][2] > 0
        assert parts[0][1] < parts[0][2]


def test_every_column_with_a_digest_is_thought_of(tmp_path: Path):
    """A column that a migration adds must be said to name objects, and then be marked, or to name none."""
    with closing(open_store(tmp_path / "store")):
        pass
    with closing(apsw.Connection(str(tmp_path / "store" / "metadata.db"))) as connection:
        columns = connection.execute(
            "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND c.name LIKE '%digest%'"
        )
        found = {str(name) for (name,) in columns}

    assert found == MARKED | NO_OBJECT


def test_unknown_project_is_found_by_its_artifacts(app: App):
    """A project without any event, that only keeps files, is a project."""
    actor = Actor(ProjectId(f"p-{new_id()}"), "bob")
    app.acting_as(actor).artifacts.put("", "a/b", b"nobody's")
    grow_old(app)

    assert freed(app.governance.collect(delete=True)) == set()


@pytest.mark.postgres
def test_store_in_a_database_is_collected(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On PostgreSQL what is named stays and what is not goes, in the same way."""
    monkeypatch.chdir(tmp_path)
    with closing(open_store(postgres_url)) as app:
        fill_store(app)
        before = set(app.objects.list_digests())
        loose = app.objects.put(b"loose")
        upload = app.uploads.create(MODEL, "large.bin")
        app.uploads.put_part(upload.upload_id, 1, b"a part of an upload that has expired")
        app.metadata.write(lambda tx: tx.execute("UPDATE artifact_uploads SET expires_at = 0"))
        grow_old(app)

        report = app.governance.collect(delete=True)
        assert freed(report) == {loose, digest_bytes(b"a part of an upload that has expired")}
        assert [left.upload_id for left in report.leftovers] == [upload.upload_id]
        assert set(app.objects.list_digests()) == before
        assert words_of(app.governance.check()) == []
