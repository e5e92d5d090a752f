"""One class of behaviours, true of a folder, of PostgreSQL and of a server process."""

import math
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gateway_kit import wait_until
from loop_shop import draft
from server_process import running_server
from sklearn.linear_model import LogisticRegression

import paddock as pk
from paddock.app import App, open_app
from paddock.automation.records import Words
from paddock.evaluation import GateSpec, Trial
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import (
    Conflict,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    PromotionRefused,
    UnreadableFile,
)
from paddock.kernel.ids import new_id
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.kernel.settings import resolve_settings
from paddock.models import load_package
from paddock.serving import EndpointSpec
from paddock.testing.postgres import PostgresServer
from paddock.tracking import Run
from paddock.wire.structs import GateReport

TABLE = pa.table({"carrier": ["UA", "AA", None], "delay": [3.5, -1.0, math.inf]})
FLOOR = (GateSpec(metric="roc_auc", at_least=0.6),)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the SDK is pointed at, and an app that looks at the same store by itself."""

    address: str
    witness: App

    def run(self, run_id: str) -> Run:
        return self.witness.tracking.get_run(run_id)


def open_witness(store: str) -> App:
    return open_app(resolve_settings({"store": store}, {}, {}))


def fit_model(*, slope: float = 1.0) -> tuple[LogisticRegression, pa.Table]:
    """Return a fitted estimator and raw rows for it."""
    hour = np.linspace(0.0, 23.0, 60)
    late = (slope * hour > slope * 11).astype(float)
    return LogisticRegression().fit(hour.reshape(-1, 1), late), pa.table({"hour": hour}).slice(0, 20)


def register_of_data(name: str) -> ModelVersionRef:
    """Register a model of `NAME-rows@1`, and add `NAME-rows@2`, which it has not seen."""
    hour = np.linspace(0.0, 23.0, 60)
    for shift in (0.0, 0.1):
        late = (hour + shift > 11.0).astype(float)
        pk.add_dataset(f"{name}-rows", pa.table({"hour": hour + shift, "late": late}))
    with pk.run("delay") as run:
        rows = pk.dataset(f"{name}-rows@1").to_arrow()
        features = rows["hour"].to_numpy().reshape(-1, 1)
        estimator = LogisticRegression().fit(features, rows["late"].to_numpy())
        return run.log_model(estimator, name=name, sample=rows.select(["hour"]).slice(0, 20))


def declare_gate(folder: Path, name: str, bound: float) -> None:
    gate = f'gates = [{{ metric = "accuracy", at_least = {bound} }}]'
    (folder / "paddock.toml").write_text(f"[model.{name}]\n{gate}\n")


def register(name: str, *, slope: float = 1.0) -> ModelVersionRef:
    estimator, sample = fit_model(slope=slope)
    with pk.run("delay") as run:
        return run.log_model(estimator, name=name, sample=sample)


def gate(place: Place, ref: ModelVersionRef) -> None:
    """Let the version stand on a passed gate report."""
    labels = np.tile([0.0, 1.0], 50)
    digest = place.witness.registry.get(ref).package_digest
    trial = Trial(ref.name, digest, labels, np.where(labels == 1, 0.8, 0.2), draws=20)
    report = place.witness.evaluation.judge(trial, FLOOR)
    place.witness.registry.attach_report(ref, report.report_id)


@pytest.fixture(scope="class")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder the calls are made in; no setting comes from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PADDOCK_STORE", "PADDOCK_URI", "PADDOCK_PROJECT"):
            patch.delenv(name, raising=False)
        folder = tmp_path_factory.mktemp("home")
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="class")
def folder(home: Path) -> Iterator[Place]:
    store = str(home / "store")
    with closing(open_witness(store)) as witness:
        yield Place(store, witness)


@pytest.fixture(scope="class")
def server(home: Path) -> Iterator[Place]:
    store = home / "store"
    with running_server(store) as process, closing(open_witness(str(store))) as witness:
        yield Place(process.url, witness)


@pytest.fixture(scope="class")
def database(home: Path, postgres_server: PostgresServer) -> Iterator[Place]:
    url = postgres_server.create_database()
    with closing(open_witness(url)) as witness:
        yield Place(url, witness)


class SdkConformance:
    """What the calls of `import paddock as pk` do, whichever store they go to."""

    @pytest.fixture(autouse=True)
    def _connected(self, place: Place) -> Iterator[None]:
        pk.connect(place.address)
        yield
        pk.disconnect()

    def test_a_run_tells_its_whole_story(self, place: Place):
        """Parameters, metrics, tags, artifacts, code and machine of a finished run are all there."""
        with pk.run("delay", name="deep", params={"depth": 6, "rate": None}, seeds={"np": 7}) as run:
            run.log({"auc": 0.71, "loss": 0.5}, step=3)
            run.log_params({"solver": "lbfgs"})
            run.set_tags({"team": "one"})
            run.set_tags({"team": "two"})
            run.log_artifact("plots/roc 1.svg", b"<svg/>")

        found = place.run(run.run_id)
        assert (found.experiment, found.name, found.status) == ("delay", "deep", "finished")
        assert found.params == {"depth": "6", "rate": "None", "solver": "lbfgs"}
        assert found.metrics == {"auc": 0.71, "loss": 0.5}
        assert found.tags == {"team": "two"}
        assert place.witness.tracking.read_artifact(run.run_id, "plots/roc 1.svg") == b"<svg/>"
        environment = place.witness.tracking.get_environment(found.environment_digest)
        assert environment.seeds == {"np": 7}
        assert any(each.startswith("numpy==") for each in environment.packages)

    def test_steps_count_when_they_are_not_given(self, place: Place):
        """Steps are 0, 1, 2 ... and go on behind a step that was given; NaN and infinity stay."""
        values = [0.5, math.nan, -math.inf, 2]
        with pk.run("delay") as run:
            for value, step in zip(values, (None, None, 10, None), strict=True):
                run.log({"loss": np.float64(value)}, step=step)

        points = place.witness.tracking.metric_history(run.run_id, "loss")
        assert [point.step for point in points] == [0, 1, 10, 11]
        assert [point.value for point in points] == pytest.approx(values, nan_ok=True)

    def test_what_was_logged_is_there_after_a_flush(self, place: Place):
        """Another process sees a point when `flush` is back, while the run goes on."""
        with pk.run("delay") as run:
            run.log({"auc": 0.5})
            run.flush()

            assert place.run(run.run_id).metrics == {"auc": 0.5}
            assert place.run(run.run_id).status == "running"

    def test_metrics_appear_while_the_run_goes_on(self, place: Place):
        """Nobody has to ask for it: what is logged comes to the store by itself."""
        with pk.run("delay") as run:
            run.log({"auc": 0.5})

            wait_until(lambda: place.run(run.run_id).metrics == {"auc": 0.5})

    def test_a_parameter_of_another_process_is_refused_at_the_end(self, place: Place):
        """What only the store knows is warned of when it says so and raised at the end; the rest is there."""
        ids: list[str] = []

        def train() -> None:
            with pk.run("delay") as run:
                ids.append(run.run_id)
                place.witness.tracking.log_params(run.run_id, {"depth": "6"})
                run.log_params({"rate": 1})
                run.log_params({"depth": 7})
                run.log({"auc": 0.5})

        with (
            pytest.warns(pk.SpoolWarning, match="the store refuses params"),
            pytest.raises(Conflict, match="param `depth` is `6` and cannot become `7`") as refused,
        ):
            train()

        found = place.run(ids[0])
        assert refused.value.hint == "start a new run"
        assert (found.status, found.metrics) == ("finished", {"auc": 0.5})
        assert found.params == {"depth": "6", "rate": "1"}

    def test_figures_images_tables_and_texts_are_kept_at_steps(self, place: Place):
        """Each is an artifact whose path holds the step, in the format that its ending names."""
        figure = go.Figure(go.Scatter(y=[1, 2]))
        with pk.run("delay") as run:
            run.log_figure(figure, "plots/roc.html", step=3)
            run.log_image(np.zeros((2, 3, 3), dtype=np.uint8), "images/first.png")
            run.log_table(TABLE, "tables/late.parquet", step=12)
            run.log_text("été", "note.txt")
            run.log_dict({"auc": 0.5}, "summary.json", step=0)

        kept = {each.path: each for each in place.run(run.run_id).artifacts}
        assert sorted(kept) == [
            "images/first.png",
            "note.txt",
            "plots/roc/step-000003.html",
            "summary/step-000000.json",
            "tables/late/step-000012.parquet",
        ]
        assert place.witness.tracking.read_artifact(run.run_id, "note.txt").decode() == "été"
        table = place.witness.tracking.read_artifact(run.run_id, "tables/late/step-000012.parquet")
        assert pq.read_table(pa.BufferReader(table)).equals(TABLE)

    def test_a_run_tells_when_it_was(self, place: Place):
        """Beginning and end are those of the one who runs, and not of the store's answer."""
        before = datetime.now(UTC)
        with pk.run("delay") as run:
            inside = datetime.now(UTC)
        found = place.run(run.run_id)

        assert before <= found.started_at <= inside
        assert found.ended_at is not None
        assert inside <= found.ended_at <= datetime.now(UTC)

    def test_system_metrics_are_sampled_when_asked_for(self, place: Place):
        """A run that wants them has at least one sample, and steps of its own metrics are not moved."""
        with pk.run("delay", system_metrics=True) as run:
            run.log({"auc": 0.5})
            run.log({"auc": 0.6})

        metrics = place.run(run.run_id).metrics
        assert metrics["system/process_memory_megabytes"] > 1
        assert [point.step for point in place.witness.tracking.metric_history(run.run_id, "auc")] == [0, 1]

    @pytest.mark.parametrize(
        ("raised", "status"),
        [
            (ValueError("no rows"), "failed"),
            (KeyboardInterrupt(), "killed"),
            (SystemExit(3), "failed"),
            (SystemExit(0), "finished"),
        ],
    )
    def test_a_block_that_raises_ends_its_run(self, place: Place, raised: BaseException, status: str):
        """What ends the block ends the run in its own way, and is raised again as it is."""
        with pytest.raises(type(raised)) as caught, pk.run("delay") as run:
            raise raised

        assert caught.value is raised
        assert place.run(run.run_id).status == status
        with pk.run("delay") as after:
            pass
        assert place.run(after.run_id).parent_id == ""

    def test_a_run_inside_a_run_is_its_child(self, place: Place):
        """Nesting makes parents; a thread of its own is in no block."""
        alone: list[str] = []

        def work() -> None:
            with pk.run("search") as other:
                other.log({"auc": 0.5})
            alone.append(other.run_id)

        with pk.run("search") as outer, pk.run("search") as inner:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

        assert place.run(inner.run_id).parent_id == outer.run_id
        assert place.run(alone[0]).parent_id == ""

    def test_threads_that_share_a_run_lose_no_point(self, place: Place):
        """Steps that are counted are counted once each, also from several threads."""
        with pk.run("delay") as run:
            threads = [
                threading.Thread(target=lambda: [run.log({"loss": 1.0}) for _ in range(10)]) for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        points = place.witness.tracking.metric_history(run.run_id, "loss")
        assert [point.step for point in points] == list(range(40))

    def test_the_same_key_goes_on_with_the_same_run(self, place: Place):
        """A start under a used key is that start; another request under it is refused."""
        key = f"nightly of {new_id()}"
        with pk.run("delay", params={"depth": 6}, key=key) as first:
            first.log({"auc": 0.5}, step=0)
        with pk.run("delay", params={"depth": 6}, key=key) as again:
            pass

        assert again.run_id == first.run_id
        with pytest.raises(IdempotencyConflict), pk.run("delay", params={"depth": 7}, key=key):
            pass

    def test_a_table_comes_back_as_it_was(self, place: Place):
        """A dataset that is read inside a run is its input, once; equal rows are the same version."""
        name = f"flights-{new_id()}"
        added = pk.add_dataset(name, TABLE)
        with pk.run("delay") as run:
            first, second = pk.dataset(f"{name}@1").to_arrow(), pk.dataset(name).to_arrow()
            run.log_input(DatasetRef(name, 1), role="test")
        outside = pk.dataset(name).to_pandas()

        assert first.equals(TABLE)
        assert second.equals(TABLE)
        assert outside["delay"].tolist() == [3.5, -1.0, math.inf]
        assert pk.add_dataset(name, TABLE.slice(0)).version == added.version
        assert [(str(used.dataset), used.role) for used in place.run(run.run_id).inputs] == [
            (f"{name}@1", ""),
            (f"{name}@1", "test"),
        ]

    def test_a_file_becomes_a_version(self, place: Place, home: Path):
        """A file is kept byte by byte, also under a name with blanks and letters of any kind."""
        name = f"carriers-{new_id()}"
        file = home / "été of 2013.csv"
        file.write_bytes(b"carrier,delay\nUA,3.5\n")

        added = pk.add_dataset(name, file)

        assert added.version.digest == digest_bytes(file.read_bytes())
        assert (added.version.row_count, added.version.format) == (1, "csv")
        assert added.to_arrow().to_pylist() == [{"carrier": "UA", "delay": 3.5}]

    def test_bad_files_are_refused_in_the_same_words(self, home: Path):
        """No file, a folder and a truncated file each say what is wrong."""
        (home / "cut.parquet").write_bytes(b"PAR1 and then nothing")

        with pytest.raises(NotFound, match=r"there is no file `none\.csv`"):
            pk.add_dataset("flights", "none.csv")
        with pytest.raises(InvalidInput):
            pk.add_dataset("flights", home)
        with pytest.raises(UnreadableFile, match=r"`cut\.parquet` is truncated"):
            pk.add_dataset("flights", "cut.parquet")

    def test_artifacts_come_from_bytes_and_files(self, place: Place, home: Path):
        """A file is stored whole; a path that leaves the run and a file that is not there are refused."""
        body = bytes(range(256)) * 8_192
        (home / "weights.bin").write_bytes(body)
        with pk.run("delay") as run:
            run.log_artifact("model/weights.bin", "weights.bin")
            for path in ("../finish", "/etc/passwd", "a//b", ""):
                with pytest.raises(InvalidInput):
                    run.log_artifact(path, b"x")
            with pytest.raises(NotFound):
                run.log_artifact("none", home / "none")

        assert [each.path for each in place.run(run.run_id).artifacts] == ["model/weights.bin"]
        assert place.witness.tracking.read_artifact(run.run_id, "model/weights.bin") == body

    def test_a_model_is_registered_with_its_origin(self, place: Place):
        """The version names its run, data and recipe, and its package is complete."""
        name = f"delay-{new_id()}"
        estimator, sample = fit_model()
        data = pk.add_dataset(f"flights-{new_id()}", sample)
        with pk.run("delay", params={"b": 2, "a": 1}) as run:
            data.to_arrow()
            ref = run.log_model(estimator, name=name, sample=sample, code=fit_model, key=f"{name}-key")
            again = run.log_model(estimator, name=name, sample=sample, code=fit_model, key=f"{name}-key")

        version = place.witness.registry.get(ref)
        package = load_package(place.witness.objects, version.package_digest)
        assert again == ref == ModelVersionRef(name, 1)
        assert (version.run_id, version.datasets) == (run.run_id, (data.ref,))
        assert version.recipe.params_digest == digest_bytes(b"a=1\nb=2")
        assert version.recipe.code_digest == package.manifest.code
        assert Digest(version.package_digest) == package.digest
        assert place.run(run.run_id).tags["model"] == str(ref)

    def test_promotion_needs_a_report_and_can_be_taken_back(self, place: Place):
        """A refusal says what is missing; with reports the champion moves, and a rollback returns it."""
        name = f"delay-{new_id()}"
        first, second = register(name), register(name, slope=-1.0)

        with pytest.raises(PromotionRefused, match=f"{name}@1 has no gate report") as refused:
            pk.promote(first)
        gate(place, first)
        gate(place, second)
        pk.promote(first, "champion", reason="first release")
        moved = pk.promote(f"{name}@2", key=f"{name}-promote")
        again = pk.promote(f"{name}@2", key=f"{name}-promote")
        back = pk.rollback(name, reason="worse live", key=f"{name}-back")
        back_again = pk.rollback(name, reason="worse live", key=f"{name}-back")

        assert refused.value.hint == f"paddock models gate {name}@1 --rows DATASET --label COLUMN"
        assert refused.value.details == {"model": name, "version": 1}
        assert moved == again
        assert (moved.from_version, moved.to_version, moved.kind) == (1, 2, "promoted")
        assert back == back_again
        assert (back.to_version, back.kind, back.reason) == (1, "rolled_back", "worse live")
        assert place.witness.registry.get(f"{name}@champion").version == 1

    def test_a_gate_is_held_where_the_store_is(self, place: Place, home: Path):
        """By the gates of this folder: one report under one key, which the version stands on."""
        name = f"delay-{new_id()}"
        ref = register_of_data(name)
        declare_gate(home, name, 0.6)
        exam = {"rows": f"{name}-rows@2", "label": "late"}

        report = pk.gate(ref, **exam, key=f"{name} gate")
        pk.promote(ref)
        declare_gate(home, name, 1.1)
        failed = pk.gate(f"{name}@1", **exam)
        declare_gate(home, name, 0.6)
        again = pk.gate(ref, **exam, key=f"{name} gate")

        assert (report.passed, report.rows, report.candidate_version) == (True, 60, 1)
        assert [result.gate for result in report.results] == ["accuracy at least 0.6"]
        assert again == report
        assert failed.passed is False
        held = place.witness.registry.get(ref)
        assert held.report_id == failed.report_id
        assert held.verification is not None
        assert held.verification.passed

    def test_a_gate_that_cannot_be_held_says_why(self, home: Path):
        """Rows of the training, a missing column, and no gate at all are told alike by every store."""
        name = f"delay-{new_id()}"
        ref = register_of_data(name)
        declare_gate(home, name, 0.6)

        with pytest.raises(InvalidInput, match=f"{name}@1 was made from `{name}-rows@1`"):
            pk.gate(ref, rows=f"{name}-rows@1", label="late")
        with pytest.raises(InvalidInput, match=f"`{name}-rows@2` has no column `lat`") as wrong:
            pk.gate(ref, rows=f"{name}-rows@2", label="lat")
        (home / "paddock.toml").unlink()
        with pytest.raises(InvalidInput, match=f"no gates .* for model `{name}`") as none:
            pk.gate(ref, rows=f"{name}-rows@2", label="late")

        assert wrong.value.hint == "did you mean `late`"
        assert none.value.hint.startswith(f"[model.{name}] gates = [")

    def test_a_rollout_is_shown_and_withdrawn(self, place: Place):
        """Where a candidate stands is told alike by every store; a withdrawal counts once."""
        name = f"delay-{new_id()}"
        place.witness.endpoints.declare(name, EndpointSpec("delay@champion"))
        with pytest.raises(NotFound, match=f"no candidate was on its way to endpoint `{name}` yet"):
            pk.rollout(name)
        place.witness.automation.open_rollout(
            draft(endpoint=name, phase="gating"), "candidate_submitted", Words("handed in")
        )

        shown = pk.rollout(name)
        ended = pk.withdraw(name, reason="wrong data", key=f"{name}-end")
        again = pk.withdraw(name, reason="wrong data", key=f"{name}-end")

        assert (shown.phase, shown.candidate, shown.waits_for) == ("gating", 2, "its gate to be held")
        assert ended == again == pk.rollout(name)
        assert (ended.phase, ended.is_open) == ("refused", False)
        decision = place.witness.automation.list_decisions(endpoint=name)[0]
        assert decision.kind == "candidate_withdrawn"
        assert "wrong data" in decision.words
        with pytest.raises(NotFound, match=f"endpoint `{name}` has no rollout in progress") as told:
            pk.withdraw(name, reason="again")
        assert told.value.hint == f"paddock rollout show {name}"

    def test_what_is_promoted_is_named(self, place: Place):
        """`promote` takes a ref by number or by alias; a name alone is refused with what there is."""
        name = f"delay-{new_id()}"
        ref = register(name)
        gate(place, ref)

        words = f"`{name}` names no version of the model; there is only 1"
        with pytest.raises(InvalidInput, match=words) as told:
            pk.promote(name, "challenger")
        challenger = pk.promote(f"{name}@1", "challenger")
        champion = pk.promote(f"{name}@challenger", "champion")

        assert told.value.hint == f'pk.promote("{name}@1", "challenger")'
        assert (challenger.to_version, champion.to_version) == (1, 1)

    def test_errors_have_their_class_words_and_hint(self):
        """What is not there, what is in conflict and what is wrong is told alike by every store."""
        name = f"flights-{new_id()}"
        pk.add_dataset(name, TABLE)
        with pk.run("delay", params={"depth": 6}) as run:
            with pytest.raises(Conflict, match="param `depth` is `6` and cannot become `7`") as conflict:
                run.log_params({"depth": 7})
            with pytest.raises(InvalidInput, match="metric key `` is empty"):
                run.log({"": 1.0})
            with pytest.raises(InvalidInput, match="metric `auc` is `high`, which is no number"):
                run.log({"auc": "high"})  # type: ignore[dict-item]  # what a user may do
            with pytest.raises(InvalidInput):
                run.set_tags({"team": "\ud800"})

        assert conflict.value.hint == "start a new run"
        assert conflict.value.problems == ("param `depth` is `6` and cannot become `7`",)
        with pytest.raises(NotFound, match=f"dataset `{name}` has no version 9; latest is 1"):
            pk.dataset(f"{name}@9")
        with pytest.raises(NotFound, match="there is no model `nothing`"):
            pk.promote("nothing@1")
        with pytest.raises(NotFound, match="there is no model `nothing`"):
            pk.rollback("nothing")
        for bad in ("../x@1", "flights@", "a b"):
            with pytest.raises(InvalidInput):
                pk.dataset(bad)


class TestFolder(SdkConformance):
    @pytest.fixture
    def place(self, folder: Place) -> Place:
        return folder


class TestServer(SdkConformance):
    @pytest.fixture
    def place(self, server: Place) -> Place:
        return server

    def test_gates_of_the_server_count_where_the_caller_has_none(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """A client without a paddock.toml sends no gates, and those beside the store are held."""
        name = f"delay-{new_id()}"
        ref = register_of_data(name)
        declare_gate(home, name, 0.7)  # the folder the server was started in
        monkeypatch.chdir(tmp_path)

        report = pk.gate(ref, rows=f"{name}-rows@2", label="late")

        assert [result.gate for result in report.results] == ["accuracy at least 0.7"]

    def test_gates_wait_for_each_other_and_nothing_else_does(self, home: Path):
        """Two are asked for at once and held one after the other; other requests are answered meanwhile."""
        name = f"delay-{new_id()}"
        ref = register_of_data(name)
        declare_gate(home, name, 0.6)
        reports: list[GateReport] = []

        def hold() -> None:
            reports.append(pk.gate(ref, rows=f"{name}-rows@2", label="late"))

        threads = [threading.Thread(target=hold) for _ in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert pk.dataset(f"{name}-rows").version.version == 2
        for thread in threads:
            thread.join()

        assert [report.passed for report in reports] == [True] * 2
        assert len({report.report_id for report in reports}) == 2


@pytest.mark.postgres
class TestPostgres(SdkConformance):
    @pytest.fixture
    def place(self, database: Place) -> Place:
        return database
