"""Judging a candidate and reading the report back."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest

from paddock.evaluation import (
    Evaluation,
    GateSpec,
    Trial,
    decode_report,
    encode_report,
    measure_trial,
)
from paddock.kernel.clock import EPOCH, SimulatedClock
from paddock.kernel.errors import IdempotencyConflict, IntegrityError, InvalidInput, NotFound, StoreTooNew
from paddock.kernel.refs import DEFAULT_PROJECT, Actor, DatasetRef, ProjectId
from paddock.metadata import open_metadata
from paddock.objects import MemoryBackend, ObjectStore

FLOOR = GateSpec(metric="roc_auc", at_least=0.65)
VERSUS = GateSpec(metric="roc_auc", versus="champion")
SLICED = GateSpec(metric="roc_auc", slice="carrier", at_least=0.55, min_rows=100)
CANDIDATE = "a" * 64


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def evaluation(request, tmp_path):
    clock = SimulatedClock(EPOCH)
    url = str(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    metadata = open_metadata(url, clock=clock)
    yield Evaluation(metadata, ObjectStore(MemoryBackend()), clock, Actor(DEFAULT_PROJECT, "ann"))
    metadata.close()


def trial(**changes):
    rng = np.random.default_rng(13)
    labels = (rng.random(800) < 0.3).astype(float)
    latent = rng.normal(size=800) + 1.2 * labels
    scores, rival = 1 / (1 + np.exp(-latent)), 1 / (1 + np.exp(-(latent + 1.5 * rng.normal(size=800))))
    given = Trial(
        model="delay",
        candidate_digest=CANDIDATE,
        labels=labels,
        candidate_scores=scores,
        champion_scores=rival,
        champion_version=3,
        slices={"carrier": rng.choice(["AA", "UA", "HA"], p=[0.5, 0.47, 0.03], size=800).tolist()},
        datasets=(DatasetRef("flights", 3),),
        seed=5,
        draws=200,
    )
    return Trial(**{name: changes.get(name, getattr(given, name)) for name in Trial.__dataclass_fields__})


def test_report_holds_all_the_evidence(evaluation):
    """A report names what was measured for both models, per slice, on which rows."""
    report = evaluation.judge(trial(), [FLOOR, VERSUS, SLICED])

    assert report.passed
    assert [result.state for result in report.results] == ["passed"] * 3
    assert {found.metric for found in report.evidence.candidate} == {
        "roc_auc",
        "log_loss",
        "brier",
        "accuracy",
        "f1",
    }
    assert all(found.interval.low <= found.value <= found.interval.high for found in report.evidence.champion)
    assert [piece.value for piece in report.evidence.slices] == ["AA", "UA", "HA"]
    assert (report.rows, report.champion_version, report.candidate_version) == (800, 3, 0)
    assert (report.datasets, report.candidate_digest) == ((DatasetRef("flights", 3),), CANDIDATE)


def test_report_is_read_back_as_it_was_made(evaluation):
    """A stored report equals the one that was returned."""
    report = evaluation.judge(trial(), [FLOOR])

    assert evaluation.get_report(report.report_id) == report


def test_same_rows_and_seed_give_the_same_evidence():
    """Everything measured follows from the trial alone, bit for bit."""
    first, again = (measure_trial(trial(), [FLOOR, VERSUS, SLICED]) for _ in range(2))

    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert first != measure_trial(trial(seed=6), [FLOOR, VERSUS, SLICED])


def test_gate_at_another_confidence_is_measured(evaluation):
    """A gate at 99 % gets its own, wider interval."""
    strict = GateSpec(metric="roc_auc", versus="champion", confidence=0.99)
    report = evaluation.judge(trial(), [VERSUS, strict])

    usual, wide = (result.interval for result in report.results)
    assert (usual.confidence, wide.confidence) == (0.95, 0.99)
    assert wide.low < usual.low < usual.high < wide.high


def test_missing_measurement_fails_the_report(evaluation):
    """One gate whose figure is missing fails the whole report."""
    report = evaluation.judge(trial(), [FLOOR, GateSpec(latency_p99_ms=20)])

    assert not report.passed
    assert "Not measured: The 99th percentile" in report.words


def test_request_is_not_known_by_its_latency(evaluation):
    """Judged again with the same key, a candidate keeps its report, though it is slower this time."""
    gates = [FLOOR, GateSpec(latency_p99_ms=20)]
    first = evaluation.judge(trial(latency_p99_ms=4.1, latency_requests=300), gates, key="k")

    again = evaluation.judge(trial(latency_p99_ms=25.0, latency_requests=300), gates, key="k")

    assert again == first
    assert first.passed
    assert first.evidence.latency_p99_ms == 4.1


def test_no_gate_is_no_pass(evaluation):
    """A model without declared gates is judged, but does not pass."""
    assert not evaluation.judge(trial(), []).passed


def test_first_release_passes_without_a_champion(evaluation):
    """Without a champion the comparison is not applicable and the other gates decide."""
    report = evaluation.judge(trial(champion_scores=None, champion_version=0), [FLOOR, VERSUS])

    assert report.passed
    assert [result.state for result in report.results] == ["passed", "not_applicable"]
    assert report.words == "1 of 2 gates passed, 1 not applicable"


def test_champion_that_could_not_be_scored_fails_the_comparison(evaluation):
    """A champion without scores is no first release."""
    report = evaluation.judge(trial(champion_scores=None), [FLOOR, VERSUS])

    assert not report.passed


def test_labels_of_one_class_fail_without_an_error(evaluation):
    """Rows that cannot tell good from bad give a report that says so."""
    report = evaluation.judge(trial(labels=np.zeros(800)), [FLOOR, VERSUS])

    assert [result.state for result in report.results] == ["not_measured", "not_measured"]
    assert "all 800 labels are 0" in report.words


def test_no_rows_fail_without_an_error(evaluation):
    """A window without labelled rows gives a report that says so."""
    empty = np.empty(0)
    nothing = trial(labels=empty, candidate_scores=empty, champion_scores=empty, slices={"carrier": []})

    report = evaluation.judge(nothing, [FLOOR, VERSUS, SLICED])

    assert [result.state for result in report.results] == ["not_measured"] * 3
    assert "there are no rows" in report.words


@pytest.mark.parametrize(
    ("changes", "gates", "told"),
    [
        ({"candidate_scores": np.full(800, np.nan)}, [FLOOR], "800 of 800 scores are NaN"),
        ({"candidate_scores": np.zeros(7)}, [FLOOR], "800 labels, 7 scores"),
        ({"champion_version": 0}, [FLOOR], "no champion version"),
        ({"slices": {"carrier": ["AA"]}}, [FLOOR], "slices by `carrier` name 1 rows"),
        ({}, [GateSpec(metric="auc", at_least=0.5)], "gate 1: `auc` is not a metric"),
        ({"model": "a b"}, [FLOOR], "cannot name a model"),
    ],
)
def test_faulty_trial_is_an_error_and_leaves_nothing(evaluation, changes, gates, told):
    """Input that cannot be judged is refused, and no report is stored."""
    with pytest.raises(InvalidInput, match=told):
        evaluation.judge(trial(**changes), gates)

    assert evaluation.list_reports("delay") == ()
    assert list(evaluation.objects.list_digests()) == []


def test_same_key_judges_once(evaluation):
    """A judgement sent again gets the first report; another trial under its key is a conflict."""
    first = evaluation.judge(trial(), [FLOOR], key="k1")

    assert evaluation.judge(trial(), [FLOOR], key="k1") == first
    assert len(evaluation.list_reports("delay")) == 1
    with pytest.raises(IdempotencyConflict):
        evaluation.judge(trial(seed=99), [FLOOR], key="k1")


def test_refit_is_gated_as_its_parent(evaluation):
    """A refit's report repeats no measurement and says on whose report it stands."""
    parent = evaluation.judge(trial(), [FLOOR, VERSUS])

    report = evaluation.judge_refit(parent, "b" * 64, parent_version=6, verified=True)

    assert report.passed
    assert (report.gated_as, report.rows, report.evidence.candidate) == (parent.report_id, 0, ())
    assert report.results[0].words == "Gated as its parent delay@6: 2 of 2 gates passed on 800 rows"
    assert evaluation.get_report(report.report_id) == report


