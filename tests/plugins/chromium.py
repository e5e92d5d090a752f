"""Runs tests marked `browser` where Chromium and its driver are installed, and names them where they are not.

With PADDOCK_REQUIRE_BROWSER=1, as in CI, a browser test that is skipped for any reason has failed.
"""

import os
import shutil
from collections.abc import Generator

import pytest

PROGRAMS = ("chromium", "chromedriver")


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing and item.get_closest_marker("browser"):
        pytest.skip(f"{' and '.join(missing)} not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.get_closest_marker("browser") and os.environ.get("PADDOCK_REQUIRE_BROWSER"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"a browser test may not be skipped here ({reason})"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "browser" in report.keywords]
    if skipped:
        terminalreporter.section("browser tests that were not run")
        for report in skipped:
            terminalreporter.write_line(f"{report.nodeid}: {report.longrepr[2]}")
