"""From what was measured to the rows of the table: Paddock's number, and in words the other's."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from peers.load import LIMIT_S
from peers.plans import Step
from peers.rounds import Results, Taken
from peers.stage import PADDOCK

TIMES_FASTER = 10
SYNC_S = 1.0
DURABLE = "both sync a write before they acknowledge it"
NO_ANSWER = f"no answer in {LIMIT_S:.0f} s"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row; the fields are those of `Measurement` in benchmarks/record.py."""

    name: str
    value: float
    unit: str
    budget: str = ""
    peer: str = ""


def entries_of(kind: str, steps: Sequence[Step], results: Results) -> list[Entry]:
    """Return the rows of these steps, in their order."""
    entries: list[Entry] = []
    for step in steps:
        taken = dict(results[step.name])
        ours = taken.pop(PADDOCK)
        name = f"{kind}: {step.name}"
        if step.shows == "rate":
            entries.append(_rate(name, ours, taken))
        if step.shows == "time":
            entries.append(_time(name, ours, taken, "p50_ms"))
        else:
            entries += [
                _time(f"{name}, p50", ours, taken, "p50_ms"),
                _time(f"{name}, p99", ours, taken, "p99_ms"),
            ]
    return entries


def sync_entry(kind: str, folder: Path) -> Entry:
    """Return how often a second this disk syncs 4 kB: what no durable write can be faster than."""
    count, until = 0, perf_counter() + SYNC_S
    with (folder / "synced").open("wb", buffering=0) as file:
        while perf_counter() < until:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
    return Entry(
        f"{kind}: fdatasync of this disk, one after the other", count / SYNC_S, "per second", "", DURABLE
    )


def compare_times(name: str, unit: str, ours: float, theirs: dict[str, float], budget: str = "") -> Entry:
    """Return a row of which less is better. theirs: by label; the least of them counts."""
    words = "; ".join(f"{label} {value:,.4g}" for label, value in theirs.items())
    ratio = f": {times_words(min(theirs.values()) / ours)}" if theirs and ours else ""
    return Entry(name, ours, unit, budget, words + ratio)


def times_words(ratio: float) -> str:
    """Return how many times better.

    >>> times_words(26.04), times_words(0.52), times_words(1234.0)
    ('26x', '0.52x', '1,234x')
    """
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def _time(name: str, ours: Taken, theirs: dict[str, Taken], what: str) -> Entry:
    value = ours.p50_ms if what == "p50_ms" else ours.p99_ms
    answered = {label: taken for label, taken in theirs.items() if taken.p50s_ms and not taken.is_silent}
    times = {label: taken.p50_ms if what == "p50_ms" else taken.p99_ms for label, taken in answered.items()}
    budget = f"at most 1/{TIMES_FASTER} of MLflow"
    if not times:
        return Entry(name, value, "ms", budget, f"{next(iter(theirs))} {_missing(theirs)}")
    words = [f"{label} {times[label]:,.3g}{_failed(taken)}" for label, taken in answered.items()]
    ratio = times_words(min(times.values()) / value)
    cpu = _cpu(ours, answered[min(times, key=times.__getitem__)]) if what == "p50_ms" else ""
    return Entry(name, value, "ms", budget, f"{'; '.join(words)}: {ratio}{cpu}")


def _rate(name: str, ours: Taken, theirs: dict[str, Taken]) -> Entry:
    answered = {label: taken for label, taken in theirs.items() if taken.rates}
    budget = f"at least {TIMES_FASTER}x MLflow"
    if not answered:
        return Entry(name, ours.rate, "per second", budget, _missing(theirs))
    words = [f"{label} {taken.rate:,.3g}{_failed(taken)}" for label, taken in answered.items()]
    best = max(answered.values(), key=lambda taken: taken.rate)
    ratio = times_words(ours.rate / best.rate)
    return Entry(name, ours.rate, "per second", budget, f"{'; '.join(words)}: {ratio}{_cpu(ours, best)}")


def _missing(theirs: dict[str, Taken]) -> str:
    is_silent = any(taken.is_silent for taken in theirs.values())
    return NO_ANSWER if is_silent else f"failed: {next(iter(theirs.values())).fault[:80]}"


def _failed(taken: Taken) -> str:
    total = taken.answers + taken.failures
    return f" ({taken.failures:,} of {total:,} failed)" if taken.failures else ""


def _cpu(ours: Taken, theirs: Taken) -> str:
    return f"; CPU {theirs.cpu_ms:,.3g} against {ours.cpu_ms:,.3g} ms"
