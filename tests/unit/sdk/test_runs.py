"""Runs of a store in this process: what is checked at once, and what happens around the end of a block."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gateway_kit import wait_until

import paddock as pk
from paddock.app import App, open_app
from paddock.cli import main
from paddock.kernel.clock import EPOCH, SimulatedClock
from paddock.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from paddock.kernel.settings import resolve_settings


@pytest.fixture
def app(folder: Path) -> Iterator[App]:
    """The store that the calls go to."""
    pk.connect("store")
    with closing(open_app(resolve_settings({"store": "store"}, {}, {}))) as app:
        yield app


def steps_of(app: App, run_id: str, key: str = "auc") -> list[int]:
    return [point.step for point in app.tracking.metric_history(run_id, key)]


def test_what_can_only_be_wrong_is_raised_at_once(app: App):
    """A mistake of the one who logs does not wait for the end of the run, and nothing of it is logged."""
    with pk.run("delay") as run:
        for metrics in ({"": 1.0}, {7: 1.0}, {"auc": "high"}, {"auc": [1.0]}, {"a" * 300: 1.0}):
            with pytest.raises(InvalidInput):
                run.log(metrics)  # type: ignore[arg-type]  # what a user may do
        for step in (2**63, -(2**63) - 1):
            with pytest.raises(InvalidInput, match="outside of 64 bits"):
                run.log({"auc": 0.5}, step=step)
        with pytest.raises(InvalidInput):
            run.log_params({"depth": "x" * 6_001})
        with pytest.raises(InvalidInput):
            run.set_tags({"": "x"})
        run.log({"auc": 0.5}, step=2**63 - 1)

    found = app.tracking.get_run(run.run_id)
    assert (found.metrics, found.params, found.tags) == ({"auc": 0.5}, {}, {})
    assert steps_of(app, run.run_id) == [2**63 - 1]


def test_a_parameter_has_one_value(app: App):
    """Another value is a Conflict where it is logged; the same one again is nothing new."""
    with pk.run("delay", params={"depth": 6}) as run:
        run.log_params({"depth": 6, "rate": 0.1})
        with pytest.raises(Conflict, match=r"param `rate` is `0\.1` and cannot become `0\.2`"):
            run.log_params({"rate": 0.2, "more": 1})

    assert app.tracking.get_run(run.run_id).params == {"depth": "6", "rate": "0.1"}


def test_files_are_checked_at_once(app: App, folder: Path):
    """A path that no run may have, no file, and a folder each say what is wrong."""
    with pk.run("delay") as run:
        with pytest.raises(InvalidInput, match="segment"):
            run.log_text("x", "../x.txt")
        with pytest.raises(NotFound, match="there is no file `none`"):
            run.log_artifact("none.bin", "none")
        with pytest.raises(InvalidInput, match="is not a regular file"):
            run.log_artifact("folder", folder)

    assert app.tracking.get_run(run.run_id).artifacts == ()


def test_a_run_may_be_logged_to_behind_its_block(app: App):
    """What comes after the end arrives like all else."""
    with pk.run("delay") as run:
        run.log({"auc": 0.5})
    run.log({"auc": 0.6})

    wait_until(lambda: steps_of(app, run.run_id) == [0, 1])
    assert app.tracking.get_run(run.run_id).status == "finished"


def test_a_run_whose_store_was_let_go_of_waits(app: App):
    """Who disconnects in the middle of a run is told at its end; `paddock sync` delivers the rest."""

    def train() -> str:
        with pk.run("delay") as run:
            run.log({"auc": 0.5})
            run.flush()
            pk.connect("elsewhere")
            run.log({"auc": 0.6})
        return run.run_id

    with pytest.warns(pk.SpoolWarning) as warned:
        run_id = train()

    assert re.search("has 2 records waiting .*has let go of .*`paddock sync`", str(warned[-1].message))
    assert steps_of(app, run_id) == [0]
    assert main(["--store", "store", "sync"]) == 0
    assert steps_of(app, run_id) == [0, 1]
    assert app.tracking.get_run(run_id).status == "finished"


def test_times_are_those_of_the_store_s_clock(folder: Path):
    """A simulated clock counts for beginning, points and end, whenever they are delivered."""
    app = open_app(resolve_settings({"store": "simulated"}, {}, {}), clock=SimulatedClock(EPOCH))
    pk.connect(app)
    with pk.run("delay") as run:
        run.log({"auc": 0.5})
    pk.disconnect()

    with closing(app):
        found = app.tracking.get_run(run.run_id)
        (point,) = app.tracking.metric_history(run.run_id, "auc")
    assert (found.started_at, point.at, found.ended_at) == (EPOCH, EPOCH, EPOCH)


def test_a_key_names_the_same_run_with_and_without_its_store(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """What was begun offline and what goes on online under one key are one run."""
    monkeypatch.setenv("PADDOCK_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("PADDOCK_FLUSH_TIMEOUT_S", "0")
    ids = []
    for _ in range(2):
        with pytest.warns(pk.SpoolWarning), pk.run("delay", key="nightly") as run:
            ids.append(run.run_id)

    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "wrong",
    [{"experiment": ""}, {"experiment": "delay", "params": {"": 1}}, {"experiment": "x", "name": "a\n"}],
)
def test_a_wrong_start_is_told_without_the_store_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object]
):
    """What the store would refuse for certain is refused before the training, and no journal is left."""
    monkeypatch.setenv("PADDOCK_URI", "http://127.0.0.1:9")

    with pytest.raises(InvalidInput), pytest.warns(pk.SpoolWarning), pk.run(**wrong):
        pass

    assert list(folder.iterdir()) == []


def test_without_its_store_a_run_cannot_be_flushed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever needs to know that the store has it is told that it has not; so is `log_model`."""
    monkeypatch.setenv("PADDOCK_URI", "http://127.0.0.1:9")

    def train() -> None:
        with pk.run("delay") as run:
            run.log({"auc": 0.5})
            run.flush()

    with pytest.warns(pk.SpoolWarning), pytest.raises(Unavailable, match="waits: the server at") as told:
        train()

    assert told.value.hint == "paddock sync"
    assert len(list((folder / ".paddock" / "spool").iterdir())) == 1


