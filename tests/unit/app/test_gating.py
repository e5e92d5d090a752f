"""A gate that a person asks for: on rows the version has not seen, against what paddock.toml declares."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from loop_kit import FEATURES, LABEL, MODEL, OPENED_AT, ROUND, flights, labels_of, matrix_of
from sklearn.linear_model import LogisticRegression

from paddock.app import App, Exam, gating, hold_gate, open_app, read_gates
from paddock.app.gating import labelled_rows
from paddock.evaluation import GateSpec
from paddock.kernel.errors import (
    IdempotencyConflict,
    InvalidInput,
    InvalidSettings,
    PromotionRefused,
    VerificationFailed,
)
from paddock.kernel.settings import resolve_settings
from paddock.models import WorkerPool, build_package, encode_rows, infer_signature, save_package
from paddock.registry import ModelVersion

SEEN, EXAM = flights(OPENED_AT), flights(OPENED_AT + ROUND, 400)
AUC = GateSpec(metric="roc_auc", at_least=0.6)
BETTER = GateSpec(metric="roc_auc", versus="champion", margin=0.0)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """Open a store with the rows a model is made from, `rows@1`, and those of its exam, `rows@2`."""
    settings = resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {})
    with closing(open_app(settings)) as opened:
        opened.datasets.add_table("rows", SEEN)
        opened.datasets.add_table("rows", EXAM)
        yield opened


@pytest.fixture
def workers(app: App) -> Iterator[WorkerPool]:
    with WorkerPool(app.objects) as pool:
        yield pool


def release(app: App, *, sign: float = 1.0, wrong_features: bool = False) -> ModelVersion:
    """Register a model of `rows@1`.

    sign: -1 turns every answer around. wrong_features: the matrix was made with its columns in another order.
    """
    sample = SEEN.select(list(FEATURES)).slice(0, 40)
    signature = infer_signature(sample)
    order = tuple(reversed(FEATURES)) if wrong_features else FEATURES
    estimator = LogisticRegression().fit(matrix_of(SEEN), labels_of(SEEN))
    estimator.coef_ *= sign
    package = build_package(
        estimator,
        sample=sample,
        signature=infer_signature(sample.select(list(order))),
        features=encode_rows(signature, {name: sample[name] for name in FEATURES}),
    )
    datasets = (app.datasets.get("rows@1").ref,)
    return app.registry.register_version(MODEL, save_package(app.objects, package), datasets=datasets)


def exam(*gates: GateSpec, rows: str = "rows@2") -> Exam:
    return Exam(rows, LABEL, gates or (AUC,))


def test_passed_gate_lets_a_first_version_be_promoted(app, workers):
    """Refused before, promoted after: the version stands on the report and on replayed golden requests."""
    version = release(app)
    with pytest.raises(PromotionRefused) as refused:
        app.registry.promote(version.ref, "champion", reason="first")

    report = hold_gate(app, workers, version.ref, exam())
    app.registry.promote(version.ref, "champion", reason="first")

    held = app.registry.get(version.ref)
    assert refused.value.hint == "paddock models gate delay@1 --rows DATASET --label COLUMN"
    assert (report.passed, report.rows, report.candidate_version) == (True, 400, 1)
    assert report == app.evaluation.get_report(report.report_id)
    assert held.report_id == report.report_id
    assert held.aliases == ("champion",)
    assert held.verification is not None
    assert held.verification.words == "40 golden requests answered as recorded"


def test_candidate_answers_beside_the_champion(app, workers):
    """A turned-around second version fails the comparison, and the failed report refuses its promotion."""
    first = release(app)
    hold_gate(app, workers, first.ref, exam())
    app.registry.promote(first.ref, "champion", reason="first")
    second = release(app, sign=-1.0)

    report = hold_gate(app, workers, second.ref, exam(BETTER))

    assert (report.passed, report.champion_version) == (False, 1)
    assert report.results[0].state == "failed"
    with pytest.raises(PromotionRefused, match="did not pass"):
        app.registry.promote(second.ref, "champion", reason="no")


def test_champion_is_not_compared_with_itself(app, workers):
    """Held again, the gate of the champion has no champion beside it."""
    version = release(app)
    hold_gate(app, workers, version.ref, exam())
    app.registry.promote(version.ref, "champion", reason="first")

    report = hold_gate(app, workers, version.ref, exam(AUC, BETTER))

    assert [result.state for result in report.results] == ["passed", "not_applicable"]


def test_rows_the_version_was_made_from_are_refused(app, workers):
    """Also under another name; nothing is recorded then."""
    version = release(app)
    app.datasets.add_table("copy", SEEN)

    with pytest.raises(InvalidInput, match=r"delay@1 was made from `rows@1`; a gate needs rows"):
        hold_gate(app, workers, version.ref, exam(rows="rows@1"))
    with pytest.raises(InvalidInput, match=r"`rows@1`, which has the rows of `copy@1`"):
        hold_gate(app, workers, version.ref, exam(rows="copy"))
    assert app.registry.get(version.ref).verification is None


def test_what_the_run_read_counts_as_seen(app, workers):
    """A version registered without its datasets is known by the inputs of its run."""
    run = app.tracking.start_run(experiment="delay")
    app.tracking.log_input(run.run_id, app.datasets.get("rows@2").ref)
    digest = release(app).package_digest
    version = app.registry.register_version(MODEL, digest, run_id=run.run_id)

    with pytest.raises(InvalidInput, match="was made from `rows@2`"):
        hold_gate(app, workers, version.ref, exam())


def test_other_answers_to_golden_requests_end_the_gate(app, workers):
    """The cause is recorded, and there is no report."""
    version = release(app, wrong_features=True)

    with pytest.raises(VerificationFailed, match="golden requests of delay@1 are answered differently"):
        hold_gate(app, workers, version.ref, exam())

    held = app.registry.get(version.ref)
    assert held.verification is not None
    assert held.verification.passed is False
    assert held.report_id == ""


def test_same_key_is_one_report(app, workers):
    """Repeated under its key, a gate returns its report; other rows under that key are a conflict."""
    version = release(app)
    app.datasets.add_table("rows", EXAM.slice(0, 300))

    first = hold_gate(app, workers, version.ref, exam(), key="k")
    again = hold_gate(app, workers, version.ref, exam(), key="k")

    assert first == again
    with pytest.raises(IdempotencyConflict):
        hold_gate(app, workers, version.ref, exam(rows="rows@3"), key="k")


def test_same_key_is_the_same_report_whatever_is_champion_by_then(app, workers):
    """A repeated gate is not held again: not against a new champion, and not on newer rows of that name."""
    version, rival = release(app), release(app)
    first = hold_gate(app, workers, version.ref, exam(AUC, BETTER, rows="rows"), key="k")
    hold_gate(app, workers, rival.ref, exam(AUC))
    app.registry.promote(rival.ref, "champion", reason="first")
    app.datasets.add_table("rows", EXAM.slice(0, 300))

    again = hold_gate(app, workers, version.ref, exam(AUC, BETTER, rows="rows"), key="k")

    assert again == first
    assert (again.champion_version, again.rows) == (0, 400)
    assert len(app.evaluation.list_reports(MODEL)) == 2


def test_repeated_gate_does_not_take_the_place_of_a_later_one(app, workers):
    """A version stands on the last report it was given, not on one that is asked for again."""
    version = release(app)
    first = hold_gate(app, workers, version.ref, exam(), key="k")
    later = hold_gate(app, workers, version.ref, exam())

    hold_gate(app, workers, version.ref, exam(), key="k")

    assert first.report_id != later.report_id
    assert app.registry.get(version.ref).report_id == later.report_id


def test_repeated_gate_finishes_what_was_interrupted(app, workers):
    """A report that was kept under its key, but not attached before the process ended, is attached then."""
    made = hold_gate(app, workers, release(app).ref, exam())
    twin = release(app)
    gating._keep(app, "cut", ("hold_gate", "delay@2", exam()), gating._Held(twin.version, made.report_id))

    report = hold_gate(app, workers, twin.ref, exam(), key="cut")

    assert (report.report_id, report.candidate_version) == (made.report_id, 2)
    assert app.registry.get(twin.ref).report_id == made.report_id


def test_faulty_gates_are_refused_before_anything_is_recorded(app, workers):
    """All faults are told together, as paddock.toml would have them."""
    version = release(app)
    faulty = exam(GateSpec(metric="auc", at_least=0.6), GateSpec(metric="log_loss", at_least=0.4))

    with pytest.raises(InvalidInput, match="gate 1: `auc` is not a metric") as refused:
        hold_gate(app, workers, version.ref, faulty)

    assert len(refused.value.problems) == 2
    assert app.registry.get(version.ref).verification is None


def test_gates_on_slices_and_latency_are_measured(app, workers):
    """A column's values are judged apart, and the answering time in a gateway of the version's own."""
    version = release(app)
    origin = pa.array(["EWR", "JFK"] * 200)
    app.datasets.add_table("rows", EXAM.append_column("origin", origin))
    gates = (
        GateSpec(metric="roc_auc", slice="origin", at_least=0.5, min_rows=100),
        GateSpec(latency_p99_ms=60_000),
    )

    report = hold_gate(app, workers, version.ref, exam(*gates, rows="rows@3"))

    assert [result.state for result in report.results] == ["passed", "passed"]
    assert {each.value for each in report.evidence.slices} == {"EWR", "JFK"}


@pytest.mark.parametrize(
    ("column", "label", "words"),
    [
        (pa.array([1.0, 0.0]), "lat", "has no column `lat`"),
        (pa.array(["yes", "no"]), "late", "holds string; labels are 0 and 1"),
        (pa.array([1, 7]), "late", "holds 7; labels are 0 and 1"),
        (pa.array([None, float("nan")]), "late", "has no row with a `late`"),
    ],
)
def test_labels_are_zero_and_one(column, label, words):
    """Anything else is named; a missing label leaves its row out."""
    with pytest.raises(InvalidInput, match=words):
        labelled_rows(pa.table({"late": column}), label, "rows@1")


def test_gates_are_those_of_the_model(tmp_path):
    """Without a file, or without gates for this model, the error shows how one is declared."""
    file = tmp_path / "paddock.toml"
    with pytest.raises(InvalidSettings, match="no gates are declared for model `delay`"):
        read_gates(file, "delay")
    file.write_text('[model.delay]\ngates = [{ metric = "roc_auc", at_least = 0.6 }]\n')

    assert read_gates(file, "delay") == (AUC,)
    with pytest.raises(InvalidSettings) as refused:
        read_gates(file, "churn")
    assert refused.value.hint == '[model.churn] gates = [{ metric = "roc_auc", at_least = 0.65 }]'
