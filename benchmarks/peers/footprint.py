"""What a server is beside its answers: how soon it is there, its processes and memory, the run table."""

import re
import sys
from dataclasses import dataclass, field
from itertools import repeat
from statistics import median
from time import sleep

from peers.load import Answer, Plan, Request, ask, drive
from peers.plans import Sizes
from peers.processes import Server, memory_bytes
from peers.stage import PADDOCK, Stage
from peers.table import Entry, compare_times

IDLE_S = 3.0
MB = 1e6
_LINKED = re.compile(rb"""<(?:link|script)\b[^>]*?(?:href|src)="(/[^"]+)\"""")


@dataclass(slots=True)
class Notes:
    """By label. cpu_ratio: CPU time a second while nobody asks anything."""

    ready_s: dict[str, list[float]] = field(default_factory=dict)
    processes: dict[str, float] = field(default_factory=dict)
    cpu_ratio: dict[str, float] = field(default_factory=dict)
    idle_mb: dict[str, float] = field(default_factory=dict)
    full_mb: dict[str, float] = field(default_factory=dict)
    page_ms: float = 0.0
    page_bytes: int = 0
    linked_bytes: int = 0
    missing_count: int = 0

    def note_idle(self, stage: Stage, *servers: Server) -> None:
        """Note what servers take that were just started and hardly asked; those known are left out."""
        fresh = [server for server in servers if server.label not in self.idle_mb]
        before = {server.label: stage.cpu_s(server) for server in fresh}
        sleep(IDLE_S)
        for server in fresh:
            self.cpu_ratio[server.label] = (stage.cpu_s(server) - before[server.label]) / IDLE_S
            self.idle_mb[server.label] = memory_bytes(server.pids) / MB
            self.processes[server.label] = len(server.pids)

    def note_full(self, *servers: Server) -> None:
        """Note the memory over the many runs, after whatever was asked."""
        for server in servers:
            self.full_mb[server.label] = memory_bytes(server.pids) / MB

    def note_page(self, paddock: Server) -> None:
        """Note time and size of the first page of the run table, and the size of what it links to."""
        wanted = Request("GET", "/runs", accept="gzip")
        plan = Plan(lambda _: repeat(wanted), seconds=2.0)
        load = drive(paddock.port, plan)
        self.page_ms = 1e3 * median(load.latencies_s)
        self.page_bytes = _get(paddock, "/runs", "gzip").wire_bytes
        linked = set(_LINKED.findall(_get(paddock, "/runs").body))
        answers = [ask(paddock.port, Request("GET", path.decode(), accept="gzip")) for path in linked]
        self.linked_bytes = sum(answer.wire_bytes for answer in answers)
        self.missing_count = sum(answer.status != 200 for answer in answers)

    def note_starts(self, stage: Stage, repeats: int) -> None:
        """Start Paddock again over the many runs, some times."""
        for server in [server for server in stage.servers if server.label == PADDOCK]:
            stage.stop(server)
        for _ in range(repeats):
            server = stage.start_paddock()
            self.note_start(server)
            stage.stop(server)

    def note_start(self, server: Server) -> None:
        self.ready_s.setdefault(server.label, []).append(server.ready_s)

    def entries(self, sizes: Sizes) -> list[Entry]:
        ready = {label: median(each) for label, each in self.ready_s.items()}
        full = f"memory with {sizes.large:,} runs"
        return [
            _compare("start to the first answer at /health", "s", ready, "at most 1"),
            _compare("processes", "processes", self.processes, "1"),
            _compare("CPU time a second while nobody asks", "s", self.cpu_ratio),
            _compare(f"memory after the start, {sizes.small:,} runs", "MB", self.idle_mb),
            _compare(f"{full}, after all that was asked", "MB", self.full_mb, "at most 150"),
            Entry(f"first page of /runs, {sizes.large:,} runs", self.page_ms, "ms", "at most 50"),
            Entry(
                "first page of /runs, on the wire",
                self.page_bytes / 1e3,
                "kB",
                "at most 300, with what it links to",
            ),
            Entry(
                "styles and scripts it links to, on the wire",
                self.linked_bytes / 1e3,
                "kB",
                peer=f"{self.missing_count} of them missing" if self.missing_count else "",
            ),
        ]


def _compare(name: str, unit: str, by_label: dict[str, float], budget: str = "") -> Entry:
    theirs = {label: value for label, value in by_label.items() if label != PADDOCK}
    return compare_times(name, unit, by_label[PADDOCK], theirs, budget)


def _get(server: Server, path: str, accept: str = "") -> Answer:
    answer = ask(server.port, Request("GET", path, accept=accept))
    if answer.status != 200:
        sys.exit(f"error: Paddock answered {answer.status} at {path}: {answer.body[:300]!r}")
    return answer
