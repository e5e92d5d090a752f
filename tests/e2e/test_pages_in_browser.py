"""The pages as a browser sees them: nothing in the console, charts drawn, readable, usable by keyboard."""

import re
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

PAGES = {
    "/": "delay@5 answers 25%",
    "/models": "churn",
    "/models/delay": "delay@3 is champion since",
    "/models/delay/2": "Refused by its gates",
    "/models/churn/1": "columns are swapped",
    "/endpoints": "version 3 answers 75%",
    "/endpoints/delay": "Rollout in progress",
    "/monitors": "delay-weekly",
    "/monitors/delay-weekly": "Quality, drift and decisions",
    "/decisions": "Took delay@4 back",
    "/runs": "finished",
    "/runs?experiment=price": "price",
    "/runs?group=params.depth&metric=auc": "14 runs in 5 groups",
    "/runs?filter=metrics.auc+>>+1": "Filter is wrong at character 13",
    "/runs?lifecycle=deleted": "No run is deleted here",
    "/datasets": "109.9 KiB",
    "/datasets/flights@2": "2,000 rows more",
    "/search?q=delay": "delay-monthly",
}
# Contrast of every visible text with what lies behind it, as WCAG 2.2 computes it.
FAINT_TEXTS = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const solid = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const light = ([red, green, blue]) =>
  0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const found = solid(getComputedStyle(node).backgroundColor);
    if (found[3] === 255) return found;
  }
  return [255, 255, 255];
};
const faint = [];
for (const node of document.querySelectorAll("body *:not(svg *, script, .chart *)")) {
  const says = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  if (!says || !node.checkVisibility()) continue;
  const pair = [light(solid(getComputedStyle(node).color)), light(behind(node))];
  const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  if (ratio < 4.5) faint.push([ratio.toFixed(2), node.tagName, node.textContent.slice(0, 30)]);
}
return faint;
"""
# What somebody who hears the page, or has no mouse, would miss.
UNREACHABLE = """
const missed = [];
let before = 0;
for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4)")) {
  const level = Number(heading.tagName[1]);
  if (level > before + 1) missed.push(`h${level} after h${before}: ${heading.textContent}`);
  before = level;
}
for (const each of document.querySelectorAll("input:not([type=hidden]), select, button, a[href]")) {
  const name = each.getAttribute("aria-label") || each.labels?.length || each.textContent.trim();
  if (!name) missed.push(each.outerHTML);
}
for (const each of document.querySelectorAll("main svg, main [data-figure]")) {
  const isDrawn = each.ariaHidden === "true" || each.closest(".chart *");
  if (!isDrawn && !each.ariaLabel && !each.querySelector("title")) missed.push(each.outerHTML.slice(0, 80));
}
for (const each of document.querySelectorAll("main *:not(svg *)")) {
  const scrolls = ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
  const isWider = each.scrollWidth > each.clientWidth;
  if (scrolls && isWider && each.tabIndex < 0) missed.push(each.outerHTML.slice(0, 80));
}
return missed;
"""


@pytest.mark.parametrize("path", PAGES)
def test_page_is_sound(browser, path):
    """Shows what it is for, an empty console, no other site, no faint text, nothing beyond 360 pixels."""
    browser.open(path)

    assert PAGES[path] in browser.find("main")[0].text
    assert browser.complaints() == []
    sites = {urlsplit(url).netloc for url in browser.requests() if not url.startswith("data:")}
    assert sites == {urlsplit(browser.url).netloc}
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        assert browser.run(FAINT_TEXTS) == []
    browser.width(360)
    assert browser.run("return document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("path", PAGES)
def test_page_needs_neither_eyes_nor_mouse(browser, path):
    """Headings go down one by one, controls and pictures have names, the keyboard can scroll what scrolls."""
    browser.open(path)
    browser.width(400)

    assert browser.run(UNREACHABLE) == []


@pytest.mark.parametrize(("path", "table"), [("/models/delay/2", "gates"), ("/endpoints/delay", "rollouts")])
def test_sentences_are_not_scrolled_away_on_a_narrow_screen(browser, path, table):
    """Rows with sentences are cards that fit into 400 pixels, each value under its name."""
    browser.open(path)
    browser.width(400)

    scroll = f"document.querySelector('#{table} .scroll')"
    assert browser.run(f"return {scroll}.scrollWidth - {scroll}.clientWidth") <= 0
    label = f"getComputedStyle(document.querySelector('#{table} td.wide'), '::before').content"
    assert browser.run(f"return {label}") != "none"


def test_focus_can_be_seen(browser):
    """What the keyboard is on has an outline."""
    browser.open("/models")

    for _ in range(4):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)

    outline = browser.driver.switch_to.active_element.value_of_css_property("outline-style")
    assert outline == "solid"


def test_charts_are_drawn_with_all_panels(browser):
    """The monitor's charts have five panels, gaps and lines, and hover tells the numbers."""
    browser.open("/monitors/delay-weekly")

    titles = " ".join(each.get_attribute("textContent") for each in browser.find(".chart .annotation-text"))
    assert "AUC on labels" in titles
    assert "back to delay@3" in titles
    assert len(browser.find(".chart .hm image")) == 1
    assert len(browser.find(".chart .shapelayer path")) >= 3


