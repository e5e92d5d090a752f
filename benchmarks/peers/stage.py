"""Both products over one kind of database: their stores, filled alike, and their servers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

from peers import fill_paddock
from peers.load import NoAnswer, drive
from peers.plans import warm_up_plans
from peers.processes import Server, children_named, cpu_s, free_port, start, tree_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PADDOCK = "Paddock"
SETTLED_CPU = 0.1  # of a core
SETTLE_LIMIT_S = 60.0

Kind = Literal["SQLite", "PostgreSQL"]


def peer_python() -> Path:
    """Return the interpreter of the environment that holds MLflow."""
    python = Path(os.environ.get("PADDOCK_MLFLOW_PYTHON") or ROOT / ".venv-mlflow" / "bin" / "python")
    if not python.exists():
        sys.exit(f"error: `{python}` is not there\nhint: python3 scripts/environment.py mlflow")
    return python


def peer_version() -> str:
    """Return the version of MLflow there, and of what it stands on."""
    program = """
import platform
from importlib.metadata import version
under = ", ".join(f"{name} {version(name)}" for name in ("SQLAlchemy", "Flask", "uvicorn"))
print(f"{version('mlflow')} (Python {platform.python_version()}, {under})")
"""
    return _ask_peer(program)


def peer_driver() -> str:
    """Return the driver of PostgreSQL there."""
    found = _ask_peer(
        "from importlib.util import find_spec; print(*filter(find_spec, ['psycopg2', 'psycopg']))"
    )
    if not found:
        sys.exit(f"error: `{peer_python()}` has no driver of PostgreSQL\nhint: install psycopg2-binary there")
    return found.split()[0]


def peer_environment() -> dict[str, str]:
    """Return what processes of MLflow are given: nothing of ours, no messages to its makers."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHON"))}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
    return kept | quiet


@dataclass(slots=True)
class Stage:
    """Two stores with the same rows, and the servers over them, which end with the stage."""

    kind: Kind
    folder: Path
    paddock_store: str
    mlflow_store: str
    servers: list[Server] = field(default_factory=list)

    def create(self) -> None:
        self._fill_mlflow("create", str(self.folder / "artifacts"))
        fill_paddock.create(self.paddock_store)

    def add_runs(self, first: int, end: int) -> None:
        self._fill_mlflow("runs", str(first), str(end))
        fill_paddock.add_runs(self.paddock_store, first, end)

    def add_points(self, count: int) -> None:
        self._fill_mlflow("points", str(count))
        fill_paddock.add_points(self.paddock_store, count)

    def start_paddock(self) -> Server:
        port = free_port()
        command = [sys.executable, "-m", "paddock.cli", "server", "--port", str(port)]
        settings = {key: value for key, value in os.environ.items() if not key.startswith("PADDOCK_")}
        return self._start(PADDOCK, command, port, settings | {"PADDOCK_STORE": self.paddock_store})

    def start_mlflow(self, workers: int) -> Server:
        port = free_port()
        command = [str(peer_python()), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", str(workers), "--backend-store-uri", self.mlflow_store]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        return self._start(mlflow_label(workers), command, port, peer_environment())

    def stop(self, server: Server) -> None:
        server.stop()
        self.servers.remove(server)

    def cpu_s(self, server: Server) -> float:
        """Return the CPU time of a server and of the database, which works for one server at a time."""
        database = [pid for root in children_named("postgres") for pid in tree_of(root)]
        return cpu_s(server.pids) + cpu_s(database)

    def settle(self, server: Server) -> None:
        """Wait until a server that answers has done what else it starts with, and show it each kind of call.

        MLflow starts ten processes for jobs after its first answer; they would count against it.
        """
        until = monotonic() + SETTLE_LIMIT_S
        before = self.cpu_s(server)
        while monotonic() < until:
            sleep(1.0)
            now = self.cpu_s(server)
            if now - before < SETTLED_CPU:
                break
            before = now
        for plan in warm_up_plans():
            with suppress(NoAnswer):  # what is measured will say so
                drive(server.port, plan)

    def _start(self, label: str, command: list[str], port: int, environment: dict[str, str]) -> Server:
        server = start(label, command, port=port, folder=self.folder, environment=environment)
        self.servers.append(server)
        self.settle(server)
        return server

    def _fill_mlflow(self, what: str, *arguments: str) -> None:
        command = [str(peer_python()), str(HERE / "fill_mlflow.py"), what, self.mlflow_store, *arguments]
        done = subprocess.run(command, env=peer_environment(), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"error: MLflow's store could not be filled\n{done.stderr[-3000:]}")


def mlflow_label(workers: int) -> str:
    return f"MLflow, {workers} worker{'' if workers == 1 else 's'}"


@contextmanager
def open_stage(kind: Kind, folder: Path) -> Iterator[Stage]:
    """Make the stores in a folder that is new; at the end no process is left."""
    if kind == "SQLite":
        stage = Stage(kind, folder, str(folder / "paddock"), f"sqlite:///{folder / 'mlflow.db'}")
        yield from _ending(stage)
        return
    from paddock.testing.postgres import PostgresServer

    postgres = PostgresServer()
    try:
        ours, theirs = postgres.create_database(), postgres.create_database()
        yield from _ending(Stage(kind, folder, ours, theirs.replace(":", f"+{peer_driver()}:", 1)))
    finally:
        postgres.close()


def _ask_peer(program: str) -> str:
    command = [str(peer_python()), "-c", program]
    return subprocess.check_output(command, env=peer_environment(), text=True).strip()


def _ending(stage: Stage) -> Iterator[Stage]:
    try:
        yield stage
    finally:
        for server in stage.servers:
            server.stop()
