"""Gates as they are written in paddock.toml."""

import tomllib

import pytest

from paddock.evaluation import GateSpec, check_spec, describe_gate, parse_gates
from paddock.kernel.errors import InvalidSettings

DESIGN = """
gates = [
  { metric = "roc_auc", at_least = 0.65 },
  { metric = "roc_auc", versus = "champion", margin = 0.0, confidence = 0.95 },
  { metric = "roc_auc", slice = "carrier", at_least = 0.55, min_rows = 500 },
  { metric = "brier", at_most = 0.2 },
  { latency_p99_ms = 20 },
]
"""


def test_gates_of_the_design_are_read():
    """The gates of the documentation are sound, and read in words."""
    gates = parse_gates(tomllib.loads(DESIGN)["gates"])

    assert [describe_gate(gate) for gate in gates] == [
        "AUC at least 0.65",
        "AUC better than the champion by more than 0",
        "AUC at least 0.55 for every carrier with 500 rows or more",
        "Brier score at most 0.2",
        "99 % of requests answered within 20 ms",
    ]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"metric": "roc_auc", "at_lest": 0.6}, "`at_lest` is not a key; the nearest is `at_least`"),
        ({"metric": "rocauc", "at_least": 0.6}, "`rocauc` is not a metric; the nearest is `roc_auc`"),
        ({"metric": "roc_auc"}, "`roc_auc` has no bound"),
        ({}, "names neither `metric` nor `latency_p99_ms`"),
        ({"metric": "log_loss", "at_least": 0.6}, "needs `at_most` instead of `at_least`"),
        ({"metric": "roc_auc", "at_most": 0.6}, "needs `at_least` instead of `at_most`"),
        ({"metric": "roc_auc", "versus": "challenger"}, "`versus` is `challenger`"),
        ({"metric": "roc_auc", "versus": "champion", "at_least": 0.6}, "`at_least` does not belong"),
        ({"metric": "roc_auc", "versus": "champion", "slice": "carrier"}, "`slice` does not belong"),
        ({"metric": "roc_auc", "versus": "champion", "confidence": 95}, "`confidence` is 95"),
        ({"metric": "roc_auc", "versus": "champion", "margin": float("nan")}, "`margin` is not"),
        ({"metric": "roc_auc", "at_least": 0.6, "margin": 0.1}, "`margin` does not belong"),
        ({"metric": "roc_auc", "at_least": 0.6, "min_rows": 5}, "`min_rows` does not belong"),
        ({"metric": "roc_auc", "at_least": float("nan")}, "`at_least` is not a finite number"),
        ({"metric": "roc_auc", "slice": "carrier", "at_least": 0.5, "min_rows": 0}, "`min_rows` is 0"),
        ({"latency_p99_ms": 0}, "`latency_p99_ms` is 0"),
        ({"latency_p99_ms": 5, "metric": "f1"}, "`metric` does not belong"),
        ({"metric": "roc_auc", "at_least": "high"}, "Expected `float | null`, got `str`"),
    ],
)
def test_faulty_gate_is_refused_by_name(table, told):
    """A gate that is misspelled or contradicts itself is an error that says which and why."""
    with pytest.raises(InvalidSettings) as caught:
        parse_gates([{"metric": "f1", "at_least": 0.1}, table])

    assert any(problem.startswith("gate 2: ") and told in problem for problem in caught.value.problems)


def test_all_faults_are_reported_together():
    """Two faulty gates are two problems of one error."""
    with pytest.raises(InvalidSettings) as caught:
        parse_gates([{"metric": "roc_auc"}, {"metrik": "f1"}])

    assert len(caught.value.problems) == 2


def test_sound_gate_has_no_fault():
    """A gate made in Python is checked by the same rule."""
    assert check_spec(GateSpec(metric="accuracy", at_least=0.0)) == ()
