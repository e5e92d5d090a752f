"""The demo as a newcomer runs it: real data, real processes, real HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from paddock.app import open_app
from paddock.kernel.settings import resolve_settings

FLIGHTS = {"2013-04": 28_330, "2013-05": 28_796, "2013-06": 28_243}
TIMES = ("seconds", "peak_rss_mb")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def june(tmp_path_factory):
    """The demo played to the end of June: its report and its store."""
    folder = tmp_path_factory.mktemp("june")
    report = run_demo(folder, "--until", "2013-06")
    return report, folder / "store"


def test_every_flight_is_answered_once(june):
    """The report counts each flight of the three months, and none twice."""
    report, _ = june

    assert {line["month"]: line["rows"] for line in report["months"]} == FLIGHTS
    assert report["predictions"] == sum(FLIGHTS.values())


def test_live_model_is_never_clearly_worse_than_the_static_one(june):
    """In no month does the loop serve more than 0.005 AUC below the model it began with."""
    report, _ = june

    gains = [line["auc_live"] - line["auc_static"] for line in report["months"]]
    assert min(gains) >= -0.005
    assert sum(gains) > 0


def test_broken_handoffs_are_stopped_before_any_traffic(june):
    """Both faulty packages are refused with their cause named, and answered nothing."""
    report, _ = june
    columns, categories = report["incidents"][:2]

    assert (columns["outcome"], columns["predictions_answered"]) == ("refused", 0)
    assert "column order" in columns["words"]
    assert (categories["outcome"], categories["predictions_answered"]) == ("refused", 0)
    assert "category encoding of `carrier`" in categories["words"]


def test_sound_candidate_is_not_mistaken_for_a_broken_one(june):
    """The control, packaged like the two faulty ones but without a fault, answers its golden requests."""
    report, _ = june
    control = report["incidents"][2]

    assert "golden requests" not in control["words"]


def test_gate_refuses_on_evidence(june):
    """At least one retrained candidate was measured and left behind."""
    report, _ = june
    refused = [line for line in report["decisions"] if line["kind"] == "candidate_refused"]

    assert any("AUC" in line["words"] and "golden" not in line["words"] for line in refused)


def test_every_champion_stands_on_a_passed_report(june):
    """No version became champion without a gate report that passed."""
    _, store = june
    with closing(open_store(store)) as app:
        changes = app.registry.alias_history("delay")
        reports = [app.evaluation.get_report(change.report_id) for change in changes]

    assert len(changes) >= 2
    assert all(report.passed for report in reports)


def test_may_raises_no_quality_alarm(june):
    """In May feature drift is huge and the model is fine: the monitor says so."""
    _, store = june
    with closing(open_store(store)) as app:
        windows = app.monitoring.list_windows("delay-monthly")
    may = next(window for window in windows if window.start.month == 5)

    assert max(feature.psi for feature in may.facts.features) > 1
    assert [alarm.kind for alarm in may.alarms] == []


def test_ledger_of_the_demo_verifies(june):
    """The chain of events over the whole story is whole."""
    _, store = june
    with closing(open_store(store)) as app:
        verdict = app.metadata.verify_ledger()

    assert verdict.ok
    assert verdict.unsealed_count == 0


def test_killed_demo_resumes_to_the_same_table(tmp_path):
    """SIGKILL in the middle, then --resume: the same report but for times, and no process left behind."""
    whole = run_demo(tmp_path / "whole", "--until", "2013-04")
    killed = tmp_path / "killed"
    process = start_demo(killed, "--until", "2013-04")
    wait_for_round(killed / "store" / "demo.json", "2013-04-24", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gateway = json.loads((killed / "store/gateways/delay/gateway.json").read_text())["pid"]
    wait_until_gone(gateway)

    resumed = run_demo(killed, "--until", "2013-04", "--resume")

    assert without_times(resumed) == without_times(whole)


def test_second_demo_in_one_folder_is_refused(tmp_path):
    """Two demos never write into one store; the second says which process holds it."""
    first = start_demo(tmp_path, "--until", "2013-04")
    wait_for(lambda: (tmp_path / "store" / "demo.lock").exists())
    try:
        second = subprocess.run(
            demo_command(tmp_path, "--until", "2013-04"), capture_output=True, text=True, check=False
        )
    finally:
        first.send_signal(signal.SIGINT)
        first.wait()

    assert second.returncode == 4
    assert f"process {first.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def run_demo(folder: Path, *options: str) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        demo_command(folder, *options), capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())


def start_demo(folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        demo_command(folder, *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )


def demo_command(folder: Path, *options: str) -> list[str]:
    report = ["--report", str(folder / "report.json")]
    store = ["--store", str(folder / "store")]
    return [sys.executable, "-m", "paddock.cli", "demo", "--no-serve", *report, *store, *options]


def environment() -> dict[str, str]:
    return {**os.environ, "PADDOCK_PRINCIPAL": "demo"}


def open_store(store: Path):
    return open_app(resolve_settings({"store": str(store)}, {}, {}))


def without_times(report: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in report.items() if name not in TIMES}


def wait_for_round(checkpoint: Path, day: str, process: "subprocess.Popen[bytes]") -> None:
    def reached() -> bool:
        assert process.poll() is None, "the demo ended before it could be killed"
        return checkpoint.exists() and json.loads(checkpoint.read_text())["next_round"] >= day

    wait_for(reached)


def wait_until_gone(pid: int) -> None:
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


def wait_for(condition, timeout_s: float = 300.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
