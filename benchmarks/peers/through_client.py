"""The same calls by MLflow's own client, and how much of their time is the client's."""

import json
import subprocess
import sys
from statistics import median

import msgspec

from peers.canned import canned_server
from peers.load import Request, ask
from peers.plans import API, BY_METRIC, Sizes, new_run_body, search_body
from peers.processes import Server
from peers.stage import HERE, PADDOCK, peer_environment, peer_python
from peers.table import Entry, times_words

ALONE = "the client alone"
FOUND_RUNS = 1_000
TIMES_FASTER = 3
CONDITION = "metrics.metric_0 > 0.1"  # of 10,000 runs it leaves enough for a full answer


class Calls:
    """What the client needed, by call and by label: median milliseconds of each repetition."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, list[float]]] = {}

    def measure(self, sizes: Sizes, paddock: Server, peer: Server) -> None:
        """Time the calls on both servers and on one that answers at once with what Paddock answers."""
        created = ask(paddock.port, Request("POST", f"{API}/runs/create", new_run_body()))
        found = ask(
            paddock.port, Request("POST", f"{API}/runs/search", search_body(CONDITION, BY_METRIC, FOUND_RUNS))
        )
        if (created.status, found.status) != (200, 200):
            sys.exit(f"error: Paddock answered {created.status} and {found.status}: {found.body[:300]!r}")
        answers = {
            f"{API}/runs/log-metric": b"{}",
            f"{API}/runs/log-batch": b"{}",
            f"{API}/runs/create": created.body,
            f"{API}/runs/search": found.body,
        }
        with canned_server(answers) as port:
            urls = {peer.label: peer.url, PADDOCK: paddock.url, ALONE: f"http://127.0.0.1:{port}"}
            for call, by_label in _run(urls, sizes).items():
                for label, times in by_label.items():
                    self._taken.setdefault(call, {}).setdefault(label, []).extend(times)

    def entries(self, kind: str, sizes: Sizes) -> list[Entry]:
        return [_entry(kind, sizes, call, by_label) for call, by_label in self._taken.items()]


def _run(urls: dict[str, str], sizes: Sizes) -> dict[str, dict[str, list[float]]]:
    plan = {
        "urls": urls,
        "repeats": sizes.repeats,
        "seconds": sizes.seconds,
        "condition": CONDITION,
        "order": BY_METRIC,
        "limit": FOUND_RUNS,
    }
    done = subprocess.run(
        [str(peer_python()), str(HERE / "mlflow_client.py")],
        env=peer_environment() | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
        input=json.dumps(plan),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"error: MLflow's client failed\n{done.stderr[-3000:]}")
    return msgspec.json.decode(done.stdout, type=dict[str, dict[str, list[float]]])


def _entry(kind: str, sizes: Sizes, call: str, by_label: dict[str, list[float]]) -> Entry:
    times = {label: median(each) for label, each in by_label.items()}
    ours, alone = times.pop(PADDOCK), times.pop(ALONE)
    words = "; ".join(f"{label} {value:,.3g}" for label, value in times.items())
    among = f", {FOUND_RUNS:,} of {sizes.small:,}" if call == "search_runs" else ""
    return Entry(
        f"{kind}, mlflow client: {call}{among}",
        ours,
        "ms",
        f"at most 1/{TIMES_FASTER} of MLflow, or what the client takes",
        f"{words}: {times_words(min(times.values()) / ours)}; {ALONE} {alone:,.3g}",
    )
