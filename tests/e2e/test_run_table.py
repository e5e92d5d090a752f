"""The run table in a browser, with 10,000 runs: found, sorted, selected, changed, by mouse and by key."""

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.browser

FILTER = "#filter"
OFFERS = "#offers:not([hidden]) [role=option]"


def wait_until(browser, condition):
    """Wait until the condition holds; between two pages there is nothing to look at."""
    nothing_there = (IndexError, StaleElementReferenceException)
    wait = WebDriverWait(browser.driver, 30, poll_frequency=0.02, ignored_exceptions=nothing_there)
    wait.until(lambda _: condition())


def wait_for_words(browser, words):
    wait_until(browser, lambda: words in browser.find("main")[0].text)


def names(browser):
    """Return the names of the runs in the order in which they stand."""
    return browser.run(
        "return [...document.querySelectorAll('#runs .pick + th[scope=row] a')].map((a) => a.textContent)"
    )


def press(browser, button):
    """Press a button of the bar above the table and wait for the page it leads to."""
    before = browser.find("html")[0].id
    found = next(each for each in browser.find(".actions button") if each.text == button)
    found.click()
    wait_until(browser, lambda: browser.find("html")[0].id != before)


def restore_all(browser):
    """Bring back what a test has deleted, for those that count."""
    browser.run(
        "const ids = [...document.querySelectorAll('#runs .pick input[name=runs]')].map((box) => box.value);"
        "const body = JSON.stringify({ run_ids: ids, change: 'restore' });"
        "const headers = { 'Content-Type': 'application/json' };"
        "return fetch('/api/v1/run-changes', { method: 'POST', headers, body }).then((answer) => answer.ok)"
    )


def type_filter(browser, text):
    field = browser.find(FILTER)[0]
    field.clear()
    field.send_keys(text)
    return field


def test_table_is_sound_with_ten_thousand_runs(run_browser):
    """Fifty rows, how many there are, a light page, and nothing in the console."""
    run_browser.open("/runs")

    assert len(names(run_browser)) == 50
    assert "10,000 runs" in run_browser.find("main")[0].text
    assert (
        run_browser.run("return performance.getEntriesByType('navigation')[0].encodedBodySize") <= 100 * 1024
    )
    own = "performance.getEntriesByType('resource').reduce((sum, each) => sum + each.encodedBodySize, 0)"
    assert run_browser.run(f"return {own}") <= 200 * 1024
    run_browser.width(360)
    assert run_browser.run("return document.documentElement.scrollWidth") <= 360
    assert run_browser.complaints() == []


def test_keys_and_operators_are_completed(run_browser):
    """What is typed brings up keys by their beginning, then operators, then what joins comparisons."""
    run_browser.open("/runs")
    run_browser.find("body")[0].send_keys("/")
    field = run_browser.driver.switch_to.active_element
    assert field.get_attribute("id") == "filter"

    field.send_keys("batch")
    run_browser.wait_for(OFFERS)
    field.send_keys(Keys.ARROW_DOWN)
    assert field.get_attribute("aria-activedescendant") == "offers-0"
    field.send_keys(Keys.ENTER)
    assert field.get_attribute("value") == "params.`batch size` "
    wait_until(
        run_browser, lambda: [each.text for each in run_browser.find(OFFERS)][:3] == ["=", "!=", "LIKE"]
    )

    field.send_keys("= '64' A")
    wait_until(run_browser, lambda: [each.text for each in run_browser.find(OFFERS)] == ["AND"])
    field.send_keys(Keys.ESCAPE)
    assert run_browser.find(OFFERS) == []


def test_filter_finds_and_is_counted(run_browser):
    """Enter leads to an address that shows what is found; how much it is comes by itself."""
    run_browser.open("/runs")

    type_filter(run_browser, "params.model = 'forest'").send_keys(Keys.ENTER)
    wait_until(run_browser, lambda: run_browser.find("#count")[0].text == "2,500 runs")

    assert run_browser.driver.current_url.endswith("/runs?filter=params.model+%3D+%27forest%27")
    assert names(run_browser)[:2] == ["run-10000", "run-09996"]


