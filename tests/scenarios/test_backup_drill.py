"""The drill: back up under load, lose everything, restore somewhere else, and go on."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from gateway_kit import Client, make_fleet, make_rows
from store_kit import fill_store, open_store, words_of

from paddock.app import App
from paddock.governance import Progress, restore_backup
from paddock.kernel.clock import SystemClock
from paddock.models import verify_stored_package
from paddock.prediction_log import read_labels, read_predictions
from paddock.serving import GatewayOptions, GatewayProcess, start_gateway

ENOUGH = 5


@dataclass
class Acknowledged:
    """What was answered to each writer, in order. A list only grows, so its length marks a moment."""

    runs: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    predictions: list[tuple[str, str]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def counts(self) -> tuple[int, ...]:
        return len(self.runs), len(self.datasets), len(self.predictions), len(self.labels)


@contextmanager
def writing(store: str, url: str, acknowledged: Acknowledged) -> Iterator[Callable[[], bool]]:
    """Write without pause, through a store of its own and the gateway, until the block ends."""
    stop, failures = threading.Event(), []
    app, client = open_store(store), Client(url)

    def repeat(act: Callable[[int], None]) -> None:
        number = 0
        try:
            while not stop.is_set():
                act(number)
                number += 1
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    acts = (
        lambda number: write_run(app, number, acknowledged),
        lambda number: write_dataset(app, number, acknowledged),
        lambda number: ask(client, number, acknowledged),
    )
    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield lambda: bool(failures) or min(acknowledged.counts()) >= ENOUGH
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        client.close()
        app.close()
    assert failures == []


def write_run(app: App, number: int, acknowledged: Acknowledged) -> None:
    run = app.tracking.start_run(experiment="load", params={"number": str(number)})
    app.tracking.log_artifact(run.run_id, "number.txt", b"%d" % number)
    acknowledged.runs.append(run.run_id)


def write_dataset(app: App, number: int, acknowledged: Acknowledged) -> None:
    version = app.datasets.add_table("load", pa.table({"number": [number]}))
    acknowledged.datasets.append(str(version.ref))


def ask(client: Client, number: int, acknowledged: Acknowledged) -> None:
    key = f"row-{number}"
    (prediction_id,) = client.infer(make_rows(1, seed=number), idempotency_key=[key]).ids
    acknowledged.predictions.append((key, prediction_id))
    body = {"prediction_id": [prediction_id], "label": [1.0], "event_time": ["2013-04-01T00:00:00Z"]}
    reply = client.ask("POST", "/v2/models/delay/labels", body)
    assert reply.status < 300, reply
    acknowledged.labels.append(prediction_id)


@contextmanager
def serving(app: App) -> Iterator[GatewayProcess]:
    with start_gateway(GatewayOptions(state=app.gateway_folder("delay"), port=0)) as gateway:
        gateway.wait_ready()
        yield gateway


def between_rows_and_objects(acknowledged: Acknowledged) -> Progress:
    """Hold the backup after its rows were taken until each writer was answered again."""

    def hold(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("rows", 1):
            then = acknowledged.counts()
            wait_until(lambda: all(now > was for now, was in zip(acknowledged.counts(), then, strict=True)))

    return hold


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(3000):
        if holds():
            return
        deadline.wait(0.01)
    raise AssertionError("what was waited for did not happen")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def places(request, tmp_path, monkeypatch) -> tuple[str, str, Path, Path]:
    """Where the store is and where it is restored to, each with its folder for local files."""
    if request.param == "sqlite":
        first, second = tmp_path / "first", tmp_path / "second"
        return str(first), str(second), first, second
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    server = request.getfixturevalue("postgres_server")
    first, second = server.create_database(), server.create_database()
    monkeypatch.chdir(tmp_path / "first")  # a store in a database keeps local files in ./.paddock
    return first, second, tmp_path / "first" / ".paddock", tmp_path / "second" / ".paddock"


def test_store_backed_up_under_load_lives_again_elsewhere(places, tmp_path, monkeypatch):
    """Every write acknowledged before the backup began is there, and the model answers as before."""
    first, second, folder, other = places
    target, acknowledged = tmp_path / "backup", Acknowledged()
    app = open_store(first)
    filled = fill_store(app)
    with serving(app) as gateway, writing(first, gateway.url, acknowledged) as has_enough:
        wait_until(has_enough)
        before = acknowledged.counts()
        report = app.governance.backup(target, progress=between_rows_and_objects(acknowledged))
    app.close()
    shutil.rmtree(folder)

    result = restore_backup(target, second, folder=other, clock=SystemClock())
    monkeypatch.chdir(other.parent)
    again = open_store(second)

    assert result.event_count >= report.head_position
    assert again.metadata.verify_ledger().ok
    assert words_of(again.governance.check()) == []
    runs, datasets, predictions, labels = before
    for number, run_id in enumerate(acknowledged.runs[:runs]):
        assert again.tracking.read_artifact(run_id, "number.txt") == b"%d" % number
    for number, ref in enumerate(acknowledged.datasets[:datasets]):
        assert again.datasets.read(ref)["number"].to_pylist() == [number]
    log = again.gateway_folder("delay") / "predictions"
    assert {key for key, _ in acknowledged.predictions[:predictions]} <= column(log, "idempotency_key")
    assert set(acknowledged.labels[:labels]) <= set(read_labels(log)["prediction_id"].to_pylist())

    champion = again.registry.get("delay@champion")
    assert champion.package_digest == filled.package
    assert verify_stored_package(again.objects, champion.package_digest).passed
    rows = make_rows(50, seed=9)
    with serving(again) as gateway:
        client = Client(gateway.url)
        key, prediction_id = acknowledged.predictions[0]
        assert client.infer(make_rows(1, seed=0), idempotency_key=[key]).ids == [prediction_id]
        np.testing.assert_allclose(client.infer(rows).predictions, make_fleet().answers(1, rows), rtol=1e-12)
        client.close()
    again.tracking.start_run(experiment="after")
    again.close()


def column(log: Path, name: str) -> set[str]:
    return set(read_predictions(log, columns=[name])[name].to_pylist())
