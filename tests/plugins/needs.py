"""Runs tests that need something of the machine where it is there, and names them where it is not.

- `browser`: Chromium and its driver.
- `disk`: leave to mount a filesystem, as it is or in a user namespace.
- `mlflow`: the environment with the real client, which `make test` sets up.
- `sandbox`: a kernel that can lock a process in completely.

With PADDOCK_REQUIRE_ALL=1, as in CI, such a test that is skipped has failed. Excused are the last two where
the kernel itself refuses: no installation helps there.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cache

import pytest
from mlflow_kit import mlflow_python

PROGRAMS = ("chromium", "chromedriver")
# in the order of preference; the second needs no root
_MOUNT_SPACES = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_TCP_ABI = 4
_EXCUSED = pytest.StashKey[bool]()


@dataclass(frozen=True, slots=True)
class Need:
    """missing: says why this machine does not have it, or nothing. is_excused: also where all is required."""

    missing: Callable[[], str]
    is_excused: bool


def missing_browser() -> str:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"{' and '.join(missing)} not installed" if missing else ""


def missing_disk() -> str:
    return "" if find_mount_space() is not None else "neither root nor a user namespace may mount here"


def missing_mlflow() -> str:
    python = mlflow_python()
    return "" if python.is_file() else f"no client of MLflow at {python}; scripts/environment.py mlflow"


def missing_sandbox() -> str:
    if sys.platform != "linux":
        return f"no sandbox on {sys.platform}"
    abi = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    return "" if abi >= _LANDLOCK_TCP_ABI else f"the kernel has no Landlock that forbids TCP (ABI {abi})"


@cache
def find_mount_space() -> tuple[str, ...] | None:
    """Return the command before another one that lets it mount, or None. `unshare --mount`: it may anyway."""
    for space in _MOUNT_SPACES:
        if shutil.which(space[0]) is None:
            continue
        # in a namespace that ends with the command, so that nobody sees the mount
        command = [*space, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp"]
        if subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0:
            return space
    return None


def is_mounting_allowed() -> bool:
    """Say whether this process itself may mount."""
    return find_mount_space() == _MOUNT_SPACES[0]


NEEDS: Mapping[str, Need] = {
    "browser": Need(missing_browser, is_excused=False),
    "disk": Need(missing_disk, is_excused=True),
    "mlflow": Need(missing_mlflow, is_excused=False),
    "sandbox": Need(missing_sandbox, is_excused=True),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, need in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := need.missing()):
            item.stash[_EXCUSED] = need.is_excused
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = next((name for name in NEEDS if item.get_closest_marker(name)), "")
    is_required = os.environ.get("PADDOCK_REQUIRE_ALL") and not item.stash.get(_EXCUSED, False)
    if report.skipped and marker and is_required:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"a test marked `{marker}` may not be skipped here ({reason})"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if NEEDS.keys() & report.keywords.keys()
    ]
    if skipped:
        terminalreporter.section("tests that were not run")
        for report in skipped:
            terminalreporter.write_line(f"{report.nodeid}: {report.longrepr[2]}")
