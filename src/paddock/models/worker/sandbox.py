"""What a worker gives up before it opens a model file: rights, files, network.

Landlock (Linux 5.13, TCP since 6.7) is called through ctypes; numbers are from the kernel's uapi headers.
"""

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paddock.models.records import SandboxLevel

ADDRESS_SPACE_BYTES = 8 * 2**30
OPEN_FILES = 64

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_READ = (1 << 2) | (1 << 3)  # files, folders
_TCP_BIND_CONNECT = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
# Rights on files known to each Landlock ABI: 13 at first, then refer, truncate, and ioctl on devices.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_FILE_RIGHTS = 16
_TCP_ABI, _SCOPE_ABI = 4, 6


@dataclass(frozen=True, slots=True)
class Sandbox:
    """`full`: no file but the allowed ones, no TCP, no new rights, limits; notes say what is missing."""

    level: SandboxLevel
    notes: tuple[str, ...]


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def limit_resources() -> None:
    """Bound memory and forbid core dumps; before anything large is imported."""
    _limit(resource.RLIMIT_AS, ADDRESS_SPACE_BYTES)
    _limit(resource.RLIMIT_CORE, 0)


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGKILL when the thread that started this process ends; Linux only."""
    if sys.platform != "linux":
        return
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the call
        os._exit(1)


def enter_sandbox(readable: Iterable[Path]) -> Sandbox:
    """Give up everything but reading beneath `readable` and the sockets already open; cannot be undone.

    Call it with one thread running: Landlock binds the calling thread and those it starts later.
    """
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    if sys.platform != "linux":
        return Sandbox("none", (f"no sandbox on {sys.platform}",))
    if _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return Sandbox("none", (f"no_new_privs: {_last_error()}",))
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208  names only
    abi = _libc().syscall(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return Sandbox("partial", (f"Landlock is not available: {_last_error()}",))
    failure = _restrict(abi, readable)
    if failure:
        return Sandbox("partial", (failure,))
    notes = []
    if abi < _TCP_ABI:
        notes.append(f"Landlock ABI {abi} cannot forbid TCP")
    if threads > 1:
        notes.append(f"{threads - 1} threads started before the sandbox are outside of it")
    return Sandbox("partial" if notes else "full", tuple(notes))


def forbid_processes() -> None:
    """Forbid new processes and threads from here on; the kernel exempts root."""
    _limit(resource.RLIMIT_NPROC, 0)


def library_folders() -> tuple[Path, ...]:
    """Return the folders that lazily imported modules and shared libraries are read from."""
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    # modules of a folder on sys.path, such as a checkout, count as installed
    installed.update(entry for entry in sys.path if entry)
    shared = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
    return tuple(Path(folder) for folder in sorted(installed | set(shared)) if Path(folder).is_dir())


def _restrict(abi: int, readable: Iterable[Path]) -> str:
    """Return why Landlock could not be entered, or nothing."""
    libc = _libc()
    rights = (1 << _FILE_RIGHTS.get(abi, _ALL_FILE_RIGHTS)) - 1
    network = _TCP_BIND_CONNECT if abi >= _TCP_ABI else 0
    scope = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if abi >= _SCOPE_ABI else 0
    ruleset = _Ruleset(rights, network, scope)
    size = 24 if abi >= _SCOPE_ABI else 16 if abi >= _TCP_ABI else 8
    handle = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if handle < 0:
        return f"Landlock refused the rules: {_last_error()}"
    try:
        for folder in readable:
            failure = _allow_reading(handle, folder)
            if failure:
                return failure
        if libc.syscall(_RESTRICT_SELF, handle, 0) != 0:
            return f"Landlock refused to restrict: {_last_error()}"
    finally:
        os.close(handle)
    return ""


def _allow_reading(handle: int, folder: Path) -> str:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathRule(_READ, descriptor)
        if _libc().syscall(_ADD_RULE, handle, _RULE_PATH_BENEATH, ctypes.byref(rule), 0) != 0:
            return f"Landlock refused `{folder}`: {_last_error()}"
    finally:
        os.close(descriptor)
    return ""


def _limit(kind: int, wanted: int) -> None:
    _, hard = resource.getrlimit(kind)
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (ceiling, ceiling))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())
