"""A real server over a filled store, and a browser that reports everything it is unhappy with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import page_store
import pytest
import run_store
from server_process import running_server

if TYPE_CHECKING:
    from selenium import webdriver
    from selenium.webdriver.remote.webelement import WebElement

FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium refuses its own sandbox when it is started by root, as in containers
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """Chromium, pointed at one server."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, path: str) -> None:
        """Open a page and wait until its charts, if it has any, are drawn."""
        self.driver.get(self.url + path)
        if self.find("[data-figure]"):
            self.wait_for("[data-drawn]")

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def wait_for(self, selector: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 30, poll_frequency=0.05).until(lambda _: self.find(selector))

    def run(self, script: str) -> object:
        return self.driver.execute_script(script)

    def width(self, pixels: int) -> None:
        size = {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Let the system prefer `light` or `dark`."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def complaints(self) -> list[str]:
        """Return what the console was told since the last call: errors, violations, missing files."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the address of every request since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [entry for entry in entries if entry["method"] == "Network.requestWillBeSent"]
        return [entry["params"]["request"]["url"] for entry in sent]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server over the filled store."""
    folder: Path = tmp_path_factory.mktemp("browser")
    page_store.fill_page_store(folder)
    with running_server(folder) as server:
        yield server.url


@pytest.fixture(scope="session")
def run_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server over a store with 10,000 runs."""
    folder: Path = tmp_path_factory.mktemp("runs")
    app, _ = page_store.open_page_app(folder)
    run_store.fill_runs(app, 10_000)
    app.close()
    with running_server(folder) as server:
        yield server.url


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One Chromium with an empty profile."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield chromium
    chromium.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome, address: str) -> Browser:
    """A browser as a new visitor of the filled store has it."""
    return open_anew(driver, address)


@pytest.fixture
def run_browser(driver: webdriver.Chrome, run_address: str) -> Browser:
    """A browser as a new visitor of the store with 10,000 runs has it."""
    return open_anew(driver, run_address)


def open_anew(driver: webdriver.Chrome, address: str) -> Browser:
    """Return a browser that is wide, light, and remembers nothing."""
    fresh = Browser(driver, address)
    fresh.width(1400)
    fresh.prefer("light")
    storage = {"origin": address, "storageTypes": "local_storage"}
    driver.execute_cdp_cmd("Storage.clearDataForOrigin", storage)
    driver.get("about:blank")
    fresh.complaints()
    fresh.requests()
    return fresh
