"""Resamples: exact, repeatable, and as wide as they say."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from paddock.evaluation import METRICS, compare_paired, measure, measure_pair
from paddock.evaluation.bootstrap import draw_metrics
from paddock.evaluation.metrics import check_scores
from paddock.kernel.errors import InvalidInput


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def simulate(rng, rows, *, signal=1.0, rate=0.3):
    """Labels and a latent score whose true AUC is Phi(signal / sqrt 2)."""
    labels = (rng.random(rows) < rate).astype(float)
    return labels, rng.normal(size=rows) + signal * labels


def test_resamples_equal_metrics_of_copied_rows():
    """Weighing rows gives what copying them and calling measuring would give."""
    labels, latent = simulate(np.random.default_rng(5), 50)
    scores = np.round(sigmoid(latent), 1)
    checked = check_scores("brier", labels, scores)

    drawn = draw_metrics([checked], tuple(METRICS), draws=20, seed=9)

    rng = np.random.default_rng(9)
    for draw in range(20):
        rows = rng.integers(0, 50, size=50, dtype=np.uint32)
        for name, metric in METRICS.items():
            assert drawn[name][draw, 0] == pytest.approx(metric(labels[rows], scores[rows], None), abs=1e-12)


@pytest.mark.parametrize("chunk_cells", [1, 997, 10_000, 1 << 22])
def test_resamples_do_not_depend_on_chunks(chunk_cells):
    """However the work is cut, the same seed gives the same bits."""
    labels, latent = simulate(np.random.default_rng(1), 333)
    checked = check_scores("brier", labels, sigmoid(latent))
    whole = draw_metrics([checked, checked], tuple(METRICS), draws=64, seed=3)

    cut = draw_metrics([checked, checked], tuple(METRICS), draws=64, seed=3, chunk_cells=chunk_cells)

    assert all(np.array_equal(whole[name], cut[name]) for name in METRICS)


def test_seed_decides_everything():
    """Same seed, same comparison; another seed, another interval around the same delta."""
    rng = np.random.default_rng(2)
    labels, latent = simulate(rng, 500)
    champion, candidate = sigmoid(latent + rng.normal(size=500)), sigmoid(latent)

    first = compare_paired(labels, champion, candidate, seed=1)

    assert compare_paired(labels, champion, candidate, seed=1) == first
    other = compare_paired(labels, champion, candidate, seed=2)
    assert other.delta == first.delta
    assert other.interval != first.interval


def test_interval_covers_the_truth_as_often_as_it_says():
    """A 95 % interval of the AUC covers the true one in about 95 % of simulated test sets."""
    truth = NormalDist().cdf(1 / sqrt(2))
    rng = np.random.default_rng(20130401)
    covered = 0

    for seed in range(200):
        labels, latent = simulate(rng, 400)
        interval = measure("roc_auc", labels, latent, draws=300, seed=seed).interval
        covered += interval.low <= truth <= interval.high

    assert 0.90 <= covered / 200 <= 0.99


def test_equal_models_are_rarely_called_better():
    """Of simulated pairs of equally good models, at most 5 % are called better at 95 %."""
    rng = np.random.default_rng(77)
    promoted = 0

    for seed in range(300):
        labels, latent = simulate(rng, 400)
        champion, candidate = latent + rng.normal(size=400), latent + rng.normal(size=400)
        promoted += compare_paired(labels, champion, candidate, draws=300, seed=seed).interval.low > 0

    assert promoted / 300 <= 0.05


def test_announced_detectable_effect_is_found_with_the_announced_power():
    """Pairs that differ by the announced minimum are told apart about as often as announced."""
    rng = np.random.default_rng(4)
    found, deltas, announced = 0, [], []

    for seed in range(200):
        labels, latent = simulate(rng, 400)
        champion, candidate = latent + 1.4 * rng.normal(size=400), latent + 0.5 * rng.normal(size=400)
        comparison = compare_paired(labels, champion, candidate, draws=300, seed=seed)
        found += comparison.interval.low > 0
        deltas.append(comparison.delta)
        announced.append(comparison.minimum_detectable)

    # the true improvement of this pair is about the announced minimum, which the test shows first
    assert np.mean(deltas) == pytest.approx(np.mean(announced), rel=0.05)
    assert 0.72 <= found / 200 <= 0.90


def test_pairing_narrows_the_comparison():
    """Two models that agree are compared far more sharply than each is measured."""
    rng = np.random.default_rng(8)
    labels, latent = simulate(rng, 1000)
    pair = measure_pair(labels, sigmoid(latent), sigmoid(latent + 0.1 * rng.normal(size=1000)), ("roc_auc",))

    own = pair.candidate[0].interval
    shared = pair.compare("roc_auc").interval

    assert (shared.high - shared.low) * 3 < own.high - own.low


def test_same_scores_are_never_better():
    """A model is not better than itself, and not by chance either."""
    labels, latent = simulate(np.random.default_rng(3), 200)
    scores = sigmoid(latent)

    for metric in METRICS:
        comparison = compare_paired(labels, scores, scores, metric)
        assert (comparison.delta, comparison.interval.low, comparison.interval.high) == (0, 0, 0)
        assert comparison.probability_better == 0.5
        assert comparison.minimum_detectable == 0


@pytest.mark.parametrize("metric", METRICS)
def test_positive_delta_means_better_for_every_metric(metric):
    """Whether low or high values are good, a better candidate has a positive delta."""
    rng = np.random.default_rng(6)
    labels = (rng.random(800) < 0.5).astype(float)
    candidate = np.clip(0.5 + 0.3 * (labels - 0.5) + rng.normal(0, 0.2, 800), 0.01, 0.99)
    champion = np.clip(0.5 + rng.normal(0, 0.2, 800), 0.01, 0.99)

    comparison = compare_paired(labels, champion, candidate, metric)

    assert comparison.interval.low > 0
    assert comparison.probability_better == 1.0
    swapped = compare_paired(labels, candidate, champion, metric)
    assert swapped.delta == pytest.approx(-comparison.delta)
    assert swapped.interval.high < 0


def test_nearly_empty_class_gives_a_value_without_an_interval():
    """With one positive row too many resamples hold none, so no interval is claimed."""
    labels, scores = [1.0] + [0.0] * 50, np.linspace(0.9, 0.1, 51)

    measured = measure("roc_auc", labels, scores)

    assert measured.value == 1.0
    assert measured.interval is None
    with pytest.raises(InvalidInput, match="one class only"):
        compare_paired(labels, scores, scores)


@pytest.mark.parametrize(
    ("draws", "confidence"), [(1, 0.95), (0, 0.95), (10**9, 0.95), (100, 0.0), (100, 1.0)]
)
def test_impossible_options_are_refused(draws, confidence):
    """Resamples are many but bounded, and confidence lies between 0 and 1."""
    with pytest.raises(InvalidInput, match=r"draws is|confidence is"):
        measure("brier", [0, 1], [0.2, 0.8], draws=draws, confidence=confidence)
