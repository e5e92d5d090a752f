"""How long a profile takes, and how much memory: a table of 30 columns, 20 numbers and 10 categories.

Usage: python benchmarks/profile.py [ROWS ...]        (default 100000 1000000)

Each size runs in a process of its own, so that its peak of memory is its own. `scan` reads the
Parquet file and profiles it with new bins, `window` reads and profiles it again over the bins of the
first, `drift` compares all columns of the two; together they are a drift report. `in_memory` is the
profile of a table that has been read already. JSON on standard output.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from paddock.datasets import encode_profile, profile_table, read_table, scan_file
from paddock.monitoring import psi

T = TypeVar("T")
NUMBERS, CATEGORIES = 20, 10


def make_table(rows: int, seed: int = 7) -> pa.Table:
    """Return the same table for the same arguments; cardinalities of the categories 2 to 5,000."""
    random = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    for at in range(NUMBERS):
        values = random.lognormal(size=rows) if at % 2 else random.normal(size=rows)
        columns[f"number_{at}"] = pa.array(values, mask=random.random(rows) < 0.01 if at % 5 == 0 else None)
    for at, distinct in enumerate(np.geomspace(2, 5000, CATEGORIES).astype(int)):
        names = pa.array([f"value {code}" for code in range(distinct)])
        codes = pa.array((distinct * random.random(rows) ** 2).astype(np.int32))
        columns[f"category_{at}"] = pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
    return pa.table(columns)


def timed(work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "seconds": round(time.perf_counter() - wall, 4),
        "cpu_seconds": round(time.process_time() - cpu, 4),
    }


def peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def write_file(path: Path, rows: int) -> None:
    pq.write_table(make_table(rows), path)


def measure(path: Path) -> dict[str, object]:
    base_mb = peak_mb()
    first, scan = timed(lambda: scan_file(path))
    second, window = timed(lambda: scan_file(path, like=first.profile))
    pairs = list(zip(first.profile.columns, second.profile.columns, strict=True))
    _, drift = timed(lambda: [psi(a, b) for a, b in pairs])
    report_mb = peak_mb()
    table = read_table(path)
    _, in_memory = timed(lambda: profile_table(table))
    return {
        "rows": table.num_rows,
        "columns": table.num_columns,
        "scan": scan,
        "window": window,
        "drift": drift,
        "in_memory": in_memory,
        "profile_bytes": len(encode_profile(first.profile)),
        "peak_rss_mb": {"imports": base_mb, "report": report_mb, "with_table_in_memory": peak_mb()},
    }


def main(sizes: list[int]) -> None:
    context = multiprocessing.get_context("spawn")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.parquet"
            with context.Pool(1, maxtasksperchild=1) as pool:
                pool.apply(write_file, (path, rows))
                results.append(pool.apply(measure, (path,)))
    print(json.dumps({"benchmark": "profile", "results": results}, indent=2))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [100_000, 1_000_000])