def test_chart_says_so_when_its_numbers_cannot_be_loaded(browser):
    """Without an answer the page says where the numbers are instead of staying empty."""
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/figure?*"]})
    try:
        browser.driver.get(f"{browser.url}/monitors/delay-weekly")
        browser.wait_for(".chart.failed")
        assert "the table below has their numbers" in browser.find(".chart")[0].text
    finally:
        browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def test_theme_is_switched_and_remembered(browser):
    """The switch turns light into dark, also on the next page."""
    browser.open("/")
    light = browser.find("body")[0].value_of_css_property("color")

    browser.find("#theme")[0].click()
    browser.open("/runs")

    assert browser.find("body")[0].value_of_css_property("color") != light
    assert browser.run("return document.documentElement.dataset.theme") == "dark"


def test_keys_lead_to_search_help_and_pages(browser):
    """`/` goes to the search, `?` shows the keys, `g d` opens the decisions."""
    browser.open("/")
    body = browser.find("body")[0]
    body.send_keys("?")
    assert browser.run("return document.getElementById('keys').open") is True
    browser.run("document.getElementById('keys').close()")

    body.send_keys("/")
    browser.driver.switch_to.active_element.send_keys("flights", Keys.ENTER)
    browser.wait_for("a[href='/datasets/flights@2']")

    browser.find("body")[0].send_keys("gd")
    browser.wait_for(".timeline")
    assert browser.driver.current_url.endswith("/decisions")


def test_first_stop_of_the_keyboard_skips_to_the_content(browser):
    """The first Tab shows a link that jumps over the navigation."""
    browser.open("/models")

    browser.find("body")[0].send_keys(Keys.TAB)

    assert browser.driver.switch_to.active_element.get_attribute("href").endswith("#content")


def test_filter_is_part_of_the_address(browser):
    """Choosing what runs are grouped by leads to an address that shows the same again."""
    browser.open("/runs")

    browser.run(
        "const select = document.querySelector('[name=group]'); select.value = 'params.depth';"
        "select.dispatchEvent(new Event('change'))"
    )
    browser.wait_for("table.groups")

    assert browser.driver.current_url.endswith("/runs?group=params.depth")
    assert len(browser.find("tbody tr")) == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_unknown_address_is_a_page_with_its_request_id(browser, scheme):
    """A mistyped address shows itself, the way back and what to ask the operator for; in both themes."""
    browser.prefer(scheme)
    browser.open("/modles")
    browser.width(360)

    words = browser.find("main")[0].text
    assert "No page and no resource has the address /modles." in words
    assert re.search(r"404 route_not_found, request [0-9a-f]{32}$", words)
    assert len(browser.find("main a[href='/']")) == 1
    assert browser.run(FAINT_TEXTS) == []
    assert browser.run("return document.documentElement.scrollWidth") <= 360


def test_missing_page_of_a_thing_is_readable(browser):
    """A browser that asks for a model there is not gets a page with the way back."""
    browser.open("/models/dela")

    assert "There is no model dela" in browser.find("main")[0].text
    assert len(browser.find("main a[href='/']")) == 1
