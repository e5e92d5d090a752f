"""Distances between two profiles of one column, and how large they get by chance alone.

The reference says how its 256 fine bins are joined into about ten that hold equal shares of it;
rare categories are joined too. Missing, NaN, infinite, empty and new values have bins of their own,
so none of them can hide.
"""

import math

import numpy as np
import numpy.typing as npt

from paddock.datasets import ColumnProfile
from paddock.kernel.errors import InvalidInput

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

COARSE_BINS = 10
RARE_SHARE = 0.01
FLOOR = 1e-6
NULL_QUANTILE = 0.995
MAX_QUANTILE = 0.9999
_LEAST_DRAWS = 1000
_DRAWS_BEYOND = 5  # as many of 1,000 lie beyond the default
_SEED = 20130401


def population_stability(reference: npt.ArrayLike, current: npt.ArrayLike, floor: float = FLOOR) -> float:
    """Population stability index between two histograms over the same bins.

    reference, current: counts per bin, shape (bins,), each summing to > 0. Returns nats, >= 0; 0
    means equal proportions; symmetric. A share below `floor` counts as `floor`.

    >>> round(population_stability([50, 50], [80, 20]), 3)
    0.416
    """
    p = _shares(np.asarray(reference, dtype=np.float64), floor)
    q = _shares(np.asarray(current, dtype=np.float64), floor)
    return float(_stability(p, q))


def jensen_shannon(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Jensen-Shannon distance (base 2) between two histograms over the same bins.

    Counts as in `population_stability`. Returns 0 for equal proportions up to 1 for none in common.

    >>> jensen_shannon([1, 0], [0, 3])
    1.0
    """
    p = _shares(np.asarray(reference, dtype=np.float64), 0.0)
    q = _shares(np.asarray(current, dtype=np.float64), 0.0)
    middle = (p + q) / 2
    return float(np.sqrt(max(0.0, (_divergence(p, middle) + _divergence(q, middle)) / 2)))


def psi(reference: ColumnProfile, current: ColumnProfile) -> float:
    """Population stability index of one column, over coarse bins made from the reference.

    Raises InvalidInput when the two were not counted over the same bins, or one has no rows.
    """
    return population_stability(*coarse_counts(reference, current))


def psi_threshold(reference: ColumnProfile, rows: int, quantile: float = NULL_QUANTILE) -> float:
    """Return the PSI that a window of `rows` rows exceeds by chance once in `1 / (1 - quantile)` windows.

    quantile: above 0, at most 0.9999; by default 1 in 200 windows exceeds it. It is that of 1,000
    simulated windows without drift, and of more when it is higher. Each is drawn from shares that are
    themselves drawn from what the reference leaves open (Dirichlet, then multinomial; fixed seed),
    so a small reference widens it as a small window does: the same arguments, the same answer.
    Rows of a real window hang together more than drawn ones (weather, weekday), so real windows
    pass it more often; that is why an effect size stands beside it.
    """
    if rows < 1:
        raise InvalidInput(f"column `{reference.name}` has no rows, so no distance can be measured")
    if not 0 < quantile <= MAX_QUANTILE:
        raise InvalidInput(f"`quantile` is {quantile:g}, but lies above 0 and is at most {MAX_QUANTILE}")
    draws = max(_LEAST_DRAWS, math.ceil(_DRAWS_BEYOND / (1 - quantile)))
    counts, _ = coarse_counts(reference, reference)
    evidence = _evidence(reference, counts)
    possible = evidence > 0
    random = np.random.default_rng(_SEED)
    shares = random.dirichlet(evidence[possible], size=draws)
    windows = random.multinomial(rows, shares).astype(np.float64)
    known = _shares(counts[possible].astype(np.float64), FLOOR)
    return float(np.quantile(_stability(known, _shares(windows, FLOOR)), quantile))


def _evidence(reference: ColumnProfile, counts: Counts) -> Shares:
    """Return the counts of the coarse bins, with a little for what the reference has not seen.

    A new value lies above the largest of m known ones with probability 1 / (m + 1), below the
    smallest likewise. A new category comes as often as those that were seen once (Good and Turing);
    where the reference counts only the most frequent ones, all of its `other` may have been.
    """
    evidence = counts.astype(np.float64)
    bins = len(counts) - _APART_BINS
    if reference.edges:
        evidence[0] += 1
        evidence[bins - 1] += 1
    evidence[bins] += reference.other + sum(count == 1 for count in reference.category_counts)
    return evidence


def coarse_counts(reference: ColumnProfile, current: ColumnProfile) -> tuple[Counts, Counts]:
    """Return the counts of both over the coarse bins, shape (bins,) each.

    First the values: below all of the reference, in about ten bins, above all of it; or the
    categories, those under 1 % of the reference in one bin. Then new or other values, missing,
    NaN, infinite and empty ones.
    """
    if (reference.kind, reference.edges, reference.categories) != (
        current.kind,
        current.edges,
        current.categories,
    ):
        raise InvalidInput(
            f"column `{reference.name}` was counted over different bins in the two profiles",
            hint="profile_like(table, reference)",
        )
    for profile in (reference, current):
        if not profile.row_count:
            raise InvalidInput(f"column `{profile.name}` has no rows, so no distance can be measured")
    if reference.categories:
        groups, known = _frequent(reference), (reference.category_counts, current.category_counts)
    else:
        groups, known = _tenths(np.asarray(reference.counts)), (reference.counts, current.counts)
    first, second = (_join(np.asarray(counts, dtype=np.int64), groups) for counts in known)
    return np.append(first, _apart(reference)), np.append(second, _apart(current))


def _tenths(counts: Counts) -> Counts:
    """Return the coarse bin of each fine bin: which tenth of the reference its upper end falls in.

    The outermost fine bins stay alone: values beyond all known ones are no part of a tenth.
    """
    inner = counts[1:-1]
    total = int(inner.sum())
    if not total:
        return np.arange(len(counts))
    tenths = np.ceil(np.cumsum(inner) * COARSE_BINS / total).astype(np.int64)
    return np.concatenate(([0], np.maximum(tenths, 1), [COARSE_BINS + 1]))


def _frequent(reference: ColumnProfile) -> Counts:
    """Return a bin for each frequent category and one, the last, for all rare ones."""
    is_rare = np.asarray(reference.category_counts) < RARE_SHARE * reference.row_count
    return np.where(is_rare, int((~is_rare).sum()), np.cumsum(~is_rare) - 1)


def _join(counts: Counts, groups: Counts) -> Counts:
    joined = np.zeros(int(groups.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(joined, groups, counts)
    return joined


_APART_BINS = 5


def _apart(column: ColumnProfile) -> Counts:
    return np.array([column.other, column.missing, column.nan, column.infinite, column.empty])


def _shares(counts: Shares, floor: float) -> Shares:
    shares: Shares = np.maximum(counts / counts.sum(axis=-1, keepdims=True), floor)
    return shares


def _stability(p: Shares, q: Shares) -> npt.NDArray[np.float64]:
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def _divergence(p: Shares, q: Shares) -> float:
    held = p > 0
    return float((p[held] * np.log2(p[held] / q[held])).sum())
