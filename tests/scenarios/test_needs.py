"""No test goes missing in silence: pytest as a developer and as CI runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent.parent / "plugins"


def test_browser_test_without_browser_is_named(tmp_path):
    """Where Chromium is missing, the summary names the tests that were not run."""
    result = run_marked_test(tmp_path, "browser")

    assert result.returncode == 0
    assert "test_it.py::test_it: Skipped: chromium and chromedriver not installed" in result.stdout


def test_required_browser_test_fails_without_browser(tmp_path):
    """Where all is required, a skipped browser test is a failure: Chromium can be installed."""
    result = run_marked_test(tmp_path, "browser", PADDOCK_REQUIRE_ALL="1")

    assert result.returncode == 1
    assert "a test marked `browser` may not be skipped here" in result.stdout


def test_what_the_kernel_refuses_is_excused_and_named(tmp_path):
    """Where nothing may mount, a test of a full disk is skipped also where all is required, and is named."""
    result = run_marked_test(tmp_path, "disk", PADDOCK_REQUIRE_ALL="1")

    assert result.returncode == 0
    assert "test_it.py::test_it: Skipped: neither root nor a user namespace may mount here" in result.stdout


def test_required_test_of_the_client_fails_without_it(tmp_path):
    """Where all is required, the environment with the client of MLflow must be there: it can be installed."""
    result = run_marked_test(
        tmp_path, "mlflow", PADDOCK_MLFLOW_PYTHON="/nowhere/python", PADDOCK_REQUIRE_ALL="1"
    )

    assert result.returncode == 1
    assert "no client of MLflow at /nowhere/python; scripts/environment.py mlflow" in result.stdout


@pytest.mark.parametrize("marker", ["browser", "disk"])
def test_other_skip_of_a_required_test_fails(tmp_path, marker):
    """A test that has what it needs and is skipped all the same is a failure where all is required."""
    result = run_marked_test(
        tmp_path, marker, "pytest.skip('no')", path=have(tmp_path), PADDOCK_REQUIRE_ALL="1"
    )

    assert result.returncode == 1
    assert f"a test marked `{marker}` may not be skipped here (Skipped: no)" in result.stdout


def test_unmarked_skip_is_left_alone(tmp_path):
    """A skip of a test that needs nothing of the machine stays a skip."""
    result = run_marked_test(tmp_path, "other", "pytest.skip('no')", PADDOCK_REQUIRE_ALL="1")

    assert result.returncode == 0
    assert "tests that were not run" not in result.stdout


def have(folder: Path) -> str:
    """Return a search path on which every program that a test may need is found and succeeds."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("chromium", "chromedriver", "unshare"):
        (programs / name).write_text("#!/bin/sh\nexit 0\n")
        (programs / name).chmod(0o755)
    return str(programs)


def run_marked_test(
    folder: Path, marker: str, body: str = "pass", *, path: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one test in a process of its own. path: the search path; the empty one has no program at all."""
    (folder / "test_it.py").write_text(
        f"import pytest\n\n@pytest.mark.{marker}\ndef test_it():\n    {body}\n"
    )
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers = {marker}\n")
    kept = {name: value for name, value in os.environ.items() if name != "PADDOCK_REQUIRE_ALL"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "needs", "-p", "no:cacheprovider", "test_it.py"],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(PLUGINS), "PATH": path} | variables,
        capture_output=True,
        text=True,
    )