def test_faulty_filter_leaves_the_table_as_it_is(run_browser):
    """The fault is marked below the box while the page, its rows and its address stay."""
    run_browser.open("/runs?order_by=metrics.auc+ASC")
    before = names(run_browser)

    type_filter(run_browser, "metrics.auc >> 1").send_keys(Keys.ENTER)
    run_browser.wait_for("#fault mark")

    assert run_browser.find("#fault mark")[0].text == ">"
    assert "Filter is wrong at character 13" in run_browser.find("#fault")[0].text
    assert run_browser.find(FILTER)[0].get_attribute("aria-invalid") == "true"
    assert run_browser.driver.current_url.endswith("/runs?order_by=metrics.auc+ASC")
    assert names(run_browser) == before


def test_header_sorts(run_browser):
    """A click on a metric puts the best first, another one the worst; the header says which."""
    run_browser.open("/runs?filter=metrics.auc+<+0.51")

    for direction, first in (("descending", "run-00199"), ("ascending", "run-00001")):
        next(each for each in run_browser.find("thead a") if each.text == "auc").click()
        run_browser.wait_for(f"[aria-sort={direction}] a[href*='metrics.auc']")

        assert names(run_browser)[0] == first


def test_runs_are_selected_by_keyboard_and_kept_in_the_address(run_browser):
    """`j` and `k` move, `x` selects; the number is said, and the address has them on the next page too."""
    run_browser.open("/runs")
    body = run_browser.find("body")[0]

    body.send_keys("jjx")
    body.send_keys("jkkx")

    assert run_browser.find("#selected")[0].text == "2 selected"
    assert run_browser.driver.switch_to.active_element.text == "run-10000"
    ids = [each.get_attribute("value") for each in run_browser.find("#runs tbody :checked")]
    assert run_browser.driver.current_url.endswith(f"/runs?selected={','.join(ids)}")

    run_browser.run("document.querySelector('[rel=next]').click()")  # it is scrolled to smoothly
    wait_until(run_browser, lambda: run_browser.find(".pager a")[0].text == "First")
    assert run_browser.find("#selected")[0].text == "2 selected"
    run_browser.find("#unselect")[0].click()
    assert run_browser.find("#selected")[0].text == "0 selected"
    assert "selected=" not in run_browser.driver.current_url


def test_many_are_selected_at_once(run_browser):
    """The box of the header ticks the page, Shift a range; no more than an address can name."""
    run_browser.open("/runs?limit=200")
    run_browser.find(".all")[0].click()
    assert run_browser.find("#selected")[0].text == "100 selected, which is the most"
    run_browser.find("#unselect")[0].click()

    boxes = run_browser.find("#runs .pick input[name=runs]")
    boxes[2].click()
    ActionChains(run_browser.driver).key_down(Keys.SHIFT).click(boxes[6]).key_up(Keys.SHIFT).perform()

    assert run_browser.find("#selected")[0].text == "5 selected"
    assert run_browser.run("return document.querySelector('.all').indeterminate") is True


def test_buttons_wait_for_a_selection(run_browser):
    """Without a selection there is nothing to press."""
    run_browser.open("/runs")
    pressable = ".actions button:not(:disabled)"
    assert run_browser.find(pressable) == []

    boxes = run_browser.find("#runs .pick input[name=runs]")
    boxes[0].click()
    assert [each.text for each in run_browser.find(pressable)] == ["Pin", "Set tag", "Delete"]


def test_columns_are_chosen(run_browser):
    """The menu of columns leads to an address with them, and to the usual one without a change."""
    run_browser.open("/runs")
    run_browser.find(".menu summary")[1].click()
    run_browser.find(".menu[open] [type=search]")[0].send_keys("owner")
    assert [each.text for each in run_browser.find(".menu[open] label") if each.is_displayed()] == ["owner"]
    run_browser.find("[value='tags.owner']")[0].click()
    run_browser.find(".menu[open] button")[0].click()
    wait_until(run_browser, lambda: "owner" in [each.text for each in run_browser.find("thead a")])
    assert "tags.owner" in run_browser.driver.current_url
    run_browser.open("/runs")
    run_browser.find(".query button")[0].click()
    wait_until(run_browser, lambda: run_browser.driver.current_url.endswith("/runs"))


