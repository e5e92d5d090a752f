"""What can be known of the code and the machine of this process, captured for a run.

Environment variables and the host's name are never captured.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from paddock.tracking.records import EnvironmentSnapshot
from paddock.tracking.rules import redact_arguments

MAX_DIFF_BYTES = 1024 * 1024
GIT_TIMEOUT_S = 10.0

_HEADER = re.compile(r"^(Name|Version):[ \t]*(.+?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GitState:
    """The working tree of a folder; note says why commit is empty."""

    commit: str = ""
    diff: str = ""
    untracked: tuple[str, ...] = ()
    is_truncated: bool = False
    note: str = ""


def capture_environment(
    folder: Path, *, seeds: Mapping[str, int] | None = None, arguments: Sequence[str] | None = None
) -> EnvironmentSnapshot:
    """Return the environment of this process, with the state of the git tree that `folder` lies in.

    arguments: the command line, `sys.argv` unless given. Packages are listed once per process (what is
    loaded does not change with what is installed later); git is asked each time, because files do.
    """
    git = capture_git(folder)
    return EnvironmentSnapshot(
        git_commit=git.commit,
        git_dirty=bool(git.diff or git.untracked),
        git_diff=git.diff,
        git_untracked=git.untracked,
        git_truncated=git.is_truncated,
        git_note=git.note,
        packages=installed_packages(),
        python=platform.python_version(),
        platform=platform.platform(),
        machine=platform.machine(),
        cpu_count=os.cpu_count() or 0,
        memory_bytes=_memory_bytes(),
        seeds=dict(seeds or {}),
        argv=redact_arguments(_storable(sys.argv if arguments is None else arguments)),
    )


@cache
def installed_packages() -> tuple[str, ...]:
    """Return `name==version` of every installed distribution, sorted, names normalised.

    Reads only the head of each METADATA: a third of the time of parsing it as a message.
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        header = dict(_HEADER.findall(text.partition("\n\n")[0]))
        if "Name" in header and "Version" in header:
            name = re.sub(r"[-_.]+", "-", header["Name"]).lower()
            found.setdefault(name, header["Version"])  # the first on sys.path is the one imported
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()))


def capture_git(folder: Path) -> GitState:
    """Return commit, diff and unknown files of the git tree around `folder`; no git is a fact, not an error.

    Untracked files enter by name only: they may hold secrets.
    """
    git = shutil.which("git")
    if git is None:
        return GitState(note="git is not installed")
    try:
        commit = _git(git, folder, ["rev-parse", "--verify", "HEAD"], most_bytes=200)
        if commit.code != 0:
            return GitState(note=_why_no_commit(git, folder))
        diff = _git(git, folder, ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--"])
        left = max(MAX_DIFF_BYTES - len(diff.output), 0)
        others = ["ls-files", "--others", "--exclude-standard", "--full-name", "-z", ":/"]
        names = _git(git, folder, others, most_bytes=left)
    except subprocess.TimeoutExpired:
        return GitState(note=f"git did not answer within {GIT_TIMEOUT_S:g} s")
    except OSError as error:
        return GitState(note=f"git could not be started: {error.strerror}")
    whole_names = names.output.split(b"\x00")[:-1]
    return GitState(
        commit=commit.output.decode().strip(),
        diff=diff.output.decode(errors="replace"),
        untracked=tuple(sorted(name.decode(errors="replace") for name in whole_names)),
        is_truncated=diff.is_truncated or names.is_truncated,
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    code: int
    output: bytes
    is_truncated: bool


def _git(git: str, folder: Path, command: list[str], *, most_bytes: int = MAX_DIFF_BYTES) -> _Answer:
    # GIT_DIR and its like, set while a git hook runs, would point away from `folder`; a file-system
    # monitor is a program named by the repository
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    argv = [git, "-c", "core.fsmonitor=false", "-C", str(folder), *command]
    process = subprocess.Popen(  # noqa: S603 - a list, no shell; the program is git
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        process.kill()

    watchdog = threading.Timer(GIT_TIMEOUT_S, expire)
    watchdog.start()
    try:
        with process:
            output = process.stdout.read(most_bytes + 1) if process.stdout else b""
            if len(output) > most_bytes:
                process.kill()
    finally:
        watchdog.cancel()
    if expired.is_set():
        raise subprocess.TimeoutExpired(argv, GIT_TIMEOUT_S)
    return _Answer(process.returncode, output[:most_bytes], len(output) > most_bytes)


def _why_no_commit(git: str, folder: Path) -> str:
    if not folder.is_dir():
        return "the folder does not exist"
    inside = _git(git, folder, ["rev-parse", "--is-inside-work-tree"], most_bytes=200)
    return "the repository has no commit yet" if inside.code == 0 else "not in a git repository"


def _storable(arguments: Sequence[str]) -> list[str]:
    """Drop the folder of the script, which often names a person, and bytes that are not Unicode."""
    names = [Path(arguments[0]).name, *arguments[1:]] if arguments else []
    return [name.encode(errors="replace").decode() for name in names]


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not told by this platform
        return 0
