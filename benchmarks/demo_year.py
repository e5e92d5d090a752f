"""The year of flights: what `paddock demo` takes from an empty store to its report, and what came of it.

Takes some minutes; both cores are used. Nothing else should run beside it.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "paddock.cli", "demo", "--no-serve", "--report", str(report)]
        started = time.perf_counter()
        subprocess.run(
            [*command, "--store", str(Path(folder) / "store")],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PADDOCK_PORT": "0"},
        )
        took_s = time.perf_counter() - started
        told = json.loads(report.read_text())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    live = [month["auc_live"] - month["auc_static"] for month in told["months"]]
    figures = [
        ("the whole command", took_s, "s", "at most 300 s"),
        ("CPU time of all processes", used.ru_utime + used.ru_stime, "s", ""),
        ("memory, all processes at their peak", told["peak_rss_mb"], "MB", "at most 2,000 MB"),
        ("predictions over HTTP", told["predictions"], "", ""),
        ("mean AUC gained as served", told["gain_live"], "AUC", "at least 0.015"),
        ("mean AUC gained if replaced at once", told["gain_immediate"], "AUC", ""),
        ("worst month against the static model", min(live), "AUC", "at least -0.005"),
        ("candidates refused", _count(told, "candidate_refused"), "", "at least 1"),
        ("candidates promoted", _count(told, "champion_replaced"), "", ""),
        ("candidates rolled back", _count(told, "candidate_rolled_back"), "", ""),
    ]
    measurements = [
        {"name": name, "value": round(value, 4), "unit": unit, "budget": budget}
        for name, value, unit, budget in figures
    ]
    print(json.dumps({"title": "A year of flights", "measurements": measurements}))


def _count(told: dict[str, list[dict[str, str]]], kind: str) -> int:
    return sum(decision["kind"] == kind for decision in told["decisions"])


if __name__ == "__main__":
    main()
