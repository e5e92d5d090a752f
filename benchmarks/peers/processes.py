"""Servers as processes: started on a free port, measured with all their children, ended at the end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep

READY_LIMIT_S = 180.0
STOP_LIMIT_S = 8.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Server:
    """A server that answers. ready_s: from its start to its first answer at `/health`."""

    label: str
    port: int
    process: "subprocess.Popen[bytes]"
    ready_s: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        return tree_of(self.process.pid)

    def stop(self) -> None:
        """End the server and every process that came from it."""
        end(self.process)


def start(
    label: str, command: Sequence[str], *, port: int, folder: Path, environment: Mapping[str, str]
) -> Server:
    """Start a server in `folder`, its output in a file there, and wait until it answers."""
    output = folder / f"{label.replace(' ', '-')}.log"
    with output.open("ab") as log:
        begun = perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while not _is_healthy(port):
            if process.poll() is not None or perf_counter() - begun > READY_LIMIT_S:
                sys.exit(f"error: {label} did not start\n{output.read_text()[-3000:]}")
            sleep(0.002)
    except BaseException:
        end(process)
        raise
    return Server(label, port, process, perf_counter() - begun)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, then kill whatever is left of its tree."""
    known = {pid: _started_at(pid) for pid in tree_of(process.pid)}
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    until = monotonic() + STOP_LIMIT_S
    while (left := _alive(known)) and monotonic() < until:
        process.poll()
        sleep(0.05)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def tree_of(pid: int) -> list[int]:
    """Return a process and all that came from it and run, those that lost their parent left out."""
    found, place = [pid], 0
    while place < len(found):
        found += _children(found[place])
        place += 1
    return found


def children_named(name: str) -> list[int]:
    """Return this process's children of that program name."""
    return [pid for pid in _children(os.getpid()) if _read(pid, "comm").strip() == name]


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU time of these processes and of their children that have ended."""
    total = 0
    for pid in pids:
        fields = _read(pid, "stat").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def memory_bytes(pids: Sequence[int]) -> int:
    """Return the memory of these processes, what several share counted once (PSS)."""
    total = 0
    for pid in pids:
        lines = _read(pid, "smaps_rollup").splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


def _alive(known: Mapping[int, str]) -> list[int]:
    """known: what `_started_at` said of each; a pid that was given away again is not alive."""
    return [pid for pid, started in known.items() if started and _started_at(pid) == started]


def _started_at(pid: int) -> str:
    """Return when a process started, in ticks; empty when there is none, or it has ended."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return found
    for task in tasks:
        found += map(int, _read(pid, f"task/{task.name}/children").split())
    return found


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _is_healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
