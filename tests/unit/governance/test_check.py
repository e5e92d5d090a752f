"""A check of the store finds what is wrong with it and says so."""

import pytest
from store_kit import words_of


def path_of(app, digest):
    return app.store.folder / "objects" / digest[:2] / digest[2:]


def test_whole_store_has_no_faults(app, filled):
    """What every room wrote is found, and counted."""
    check = app.governance.check()

    assert words_of(check) == []
    assert check.ok
    # file and profile, environment, artifact, report, package, window profile, outputs and a log of steps
    assert check.named_count >= 10
    assert check.event_count == app.metadata.verify_ledger().checked_count


def test_empty_store_has_no_faults(app):
    """A new store is in order."""
    assert app.governance.check().ok


@pytest.mark.parametrize(
    ("which", "where"),
    [
        ("dataset", "dataset `flights@1`: its file is missing"),
        ("profile", "monitor `delay` window 2013-04-01 00:00 #1: its profile is missing"),
        ("package", "model `delay@1`: its package `"),
    ],
)
def test_missing_object_is_named_with_its_row(app, filled, which, where):
    """For each object that a row names and that is gone, the row is told."""
    digest = getattr(filled, which)
    path_of(app, digest).unlink()

    found = words_of(app.governance.check())

    assert any(words.startswith(where) and digest in words for words in found), found


def test_objects_of_runs_reports_and_steps_are_missed(app, filled):
    """Artifact, environment, gate report and the large output of a step are looked for too."""
    run = app.tracking.get_run(filled.run_id)
    report = app.metadata.latest_events(app.actor.project_id, kind="gate.")[0].data["report_digest"]
    steps = app.pipelines.list_runs().runs
    output = app.pipelines.steps(steps[0].pipeline_run_id)[0].output_digest
    for digest in (run.environment_digest, run.artifacts[0].digest, report, output):
        path_of(app, digest).unlink()

    found = " ".join(words_of(app.governance.check()))

    assert f"run `{filled.run_id}`: its environment is missing" in found
    assert f"run `{filled.run_id}`: its artifact `notes/fit.txt` is missing" in found
    assert f"gate report `{filled.report_id}`: its body is missing" in found
    assert "(`spread`): its output cannot be read" in found


def test_lost_model_file_shows_at_every_name_of_the_package(app, filled):
    """Version, alias, endpoint and gateway config all say that the package cannot serve."""
    model = app.gateway_folder("delay") / "packages" / filled.package / "manifest.json"
    digest = next(
        line.split('"')[3]
        for line in model.read_text().replace(",", ",\n").splitlines()
        if "model.skops" in line
    )
    path_of(app, digest).unlink()

    found = words_of(app.governance.check())

    places = [words.partition(": ")[0] for words in found]
    assert places == [
        "model `delay@1`",
        "endpoint `delay` version 1",
        "alias `delay@champion`",
        "`config.json` of gateway `delay`",
    ]


def test_damaged_object_is_found(app, filled):
    """An object is read and hashed, not only looked for."""
    path = path_of(app, filled.dataset)
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    (found,) = words_of(app.governance.check())
    assert found.startswith(f"object `{filled.dataset}`: ")
    assert found.endswith("is damaged: the stored bytes have another digest")


def test_damaged_log_and_config_are_found(app, filled, predictions):
    """A gateway's files are read: a flipped byte in a log, and a config that is cut off."""
    segment = next(predictions.glob("labels-*.log"))
    body = bytearray(segment.read_bytes())
    body[20] ^= 1
    segment.write_bytes(body)
    (predictions.parent / "config.json").write_text('{"endpoint":')

    found = words_of(app.governance.check())

    assert [words.partition(": ")[0] for words in found] == [
        "`config.json` of gateway `delay`",
        "prediction log of gateway `delay`",
    ]
    assert segment.name in found[1]


def test_config_ahead_of_the_rows_is_found(app, filled, predictions):
    """A config whose generation no row knows would refuse the next one that is published."""
    config = predictions.parent / "config.json"
    config.write_text(config.read_text().replace('"generation": 1', '"generation": 5'))

    assert words_of(app.governance.check()) == [
        "`config.json` of gateway `delay`: has generation 5, but rows know only 1"
    ]