@pytest.mark.parametrize(("parent_passes", "verified"), [(True, False), (False, True)])
def test_refit_needs_a_passed_parent_and_its_own_golden_requests(evaluation, parent_passes, verified):
    """Neither a failed parent nor golden requests answered differently let a refit pass."""
    parent = evaluation.judge(trial(), [FLOOR if parent_passes else GateSpec(metric="f1", at_least=1.0)])

    report = evaluation.judge_refit(
        parent, "b" * 64, parent_version=6, verified=verified, verification_words="columns are swapped"
    )

    assert not report.passed


def test_refit_of_a_refit_does_not_pass(evaluation):
    """A report that was gated as a parent cannot be one."""
    parent = evaluation.judge(trial(), [FLOOR])
    child = evaluation.judge_refit(parent, "b" * 64, parent_version=1, verified=True)

    assert not evaluation.judge_refit(child, "c" * 64, parent_version=2, verified=True).passed


def test_reports_are_listed_newest_first(evaluation):
    """The reports of one model are summaries, the newest first."""
    first = evaluation.judge(trial(), [FLOOR])
    evaluation.clock.move_to(EPOCH + timedelta(days=1))
    second = evaluation.judge(trial(), [FLOOR, GateSpec(latency_p99_ms=20)])
    evaluation.judge(trial(model="fare"), [FLOOR])

    listed = evaluation.list_reports("delay")

    assert [(summary.report_id, summary.passed) for summary in listed] == [
        (second.report_id, False),
        (first.report_id, True),
    ]
    assert evaluation.list_reports("delay", limit=1) == listed[:1]


