"""Time the paired bootstrap of two models on 30,000 rows with 1,000 resamples, one thread.

    PYTHONPATH=src python benchmarks/paired_bootstrap.py

Prints one JSON object. The peer copies the rows of each resample and calls scikit-learn's
`roc_auc_score` for both models; it is timed on 20 resamples and scaled to 1,000.
"""

import json
import resource
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score

from paddock.evaluation import GateSpec, Trial, compare_paired, measure_pair, measure_trial
from paddock.kernel.digest import Digest

ROWS, DRAWS, PEER_DRAWS, REPEATS = 30_000, 1_000, 20, 3


def main() -> None:
    rng = np.random.default_rng(2013)
    labels = (rng.random(ROWS) < 0.22).astype(np.float64)
    latent = rng.normal(size=ROWS) + 0.8 * labels
    candidate = 1 / (1 + np.exp(-latent))
    champion = 1 / (1 + np.exp(-(latent + 0.3 * rng.normal(size=ROWS))))
    carriers = rng.choice(["AA", "B6", "DL", "EV", "UA"], ROWS).tolist()
    gates = (
        GateSpec(metric="roc_auc", versus="champion"),
        GateSpec(metric="roc_auc", slice="carrier", at_least=0.55, min_rows=500),
    )
    digest = Digest("a" * 64)
    trial = Trial("delay", digest, labels, candidate, champion, 1, {"carrier": carriers}, draws=DRAWS)

    auc_s = fastest(lambda: compare_paired(labels, champion, candidate, draws=DRAWS))
    all_s = fastest(lambda: measure_pair(labels, candidate, champion, draws=DRAWS))
    report_s = fastest(lambda: measure_trial(trial, gates))
    # in KiB on Linux; read before the peer runs
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peer_s = time_peer(labels, candidate, champion) / PEER_DRAWS * DRAWS

    peer = f"rows copied, scikit-learn: {peer_s:.1f} s"
    print(
        json.dumps(
            {
                "title": f"Paired bootstrap, {ROWS:,} rows, {DRAWS:,} resamples, 2 models",
                "measurements": [
                    row("AUC", auc_s, "s", budget="at most 2 s", peer=peer),
                    row("all five metrics", all_s, "s"),
                    row("evidence of a gate report with 5 slices", report_s, "s"),
                    row("peak memory of the process", memory / 1e6, "MB"),
                ],
            }
        )
    )


def row(name: str, value: float, unit: str, *, budget: str = "", peer: str = "") -> dict[str, str | float]:
    return {"name": name, "value": round(value, 3), "unit": unit, "budget": budget, "peer": peer}


def fastest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def time_peer(labels: np.ndarray, candidate: np.ndarray, champion: np.ndarray) -> float:
    rng = np.random.default_rng(1)
    started = time.perf_counter()
    for _ in range(PEER_DRAWS):
        rows = rng.integers(0, ROWS, ROWS)
        roc_auc_score(labels[rows], candidate[rows])
        roc_auc_score(labels[rows], champion[rows])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
