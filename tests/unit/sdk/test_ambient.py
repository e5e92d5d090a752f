"""Which store the calls go to, and what is loaded for it."""

import json
import multiprocessing
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import paddock as pk
from paddock.app import open_app
from paddock.kernel.clock import EPOCH, SimulatedClock
from paddock.kernel.errors import InvalidSettings, Unavailable
from paddock.kernel.settings import resolve_settings
from paddock.sdk import current_store

HEAVY = ("numpy", "pyarrow", "pandas", "httpx", "apsw", "sklearn", "skops", "starlette")


def loaded_after(program: str) -> list[str]:
    """Return which heavy libraries a fresh interpreter has loaded after `program`."""
    tail = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program + tail], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_import_loads_nothing_heavy():
    """`import paddock` and its names cost nothing before the first call."""
    assert loaded_after("import paddock") == []
    assert loaded_after("import paddock as pk; pk.run, pk.dataset, pk.promote, pk.connect") == []


def test_store_is_the_folder_of_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Without `connect` it is `.paddock`; paddock.toml, PADDOCK_STORE and `connect` each come before."""
    for name in ("default", "file", "environment", "named"):
        if name == "file":
            (folder / "paddock.toml").write_text('[settings]\nstore = "file"\n')
        if name == "environment":
            monkeypatch.setenv("PADDOCK_STORE", "environment")
        pk.connect("named") if name == "named" else pk.disconnect()
        current_store()

        assert (folder / (".paddock" if name == "default" else name) / "metadata.db").exists()


def test_wrong_uri_is_told_at_the_first_call(monkeypatch: pytest.MonkeyPatch):
    """Nothing listens there: the error names the address and the setting."""
    monkeypatch.setenv("PADDOCK_URI", "http://127.0.0.1:9")

    with pytest.raises(Unavailable, match=r"the server at `http://127\.0\.0\.1:9` does not answer") as told:
        pk.dataset("flights")

    assert "PADDOCK_URI" in told.value.hint


@pytest.mark.parametrize("uri", ["127.0.0.1:8321", "somewhere", "postgresql://x/y"])
def test_uri_that_is_no_server(folder: Path, monkeypatch: pytest.MonkeyPatch, uri: str):
    """PADDOCK_URI names a server and nothing else; no folder is made of it."""
    monkeypatch.setenv("PADDOCK_URI", uri)

    with pytest.raises(InvalidSettings, match="`PADDOCK_URI` is"):
        pk.dataset("flights")

    assert list(folder.iterdir()) == []


def test_address_of_an_unknown_kind_is_refused(folder: Path):
    """A mistyped scheme does not become a folder."""
    with pytest.raises(InvalidSettings, match="`htp://x` names no store"):
        pk.connect("htp://x")

    assert list(folder.iterdir()) == []


def test_app_that_was_given_stays_open():
    """An app is used with its own clock, and is not closed by whoever else connects."""
    app = open_app(resolve_settings({"store": "given"}, {}, {}), clock=SimulatedClock(EPOCH))
    pk.connect(app)
    with pk.run("delay") as run:
        run.log({"auc": 0.5})
    pk.disconnect()

    assert app.tracking.metric_history(run.run_id, "auc")[0].at == EPOCH
    app.close()


def test_forked_process_opens_the_store_anew():
    """A child of fork has neither the threads nor the connections of its parent, and logs all the same."""
    pk.connect("shared")
    context = multiprocessing.get_context("fork")
    with pk.run("search") as run:
        child = context.Process(target=run.log, args=({"auc": 0.5},), kwargs={"step": 7})
        child.start()
        child.join(30)
        run.log({"auc": 0.6}, step=8)

    assert child.exitcode == 0
    with closing(open_app(resolve_settings({"store": "shared"}, {}, {}))) as app:
        points = app.tracking.metric_history(run.run_id, "auc")
    assert [(point.step, point.value) for point in points] == [(7, 0.5), (8, 0.6)]