def test_the_spool_is_where_the_settings_say(app: App, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Beside the store without a word, and in the folder of PADDOCK_SPOOL with one."""
    with pk.run("delay") as run:
        run.log({"auc": 0.5})
        assert len(list((folder / "store" / "spool").iterdir())) == 1
    monkeypatch.setenv("PADDOCK_SPOOL", str(folder / "fast"))
    pk.connect("store")
    with pk.run("delay"):
        assert len(list((folder / "fast").iterdir())) == 1

    assert list((folder / "store" / "spool").iterdir()) == list((folder / "fast").iterdir()) == []


def test_settings_turn_system_metrics_on(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A run that says nothing has them by the setting; one that says no has none."""
    monkeypatch.setenv("PADDOCK_SYSTEM_METRICS_S", "3600")
    pk.connect("store")
    with pk.run("delay") as measured:
        pass
    with pk.run("delay", system_metrics=False) as silent:
        pass

    with closing(open_app(resolve_settings({"store": "store"}, {}, {}))) as app:
        assert any(key.startswith("system/") for key in app.tracking.get_run(measured.run_id).metrics)
        assert app.tracking.get_run(silent.run_id).metrics == {}


def test_a_failed_run_keeps_what_went_wrong_first(app: App):
    """What the store refused is a note on what the block raised, and does not take its place."""
    ids = []

    def train() -> None:
        with pk.run("delay") as run:
            ids.append(run.run_id)
            app.tracking.log_params(run.run_id, {"depth": "6"})
            run.log_params({"depth": 7})
            raise ValueError("no rows")

    with pytest.warns(pk.SpoolWarning), pytest.raises(ValueError, match="no rows") as raised:
        train()

    assert raised.value.__notes__ == [
        "the store refused what was logged: param `depth` is `6` and cannot become `7`"
    ]
    assert app.tracking.get_run(ids[0]).status == "failed"


def test_several_refusals_are_told_together(app: App):
    """The error has the class of the first one and lists each of them."""
    ids = []

    def train() -> None:
        with pk.run("delay") as run:
            ids.append(run.run_id)
            app.tracking.log_params(run.run_id, {"depth": "6", "rate": "1"})
            run.log_params({"depth": 7})
            run.log_params({"rate": 2})

    with pytest.warns(pk.SpoolWarning), pytest.raises(Conflict) as refused:
        train()

    assert refused.value.message == f"the store has refused 2 parts of what was logged to run {ids[0]}"
    assert refused.value.problems == (
        "params: param `depth` is `6` and cannot become `7`",
        "params: param `rate` is `1` and cannot become `2`",
    )
