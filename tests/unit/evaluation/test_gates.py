"""Which evidence passes which gate, and in which words."""

import pytest

from paddock.evaluation import (
    Comparison,
    Evidence,
    GateResult,
    GateSpec,
    Interval,
    Measured,
    SliceMeasured,
    check_gates,
    format_figure,
    is_passed,
)
from paddock.evaluation.rules import summarize

FLOOR = GateSpec(metric="roc_auc", at_least=0.65)
VERSUS = GateSpec(metric="roc_auc", versus="champion", margin=0.0, confidence=0.95)
SLICED = GateSpec(metric="roc_auc", slice="carrier", at_least=0.55, min_rows=500)
LATENCY = GateSpec(latency_p99_ms=20)


def measured(value, metric="roc_auc", rows=27_004):
    return Measured(metric, rows, value, Interval(value - 0.01, value + 0.01, 0.95))


def compared(delta, low, high, confidence=0.95):
    interval = Interval(low, high, confidence)
    return Comparison("roc_auc", 27_004, delta, interval, 0.0025, 0.99, 0.007, 0.8)


def piece(value, auc, rows=900, reason=""):
    return SliceMeasured("carrier", value, rows, Measured("roc_auc", rows, auc, reason=reason))


def check(spec, **evidence):
    (result,) = check_gates([spec], Evidence(rows=27_004, **evidence), model="delay")
    return result


@pytest.mark.parametrize(
    ("value", "state"), [(0.71, "passed"), (0.65, "passed"), (0.64999, "failed"), (0.2, "failed")]
)
def test_floor_holds_or_not(value, state):
    """A metric at or above its floor passes."""
    assert check(FLOOR, candidate=(measured(value),)).state == state


@pytest.mark.parametrize(("value", "state"), [(0.39, "passed"), (0.4, "passed"), (0.41, "failed")])
def test_ceiling_holds_or_not(value, state):
    """A metric that is better when lower passes at or below its ceiling."""
    gate = GateSpec(metric="log_loss", at_most=0.4)

    assert check(gate, candidate=(measured(value, "log_loss"),)).state == state


@pytest.mark.parametrize("spec", [FLOOR, SLICED, LATENCY])
def test_missing_measurement_fails_gate(spec):
    """A metric that was not measured never passes."""
    result = check(spec, candidate=(measured(0.9, "accuracy"),), champion_version=3)

    assert result.state == "not_measured"
    assert not is_passed([result])


def test_unmeasurable_metric_fails_gate_with_its_reason():
    """A metric without meaning on the rows does not pass, and the gate says why."""
    result = check(FLOOR, candidate=(Measured("roc_auc", 9, reason="all 9 labels are 0"),))

    assert result.state == "not_measured"
    assert result.words == "Candidate's AUC was not measured: all 9 labels are 0"


@pytest.mark.parametrize(
    ("comparison", "margin", "state"),
    [
        (compared(0.012, 0.007, 0.017), 0.0, "passed"),
        (compared(0.012, 0.0, 0.024), 0.0, "failed"),
        (compared(0.012, -0.001, 0.025), 0.0, "failed"),
        (compared(0.012, 0.007, 0.017), 0.01, "failed"),
        (compared(-0.002, -0.004, 0.001), -0.005, "passed"),
    ],
)
def test_champion_is_beaten_only_by_the_whole_interval(comparison, margin, state):
    """A candidate passes when the whole interval of its improvement lies above the margin."""
    gate = GateSpec(metric="roc_auc", versus="champion", margin=margin)

    assert check(gate, comparisons=(comparison,), champion_version=3).state == state


def test_improvement_is_said_in_plain_words():
    """A passed comparison reads as a sentence with its interval, its rows and what was asked."""
    result = check(VERSUS, comparisons=(compared(0.012, 0.007, 0.017),), champion_version=3)

    assert result.words == (
        "Candidate 0.012 AUC better than delay@3 (95 % interval 0.007 to 0.017) on 27,004 rows; "
        "needs more than 0.000"
    )
    assert (result.value, result.interval.low, result.threshold) == (0.012, 0.007, 0.0)


def test_refusal_says_what_the_rows_could_have_shown():
    """A failed comparison names the smallest improvement those rows are likely to show."""
    result = check(VERSUS, comparisons=(compared(-0.004, -0.009, 0.001),), champion_version=3)

    assert result.words == (
        "Candidate 0.004 AUC worse than delay@3 (95 % interval -0.009 to 0.001) on 27,004 rows; "
        "needs more than 0.000; on these rows a difference shows from about 0.007 up"
    )


def test_first_release_has_no_champion_to_beat():
    """Without a champion the comparison does not apply, and does not stop the release."""
    result = check(VERSUS, candidate=(measured(0.7),))

    assert result.state == "not_applicable"
    assert result.words.startswith("First release")
    assert is_passed([result])


