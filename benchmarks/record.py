"""Run the benchmarks, keep what they measured with the machine it was measured on, and write the table.

    .venv/bin/python benchmarks/record.py [NAME ...]

A benchmark is a file beside this one that prints one JSON object and nothing else on stdout:
`{"title": str, "measurements": [{"name", "value", "unit", "budget", "peer"}]}`; `budget` (the most or the
least that is promised, in words) and `peer` (what another tool needs, in words) may be missing.
Results go to benchmarks/results/NAME.json, the table of all results to docs/benchmarks.md.
"""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number: `value` in `unit`; `budget` and `peer` are words, empty where there is nothing to say."""

    name: str
    value: float
    unit: str
    budget: str = ""
    peer: str = ""


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a benchmark prints."""

    title: str
    measurements: tuple[Measurement, ...]


class Machine(msgspec.Struct, frozen=True):
    processor: str
    core_count: int
    memory_bytes: int
    system: str


class Result(msgspec.Struct, frozen=True):
    """What a benchmark printed, and where; `commit` ends in `+` when files were changed since."""

    benchmark: str
    recorded_at: datetime
    commit: str
    python: str
    packages: tuple[str, ...]
    machine: Machine
    report: Report


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.py") if path != Path(__file__))
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        print(f"{name} ...", flush=True)
        body = msgspec.json.format(msgspec.json.encode(record(name)), indent=2)
        (RESULTS / f"{name}.json").write_bytes(body + b"\n")
    PAGE.write_text(describe(read_results()))
    print(f"written: {PAGE.relative_to(ROOT)}")


def record(name: str) -> Result:
    # -P: a benchmark's neighbours must not stand before the standard library's modules of the same name
    command = [sys.executable, "-P", str(HERE / f"{name}.py")]
    run = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT)
    if run.returncode:
        sys.exit(f"error: benchmark `{name}` ended with exit code {run.returncode}")
    try:
        report = msgspec.json.decode(run.stdout, type=Report)
    except msgspec.MsgspecError as error:
        sys.exit(f"error: benchmark `{name}` printed something else than its measurements: {error}")
    return Result(
        benchmark=name,
        recorded_at=datetime.now(UTC).replace(microsecond=0),
        commit=describe_commit(),
        python=platform.python_version(),
        packages=tuple(sorted(f"{found.name}=={found.version}" for found in distributions())),
        machine=describe_machine(),
        report=report,
    )


def describe_commit() -> str:
    commit = ask_git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+" if ask_git("status", "--porcelain", "--", "src", "benchmarks/*.py") else commit


def ask_git(*words: str) -> str:
    return subprocess.run(
        ["git", *words],  # noqa: S607 - the developer's own git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def describe_machine() -> Machine:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return Machine(
        processor=models[0] if models else platform.machine(),
        core_count=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.machine()}",
    )


def read_results() -> list[Result]:
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(RESULTS.glob("*.json"))]


def describe(results: list[Result]) -> str:
    """Return docs/benchmarks.md: one table for each result, and on which machine it was taken."""
    parts = [
        "# Benchmarks\n\n"
        "Written by `make bench`; the full records, with the version of every package, are in "
        "`benchmarks/results/`.\nNumbers of one table come from one run on one machine; ratios count more "
        "than absolute numbers.\n"
    ]
    for result in results:
        machine, report = result.machine, result.report
        rows = [
            f"| {one.name} | {one.value:,.4g} {one.unit} | {one.budget} | {one.peer} |"
            for one in report.measurements
        ]
        parts.append(
            f"\n## {report.title}\n\n"
            f"`benchmarks/{result.benchmark}.py`, {result.recorded_at:%Y-%m-%d}, commit `{result.commit}`, "
            f"Python {result.python}, {machine.core_count} cores ({machine.processor}), "
            f"{machine.memory_bytes / 2**30:.0f} GiB\n\n"
            "| what | measured | budget | others |\n| --- | ---: | --- | --- |\n" + "\n".join(rows) + "\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    main()
