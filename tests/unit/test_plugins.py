"""The rules for every test: no network, no browser test missing in silence."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from no_network import NetworkRefused

PLUGINS = Path(__file__).parent.parent / "plugins"
BROWSER_TEST = "import pytest\n\n@pytest.mark.browser\ndef test_page():\n    pass\n"


def test_another_machine_is_refused():
    """A test that connects to another machine gets an error before a packet leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened, pytest.raises(NetworkRefused):
        opened.connect(("192.0.2.1", 9))


def test_name_look_up_is_refused():
    """A test that looks up a name gets an error before the name server is asked."""
    with pytest.raises(NetworkRefused):
        socket.getaddrinfo("paddock.invalid", 80)


def test_loopback_is_allowed():
    """Processes of one test may talk to each other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=5)

        assert client.getpeername() == server.getsockname()
        client.close()


def test_browser_test_without_browser_is_named(tmp_path):
    """Where Chromium is missing, the summary names the tests that were not run."""
    result = run_browser_test(tmp_path)

    assert result.returncode == 0
    assert "test_page.py::test_page: Skipped: chromium and chromedriver not installed" in result.stdout


def test_required_browser_test_fails_without_browser(tmp_path):
    """Where a browser is required, a skipped browser test is a failure."""
    result = run_browser_test(tmp_path, PADDOCK_REQUIRE_BROWSER="1")

    assert result.returncode == 1
    assert "a browser test may not be skipped here" in result.stdout


def run_browser_test(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one browser test with an empty search path, so that no Chromium is found."""
    (folder / "test_page.py").write_text(BROWSER_TEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    kept = {name: value for name, value in os.environ.items() if name != "PADDOCK_REQUIRE_BROWSER"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "chromium", "-p", "no:cacheprovider", "test_page.py"],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(PLUGINS), "PATH": ""} | variables,
        capture_output=True,
        text=True,
    )
