"""The page as a person has it: opened from disk in a browser, with mouse and with keyboard."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from samssl_cli.progress import Silent
from samssl_cli.report.contents import Contents
from samssl_cli.report.page import write_report
from samssl_cli.stages.reporting import report as report_of_run

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service  # noqa: E402  (after the skip)
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

PATIENCE_S = 20
REPORT = "SAMSSL_REPORT"  # path of a report.html of a real run, to open that too
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)


class Browser:
    """A headless Chromium; every page it has opened must have kept its console clean."""

    def __init__(self, program: str, driver_path: str, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for option in (*OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver_path))

    def open(self, page: Path, *, width: int = 1280, scheme: str = "light") -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = {"features": [{"name": name, "value": value} for name, value in wishes.items()]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait_for(self, script: str) -> None:
        WebDriverWait(self.driver, PATIENCE_S).until(lambda _: self.run(f"return {script}"), script)

    def wait_for_viewer(self) -> None:
        self.wait_for("document.getElementById('readout').textContent !== ''")

    def column(self, number: int) -> list[str]:
        """The cells of the sortable table in a column, from the top."""
        return self.run(
            "return [...document.querySelectorAll('#case-table tbody tr')]"
            ".map((row) => (row.cells[arguments[0]].querySelector('bdi')"
            " ?? row.cells[arguments[0]]).textContent)",
            number,
        )

    def sort_state(self) -> list[str]:
        heads = self.driver.find_elements(By.CSS_SELECTOR, "#case-table thead th")
        return [str(head.get_attribute("aria-sort")) for head in heads]

    def pixels(self, plane: int) -> str:
        return self.run(
            "return document.querySelectorAll('canvas')[arguments[0]].toDataURL()", plane
        )

    def ink(self, *selectors: str) -> list[str]:
        return [self.find(selector).value_of_css_property("color") for selector in selectors]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver_path is None:
        pytest.skip("chromium and chromedriver are not both installed")
    started = Browser(program, driver_path, tmp_path_factory.mktemp("profile"))
    yield started
    started.driver.quit()


@pytest.fixture
def opened(browser: Browser, report: Path) -> Browser:
    browser.open(report)
    browser.wait_for_viewer()
    return browser


@pytest.mark.parametrize("names", ["contents", "two_classes", "hostile"])
@pytest.mark.parametrize("width", [360, 1600])
def test_page_is_quiet_loads_nothing_and_fits(
    browser: Browser, names: str, width: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    browser.open(write_report(request.getfixturevalue(names), tmp_path), width=width)
    browser.wait_for_viewer()
    assert [
        entry for entry in browser.driver.get_log("browser") if entry["level"] == "SEVERE"
    ] == []
    loaded = browser.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    sizes = browser.run(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert sizes[0] <= sizes[1]


def test_policy_refuses_what_the_page_does_not_bring(opened: Browser) -> None:
    refused = opened.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective));"
        "const image = new Image(); image.src = 'https://example.invalid/pixel.png';"
    )
    assert refused == "img-src"


def test_click_on_a_heading_sorts_up_and_then_down(opened: Browser) -> None:
    assert opened.column(0) == ["case-10", "case-b", "case-9"]
    assert opened.sort_state() == ["none", "none", "none"]
    button = opened.find("#case-table th:nth-child(2) button")
    button.click()
    assert opened.column(1) == ["0.00", "80.00", "90.00"]
    assert opened.sort_state() == ["none", "ascending", "none"]
    button.click()
    assert opened.column(1) == ["90.00", "80.00", "0.00"]
    assert opened.sort_state() == ["none", "descending", "none"]
    assert "descending" in opened.find("#case-status").get_attribute("textContent")


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE], ids=["enter", "space"])
def test_keyboard_sorts_names_as_people_count(opened: Browser, key: str) -> None:
    opened.find("#case-table th button").send_keys(key)
    assert opened.column(0) == ["case-9", "case-10", "case-b"]
    assert opened.sort_state()[0] == "ascending"


def test_miss_is_a_word(opened: Browser) -> None:
    badges = opened.driver.find_elements(By.CSS_SELECTOR, "#case-table .miss")
    assert [badge.text for badge in badges] == ["missed"]


def test_another_row_keeps_the_order(opened: Browser) -> None:
    opened.find("#case-table th:nth-child(3) button").click()
    opened.find("#case-row").send_keys("template")
    assert opened.column(2) == ["20.00", "21.00", "22.00"]
    assert opened.find("#case-shown").text == "template"


def test_classes_can_be_chosen(browser: Browser, two_classes: Contents, tmp_path: Path) -> None:
    browser.open(write_report(two_classes, tmp_path))
    browser.wait_for_viewer()
    assert browser.column(1) == ["85.00", "35.00"]
    assert browser.find("#case-table .miss").text == "1 of 2 missed"
    browser.find("#case-class").send_keys("vein")
    assert browser.column(1) == ["80.00", "0.00"]
    assert browser.find("#case-table .miss").text == "missed"


def test_keyboard_moves_a_slider_and_its_slice(opened: Browser) -> None:
    before = opened.pixels(0)
    slider = opened.find("#slice-axial")
    assert slider.get_attribute("aria-valuetext") == "2 of 4"
    slider.send_keys(Keys.ARROW_RIGHT)
    assert slider.get_attribute("aria-valuetext") == "3 of 4"
    assert opened.pixels(0) != before
    assert "At voxel (1, 1, 2)" in opened.find("#readout").text
    assert "axial slice 3 of 4 of case-b" in opened.find("canvas").get_attribute("aria-label")


def test_slices_are_those_of_the_volume(opened: Browser) -> None:
    """Grey at the middle of each shown voxel, of the axial slice k = 3: beyond click and box."""
    slider = opened.find("#slice-axial")
    slider.send_keys(Keys.END)
    for box in opened.driver.find_elements(By.CSS_SELECTOR, "#layers input"):
        box.click()
    grey = opened.run(
        "const canvas = document.querySelector('canvas'), place = placement(canvas, state.view,"
        " data.planes[0]); return [[0, 0], [5, 4]].map(([column, row]) => canvas.getContext('2d')"
        ".getImageData(place.x + (column + 0.5) * place.across,"
        " place.y + (row + 0.5) * place.down, 1, 1).data[0])"
    )
    # voxel (i, j, k) has the grey 20 i + 4 j + k; top left is (5, 4, 3), bottom right (0, 0, 3)
    assert grey == pytest.approx([119, 3], abs=8)  # the screen smooths between voxels


def test_layers_marks_and_boxes_can_be_hidden(opened: Browser) -> None:
    boxes = opened.driver.find_elements(By.CSS_SELECTOR, "#layers label")
    words = [box.text.strip() for box in boxes]
    assert [word.split("\n")[-1] for word in words][:2] == ["prediction", "reference"]
    assert len(boxes) == 4
    seen = {opened.pixels(0)}
    for box in boxes:
        box.find_element(By.TAG_NAME, "input").send_keys(Keys.SPACE)
        seen.add(opened.pixels(0))
    assert len(seen) == 5


def test_click_into_a_slice_cuts_the_others_there(opened: Browser) -> None:
    canvas = opened.find("canvas")
    opened.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", canvas)
    canvas.click()  # the middle of an axial slice of 6 x 5 voxels: i = 2 or 3, j = 2
    readout = opened.find("#readout").text
    assert readout.startswith(("At voxel (2, 2, 1)", "At voxel (3, 2, 1)"))
    assert "prediction: atrium" in readout
    assert opened.find("#slice-coronal").get_attribute("aria-valuetext") == "3 of 5"


def test_another_case_can_be_chosen(opened: Browser) -> None:
    assert opened.find(".case-line:not([hidden]) bdi").text == "case-b"
    opened.find("input[name=view]").send_keys(Keys.ARROW_RIGHT)
    opened.wait_for("document.querySelector('canvas').ariaLabel.includes('case-10')")
    assert opened.find(".case-line:not([hidden]) bdi").text == "case-10"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_until_it_is_toggled(
    browser: Browser, report: Path, scheme: str
) -> None:
    browser.open(report, scheme=scheme)
    ink = {"light": "rgba(28, 33, 40, 1)", "dark": "rgba(232, 230, 224, 1)"}
    other = {"light": "dark", "dark": "light"}[scheme]
    toggle = browser.find("#theme")
    assert browser.ink("body", "h1") == [ink[scheme]] * 2
    assert toggle.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    toggle.send_keys(Keys.ENTER)
    assert browser.ink("body", "h1") == [ink[other]] * 2
    assert toggle.get_attribute("aria-pressed") == str(other == "dark").lower()
    drawn = browser.find(".plot svg text").value_of_css_property("fill")
    assert drawn == {"light": "rgb(90, 98, 112)", "dark": "rgb(163, 169, 179)"}[other]
    browser.driver.refresh()
    assert browser.ink("body") == [ink[other]]  # remembered
    browser.run("localStorage.clear()")


def test_every_picture_has_words(opened: Browser) -> None:
    wordless = opened.run(
        "return [...document.querySelectorAll('img, canvas, svg')].filter((one) =>"
        " !one.closest('[aria-hidden=true]') && !one.alt && !one.ariaLabel)"
        ".map((one) => one.outerHTML.slice(0, 80))"
    )
    assert wordless == []


def test_every_control_has_a_name(opened: Browser) -> None:
    controls = opened.driver.find_elements(By.CSS_SELECTOR, "button, input, select")
    assert len(controls) > 10
    assert [one.get_attribute("outerHTML") for one in controls if not one.accessible_name] == []


def test_first_tab_offers_to_skip_to_the_results(opened: Browser) -> None:
    opened.find("body").send_keys(Keys.TAB)
    link = opened.driver.switch_to.active_element
    assert link.text == "Skip to the results"
    assert float(link.value_of_css_property("outline-width").removesuffix("px")) >= 3
    link.send_keys(Keys.ENTER)
    assert opened.driver.switch_to.active_element.get_attribute("id") == "main"


def test_without_scripts_everything_can_be_read(browser: Browser, report: Path) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.driver.execute_cdp_cmd("Page.navigate", {"url": f"{report.as_uri()}?still"})
        pictures = browser.driver.find_elements(By.CSS_SELECTOR, "#panels img")
        assert [picture.is_displayed() for picture in pictures] == [True, True]
        assert "still pictures" in browser.find("noscript").text
        assert not browser.find("#planes").is_displayed()
        assert browser.column(0) == ["case-10", "case-b", "case-9"]
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_browser_without_deflate_keeps_the_still_pictures(
    browser: Browser, report: Path, tmp_path: Path, contents: Contents
) -> None:
    hidden = {"source": "delete window.DecompressionStream"}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", hidden)
    browser.open(write_report(replace(contents, title="Old browser"), tmp_path))
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    assert browser.find("#panels").is_displayed()
    assert not browser.find("#planes").is_displayed()


def test_print_is_dark_on_light_even_from_the_dark_theme(browser: Browser, report: Path) -> None:
    browser.open(report, scheme="dark")
    media = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    assert browser.ink("body") == ["rgba(28, 33, 40, 1)"]
    assert not browser.find("#theme").is_displayed()
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.fixture(params=["loop", "given"])
def real_report(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The report of a run of all six stages: of the tests' own, and of the one that was named."""
    if request.param == "given":
        if REPORT not in os.environ:
            pytest.skip(f"{REPORT} names no report.html of a run of yours")
        return Path(os.environ[REPORT])
    loop = request.getfixturevalue("loop")
    paths = (loop.path(name) for name in ("cases", "student", "scores"))
    return report_of_run(*paths, tmp_path, beside={}, progress=Silent())


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_of_a_run_sorts_slides_and_is_quiet(
    browser: Browser, real_report: Path, width: int, scheme: str
) -> None:
    browser.open(real_report, width=width, scheme=scheme)
    browser.wait_for_viewer()
    for direction in (1, -1):
        browser.find("#case-table th:nth-child(2) button").click()
        shown = [float(text) for text in browser.column(1)]
        assert shown == sorted(shown)[::direction]
    for plane, name in enumerate(("axial", "coronal", "sagittal")):
        before = browser.pixels(plane)
        browser.find(f"#slice-{name}").send_keys(Keys.HOME)
        assert browser.pixels(plane) != before
        assert browser.find(f"#slice-{name}").get_attribute("aria-valuetext").startswith("1 of ")
    wide, shown_wide = browser.run(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= shown_wide
    assert [one for one in browser.driver.get_log("browser") if one["level"] == "SEVERE"] == []