def test_verdicts_are_told_to_the_ledger(evaluation):
    """Each judgement is an event about the model, with its report and its words."""
    passed = evaluation.judge(trial(), [FLOOR])
    failed = evaluation.judge(trial(), [GateSpec(metric="f1", at_least=1.0)])

    events = evaluation.metadata.events(DEFAULT_PROJECT, kind="gate.")

    assert [(event.kind, event.data["report_id"]) for event in events] == [
        ("gate.passed", passed.report_id),
        ("gate.failed", failed.report_id),
    ]
    assert {event.subject for event in events} == {"model:delay"}
    assert events[1].data["words"] == failed.words


def test_unknown_report_is_not_found(evaluation):
    """A report id that leads nowhere, or into another project, is NotFound."""
    report = evaluation.judge(trial(), [FLOOR])
    other = Evaluation(
        evaluation.metadata, evaluation.objects, evaluation.clock, Actor(ProjectId("other"), "ann")
    )

    for asked, report_id in ((evaluation, "0" * 32), (other, report.report_id)):
        with pytest.raises(NotFound, match="no gate report"):
            asked.get_report(report_id)


def test_report_bytes_are_canonical(evaluation):
    """Encoding what was decoded gives the same bytes, with sorted keys."""
    body = encode_report(evaluation.judge(trial(), [FLOOR, VERSUS, SLICED]))

    assert encode_report(decode_report(body)) == body
    keys = list(msgspec.json.decode(body))
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"format": "other"}', b"[1, 2", b'{"format": "paddock.gate-report/1"}']
)
def test_other_bytes_are_no_report(body):
    """What is not a gate report is not read as one."""
    with pytest.raises(IntegrityError, match="not a gate report"):
        decode_report(body)


def test_report_of_a_newer_format_is_told_apart():
    """A report that a newer Paddock wrote is not called damaged."""
    with pytest.raises(StoreTooNew, match="gate-report/2"):
        decode_report(b'{"format": "paddock.gate-report/2", "novelty": 1}')
