"""How long a model worker takes to start and to answer: gradient boosting over 25 columns, one thread."""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paddock.models import (
    Encoder,
    ModelWorker,
    Output,
    Signature,
    build_package,
    encode_rows,
    infer_signature,
    materialize_package,
    save_package,
)
from paddock.models.worker.template import WorkerTemplate
from paddock.objects import MemoryBackend, ObjectStore

ROWS, NUMBERS, INTEGERS, CATEGORIES, TREES = 20_000, 12, 8, 5, 100
STARTS = 5


def main() -> None:
    table = make_table()
    signature = infer_signature(table, output=Output("value", "value"))
    columns = {name: table[name] for name in table.column_names}
    matrix = encode_rows(signature, columns)
    with tempfile.TemporaryDirectory() as folder:
        lay_out(table, signature, matrix, Path(folder))
        spawned = [start(Path(folder)) for _ in range(STARTS)]
        with WorkerTemplate() as template:
            first, *forked = (start(Path(folder), template) for _ in range(STARTS + 1))
        with ModelWorker(Path(folder)) as worker:
            for rows in (1, 1000):
                worker.predict(matrix[:rows])
            one = timed(lambda: worker.predict(matrix[:1]), 500)
            many = timed(lambda: worker.predict(matrix[:1000]), 50)
            level = worker.sandbox_level
    encoder = Encoder(signature)
    row = {name: values[:1].to_pylist() for name, values in columns.items()}
    thousand = {name: values[:1000].to_pylist() for name, values in columns.items()}
    measurements = [
        entry(f"start until the model is loaded, median of {STARTS}", *median_s(spawned, 0)),
        entry(f"CPU of such a start, median of {STARTS}", *median_s(spawned, 1)),
        entry("first start from a template, which imports the libraries", *median_s([first], 0)),
        entry(f"further start from a template, median of {STARTS}", *median_s(forked, 0)),
        entry(f"CPU of such a start, fork included, median of {STARTS}", *median_s(forked, 1)),
        entry("answer 1 row, p50", 1e3 * percentile(one, 50), "ms"),
        entry("answer 1 row, p99", 1e3 * percentile(one, 99), "ms"),
        entry("answer 1,000 rows, p50", 1e3 * percentile(many, 50), "ms"),
        entry("answer 1,000 rows, p99", 1e3 * percentile(many, 99), "ms"),
        entry(
            "check and encode 1 row of 25 columns, p50",
            1e6 * percentile(timed(lambda: encoder.encode(row), 5000), 50),
            "us",
        ),
        entry(
            "check and encode 1,000 rows of 25 columns, p50",
            1e3 * percentile(timed(lambda: encoder.encode(thousand), 50), 50),
            "ms",
        ),
    ]
    print(json.dumps({"title": f"Model worker, sandbox {level}", "measurements": measurements}))


def make_table() -> pa.Table:
    random = np.random.default_rng(11)
    columns: dict[str, pa.Array] = {}
    for place in range(NUMBERS):
        columns[f"number_{place}"] = pa.array(random.normal(size=ROWS), mask=random.random(ROWS) < 0.02)
    for place in range(INTEGERS):
        columns[f"integer_{place}"] = pa.array(random.integers(0, 60, ROWS))
    for place in range(CATEGORIES):
        names = np.array([f"value {code}" for code in range(10 * (place + 1))])
        columns[f"category_{place}"] = pa.array(random.choice(names, ROWS))
    return pa.table(columns)


def lay_out(table: pa.Table, signature: Signature, matrix: npt.NDArray[np.float64], folder: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    mask = [column.type == "category" for column in signature.columns]
    target = np.nansum(matrix[:, : NUMBERS + 1], axis=1)
    estimator = HistGradientBoostingRegressor(
        max_iter=TREES, categorical_features=mask, random_state=0, early_stopping=False
    ).fit(matrix, target)
    objects = ObjectStore(MemoryBackend())
    package = build_package(estimator, sample=table, signature=signature, features=matrix)
    materialize_package(objects, save_package(objects, package), folder)


def start(folder: Path, template: WorkerTemplate | None = None) -> tuple[float, float]:
    """Return how long a start takes, and the CPU time of all processes but this one, in seconds."""
    before = cpu_s(template.pid) if template and template.pid else 0.0
    started = time.perf_counter()
    with ModelWorker(folder, template=template) as worker:
        lasted = time.perf_counter() - started
        used = cpu_s(worker.pid) + (cpu_s(template.pid) - before if template else 0.0)
        return lasted, used


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def median_s(starts: list[tuple[float, float]], place: int) -> tuple[float, str]:
    return float(np.median([one[place] for one in starts])), "s"


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    durations = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return durations


def percentile(durations: list[float], percent: float) -> float:
    return float(np.percentile(durations, percent))


def entry(name: str, value: float, unit: str) -> dict[str, str | float]:
    return {"name": name, "value": round(value, 3), "unit": unit}


if __name__ == "__main__":
    main()