def test_champion_that_was_not_scored_stops_the_release():
    """With a champion that could not be scored, the comparison is missing, not inapplicable."""
    result = check(VERSUS, candidate=(measured(0.7),), champion_version=3)

    assert result.state == "not_measured"
    assert "champion was not scored" in result.words


def test_comparison_at_another_confidence_does_not_count():
    """A gate at 99 % is not passed by an interval at 95 %."""
    gate = GateSpec(metric="roc_auc", versus="champion", confidence=0.99)
    evidence = {"comparisons": (compared(0.012, 0.007, 0.017),), "champion": (measured(0.6),)}

    assert check(gate, champion_version=3, **evidence).state == "not_measured"


def test_every_large_slice_must_hold():
    """One value under the floor fails the gate and is named, worst first."""
    result = check(SLICED, slices=(piece("UA", 0.7), piece("HA", 0.5), piece("AS", 0.52), piece("DL", 0.55)))

    assert result.state == "failed"
    assert result.words == (
        "2 of 4 values of carrier fail in AUC: HA 0.500 on 900 rows, AS 0.520 on 900 rows; "
        "needs at least 0.550"
    )
    assert result.value == 0.5


def test_small_slices_do_not_decide_but_are_told():
    """A value with too few rows neither passes nor fails, and the gate counts it."""
    small = piece("HA", None, rows=12, reason="12 rows, 500 are needed")
    result = check(SLICED, slices=(piece("UA", 0.7), small))

    assert result.state == "passed"
    assert result.words == (
        "1 of 1 values of carrier hold in AUC, the worst UA 0.700 on 900 rows; needs at least 0.550; "
        "1 with fewer than 500 rows not measured"
    )


@pytest.mark.parametrize(
    ("slices", "told"),
    [
        ((), "it was not sliced"),
        ((piece("HA", None, rows=12, reason="small"),), "the largest has 12"),
        ((piece("UA", 0.7), piece("AS", None, reason="all labels are 0")), "was not measured for AS"),
    ],
)
def test_slices_without_measurement_do_not_pass(slices, told):
    """No slice, only small slices, or a large one without a number: not measured."""
    result = check(SLICED, slices=slices)

    assert result.state == "not_measured"
    assert told in result.words


def test_slice_of_another_metric_does_not_count():
    """A gate on a slice's accuracy is not passed by its AUC."""
    gate = GateSpec(metric="accuracy", slice="carrier", at_least=0.5)

    assert check(gate, slices=(piece("UA", 0.7),)).state == "not_measured"


@pytest.mark.parametrize(("latency", "state"), [(19.9, "passed"), (20.0, "passed"), (20.1, "failed")])
def test_latency_is_held_against_its_limit(latency, state):
    """The 99th percentile may be as high as the limit."""
    assert check(LATENCY, latency_p99_ms=latency).state == state


@pytest.mark.parametrize(
    ("latency", "words"),
    [
        (4.1234, "p99 4.1 ms over 300 requests, at most 20 ms"),
        (20.04, "p99 20.040 ms over 300 requests, at most 20 ms"),
        (31.0, "p99 31.0 ms over 300 requests, at most 20 ms"),
    ],
)
def test_latency_is_told_with_its_requests(latency, words):
    """The words have the figure, how many requests it stands on, and the limit, never written alike."""
    evidence = Evidence(rows=9, latency_p99_ms=latency)

    (result,) = check_gates([LATENCY], evidence, model="delay", latency_requests=300)

    assert (result.words, result.value, result.threshold) == (words, latency, 20)


@pytest.mark.parametrize(
    ("states", "is_through"),
    [
        ((), False),
        (("passed",), True),
        (("passed", "not_applicable"), True),
        (("passed", "failed"), False),
        (("passed", "not_measured"), False),
    ],
)
def test_all_gates_decide_together(states, is_through):
    """One gate that failed or was not measured stops the model, and so does no gate at all."""
    results = [GateResult(gate="g", state=state, words="w") for state in states]

    assert is_passed(results) is is_through


def test_summary_names_what_stands_in_the_way():
    """The summary of a refusal repeats the words of each gate that stopped it."""
    failed = GateResult(gate="g", state="failed", words="AUC too low")
    missing = GateResult(gate="g", state="not_measured", words="no latency")

    assert summarize([failed, missing]) == "AUC too low; Not measured: no latency"


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [(0.6499, 0.65, "0.6499"), (0.65, 0.65, "0.650"), (-0.0001, 0.0, "-0.0001"), (-0.0000001, 0.5, "0.000")],
)
def test_figures_never_round_onto_their_threshold(value, beside, text):
    """A value that misses its threshold by little does not read as if it met it."""
    assert format_figure(value, beside) == text
