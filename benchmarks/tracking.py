"""Tracking beside `mlflow server`: the same requests, rows and machine, one after the other in the same run.

    python benchmarks/tracking.py [raw] [client] [server] [sqlite] [postgres] [--quick]

raw: MLflow's REST calls from one asyncio client; client: calls of the real mlflow client, in MLflow's own
environment (`python3 scripts/environment.py mlflow`, or PADDOCK_MLFLOW_PYTHON); server: start, memory and the
first page of the run table. Without a name all parts are measured, `client` and `server` on SQLite alone.

Both servers stand over stores with the same rows and answer in turn, several times. The numbers are medians
of these repetitions; of MLflow's with one and with four workers the better counts. CPU time is that of the
server's processes and of the database. An MLflow that gave no answer in a minute is started anew, and is not
asked the same with another number of workers: that is one request at a time.
"""

import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import msgspec

# `python -P`, as record.py starts this, leaves the folder out; at the end nothing can stand before a library
sys.path.append(str(Path(__file__).resolve().parent))

from peers import footprint, through_client
from peers.plans import QUICK, Sizes, Step, history_steps, search_steps, write_steps
from peers.processes import Server
from peers.rounds import Rounds
from peers.stage import Kind, Stage, open_stage, peer_driver, peer_python, peer_version
from peers.table import Entry, entries_of, sync_entry

PARTS = ("raw", "client", "server")
KINDS: dict[str, Kind] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def main() -> None:
    words = set(sys.argv[1:])
    sizes = QUICK if "--quick" in words else Sizes()
    if unknown := words - {*PARTS, *KINDS, "--quick"}:
        sys.exit(f"error: {', '.join(sorted(unknown))} is no part of this benchmark\n{__doc__}")
    parts = words & set(PARTS) or set(PARTS)
    kinds = [KINDS[word] for word in KINDS if word in words] or list(KINDS.values())
    peer_python()
    if "PostgreSQL" in kinds and "raw" in parts:
        peer_driver()  # better said now than after the other half
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("error: ended by SIGTERM")
    )  # servers end on the way out
    entries: list[Entry] = []
    for kind in kinds:
        wanted = parts if kind == "SQLite" else parts & {"raw"}
        if wanted:
            with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
                entries += measure(kind, Path(folder), sizes, wanted)
    title = f"Tracking, beside mlflow server {peer_version()}"
    print(
        msgspec.json.encode({"title": title, "measurements": [asdict(entry) for entry in entries]}).decode()
    )


def measure(kind: Kind, folder: Path, sizes: Sizes, parts: set[str]) -> list[Entry]:
    with ExitStack() as stack:
        stage = stack.enter_context(open_stage(kind, folder))
        run = Run(stage, sizes, parts)
        run.at_small_size()
        if parts & {"raw", "server"}:
            run.at_large_size()
        return run.entries()


class Run:
    """One kind of database, first with few runs, then with many."""

    def __init__(self, stage: Stage, sizes: Sizes, parts: set[str]) -> None:
        self._stage, self._sizes, self._parts = stage, sizes, parts
        self._rounds = Rounds(stage, sizes.repeats)
        self._notes = footprint.Notes()
        self._through_client = through_client.Calls()
        self._small_steps: list[Step] = [*write_steps(sizes), *search_steps(sizes, sizes.small)]
        self._large_steps: list[Step] = [*search_steps(sizes, sizes.large), *history_steps(sizes)]
        stage.create()
        stage.add_runs(0, sizes.small)
        self._paddock = stage.start_paddock()
        self._peer: Server | None = None

    def at_small_size(self) -> None:
        for workers in self._sizes.workers:
            peer = self._start_peer(workers)
            if "server" in self._parts:
                self._notes.note_idle(self._stage, self._paddock, peer)
            if "raw" in self._parts:
                peer = self._rounds.measure(self._small_steps, self._paddock, peer, workers)
            if "client" in self._parts:
                self._through_client.measure(self._sizes, self._paddock, peer)
            self._peer = peer

    def at_large_size(self) -> None:
        self._stage.add_runs(self._sizes.small, self._sizes.large)
        self._stage.add_points(self._sizes.points)
        for workers in reversed(self._sizes.workers):
            is_first = workers == self._sizes.workers[-1]
            peer = self._peer if is_first and self._peer is not None else self._start_peer(workers)
            if "raw" in self._parts:
                peer = self._rounds.measure(self._large_steps, self._paddock, peer, workers)
            if "server" in self._parts:
                self._notes.note_full(self._paddock, peer)
            self._peer = peer
        if "server" in self._parts:
            self._notes.note_page(self._paddock)
            self._notes.note_starts(self._stage, self._sizes.repeats)

    def entries(self) -> list[Entry]:
        entries: list[Entry] = []
        if "raw" in self._parts:
            steps = [*self._small_steps, *self._large_steps]
            entries += entries_of(self._stage.kind, steps, self._rounds.results)
            entries.append(sync_entry(self._stage.kind, self._stage.folder))
        if "client" in self._parts:
            entries += self._through_client.entries(self._stage.kind, self._sizes)
        if "server" in self._parts:
            entries += self._notes.entries(self._sizes)
        return entries

    def _start_peer(self, workers: int) -> Server:
        if self._peer is not None:
            self._stage.stop(self._peer)
        peer = self._stage.start_mlflow(workers)
        self._notes.note_start(peer)
        return peer


if __name__ == "__main__":
    main()