def test_menus_fit_a_narrow_screen(run_browser):
    """An open menu lies within 360 pixels, Escape closes it and gives the focus back."""
    run_browser.width(360)
    run_browser.open("/runs")

    for place in (0, 1):
        run_browser.find(".menu summary")[place].click()
        assert len(run_browser.find(".menu[open]")) == 1
        assert run_browser.run("return document.documentElement.scrollWidth") <= 360

    run_browser.find(".menu[open] input")[0].send_keys(Keys.ESCAPE)
    assert run_browser.find(".menu[open]") == []
    assert run_browser.driver.switch_to.active_element.text == "Columns"


def test_groups_unfold_where_they_stand(run_browser):
    """A group opens below its row and closes again; the address knows which are open."""
    run_browser.open("/runs?group=params.model&metric=auc")

    run_browser.find(".fold")[1].click()
    run_browser.wait_for("[aria-expanded=true]")

    assert len(names(run_browser)) == 10
    assert "open=" in run_browser.driver.current_url
    run_browser.find("[aria-expanded=true]")[0].click()
    wait_until(run_browser, lambda: not run_browser.find("[aria-expanded=true]"))
    assert names(run_browser) == []


def test_runs_are_tagged_deleted_and_restored(run_browser):
    """Each change says what will happen, happens, and leads back to the view it came from."""
    run_browser.open("/runs?filter=run_name+LIKE+'run-0700%25'")
    assert len(names(run_browser)) == 10
    run_browser.find(".all")[0].click()

    press(run_browser, "Set tag")
    run_browser.find("[name=key]")[0].send_keys("stage")
    run_browser.find("[name=value]")[0].send_keys("final", Keys.ENTER)
    run_browser.wait_for("#changed")
    assert "filter=run_name" in run_browser.driver.current_url
    assert "changed=" not in run_browser.driver.current_url

    run_browser.open("/runs?filter=tags.stage+=+'final'")
    run_browser.find(".all")[0].click()
    press(run_browser, "Delete")
    wait_for_words(run_browser, "Delete 10 runs")
    run_browser.find("main form button")[0].click()
    run_browser.wait_for("#changed")
    assert names(run_browser) == []

    run_browser.open("/runs?lifecycle=deleted")
    run_browser.find(".all")[0].click()
    press(run_browser, "Restore")
    run_browser.find("main form button")[0].click()
    run_browser.wait_for("#changed")
    run_browser.open("/runs?filter=tags.stage+=+'final'")
    assert len(names(run_browser)) == 10


def test_form_of_another_origin_is_refused(run_browser):
    """A page that is not ours cannot delete a run, though it can send a form."""
    run_browser.open("/runs?filter=run_name+=+'run-00042'")
    run_id = run_browser.find("#runs .pick input[name=runs]")[0].get_attribute("value")
    fields = (
        f"<input name=change value=delete><input name=runs value={run_id}><input name=confirmed value=yes>"
    )
    form = f"<form method=post action={run_browser.url}/run-changes>{fields}<button>go</button></form>"

    run_browser.driver.get(f"data:text/html,{form}")
    run_browser.find("button")[0].click()

    wait_for_words(run_browser, "403 cross_site_request")
    run_browser.open("/runs?filter=run_name+=+'run-00042'")
    assert names(run_browser) == ["run-00042"]


def test_table_works_without_scripts(run_browser):
    """Filter, order, columns and changes are forms and links: no script is needed for any of them."""
    driver = run_browser.driver
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get(f"{run_browser.url}/runs")
        run_browser.find(FILTER)[0].send_keys("run_name = 'run-00077'", Keys.ENTER)
        wait_until(
            run_browser, lambda: [each.text for each in run_browser.find("tbody th a")] == ["run-00077"]
        )
        run_browser.find(".pick input[name=runs]")[0].click()
        next(each for each in run_browser.find(".actions button") if each.text == "Delete").click()
        wait_for_words(run_browser, "Delete 1 run")
        run_browser.find("main form button")[0].click()
        run_browser.wait_for("#changed")
        wait_for_words(run_browser, "No run fits this filter.")
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        run_browser.open("/runs?lifecycle=deleted")
        restore_all(run_browser)
