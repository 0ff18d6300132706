"""The bench's page, driven in a real browser: fingers, keys, tabs, switches, and who may come in."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect, sync_playwright
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.simulator.bench_program import headless, page
from tests.support.programs import TRIVOX

CHROMIUM = "/usr/bin/chromium"
SLOW_MS = 15_000  # the machine may be busy with other tests
BUTTONS = ("yes", "no", "cant_say", "seller")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page(tmp_path_factory.mktemp("bench")) as (address, _):
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    expect.set_options(timeout=SLOW_MS)
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en")
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext, address: str) -> Iterator[Page]:
    errors: list[str] = []
    tab = opened(context, address, errors)
    yield tab
    for button in BUTTONS:
        expect(dome(tab, button)).to_have_attribute("data-held", "false")
    assert errors == []


def opened(context: BrowserContext, address: str, errors: list[str]) -> Page:
    tab = context.new_page()
    tab.on("console", lambda message: errors.append(message.text) if message.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(address)
    ready(tab)
    return tab


def ready(tab: Page) -> None:
    expect(tab.locator("body")).to_have_attribute("data-ready", "true")
    expect(tab.locator("#status")).to_have_text("online")
    expect(tab.locator("#power")).to_have_attribute("aria-checked", "true")
    for button in BUTTONS:  # a survey of an earlier test, and its thanks, have gone
        expect(dome(tab, button)).to_have_attribute("data-lit", "false", timeout=40_000)


def dome(tab: Page, button: str) -> Locator:
    return tab.locator(f".dome[data-button={button}]")


def lit(tab: Page, button: str, *, on: bool = True) -> None:
    expect(dome(tab, button)).to_have_attribute("data-lit", str(on).lower())


def held(tab: Page, button: str, *, down: bool = True) -> None:
    expect(dome(tab, button)).to_have_attribute("data-held", str(down).lower())


def newest(tab: Page, stage: str) -> Locator:
    return tab.locator(f"#{stage} li").first


def do(tab: Page, line: str) -> None:
    tab.locator("#line").fill(line)
    tab.locator("#line").press("Enter")


def test_a_press_goes_all_the_way(tab: Page) -> None:
    dome(tab, "seller").click(delay=100)
    lit(tab, "yes")
    expect(newest(tab, "events")).to_contain_text("survey opened")
    dome(tab, "yes").click(delay=100)
    expect(newest(tab, "events")).to_contain_text("survey closed yes, answered")
    lit(tab, "no", on=False)
    lit(tab, "yes")
    expect(newest(tab, "rows")).to_contain_text("yes answered")
    expect(tab.locator("#through")).to_have_text(re.compile(r"through \d+"))
    expect(tab.locator("#outbox-numbers .chip").first).to_have_class("chip acked")
    expect(tab.locator("#wire")).to_contain_text("ack")
    expect(tab.locator("#heap")).to_contain_text("kB")
    expect(tab.locator("#lag")).to_contain_text("ms")
    expect(tab.locator("#serial")).to_contain_text("epoch")
    expect(tab.locator("#delay")).to_contain_text("ms")


def test_keys_press_hold_and_do_not_repeat(tab: Page) -> None:
    closed = tab.locator("#pins li", has_text="Seller contact closed")
    before = closed.count()
    tab.keyboard.down("s")
    held(tab, "seller")
    tab.keyboard.down("s")  # what a keyboard sends while it is held
    tab.keyboard.down("s")
    expect(newest(tab, "events")).to_contain_text("force majeure declared")
    tab.keyboard.up("s")
    held(tab, "seller", down=False)
    assert closed.count() == before + 1
    tab.keyboard.press("Y", delay=60)
    expect(newest(tab, "events")).to_contain_text("stray pressed yes")
    dome(tab, "no").focus()
    tab.keyboard.press("Enter", delay=60)
    expect(newest(tab, "events")).to_contain_text("stray pressed no")
    tab.locator("#line").focus()
    tab.keyboard.type("yn")
    assert tab.locator("#line").input_value() == "yn"
    held(tab, "yes", down=False)


def test_keyboards_with_other_letters_press_too(tab: Page) -> None:
    keyboard = tab.context.new_cdp_session(tab)
    for letter, code, button in (("н", "KeyY", "yes"), ("т", "KeyN", "no"), ("ы", "KeyS", "seller")):
        key = {"key": letter, "code": code, "text": letter}
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", **key})
        held(tab, button)
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
        held(tab, button, down=False)


def test_a_click_without_a_finger_is_a_press(tab: Page) -> None:
    dome(tab, "no").evaluate("(dome) => dome.click()")  # as a screen reader does
    expect(newest(tab, "events")).to_contain_text("stray pressed no")


def test_a_button_held_in_two_tabs_is_let_go_with_the_last(context: BrowserContext, tab: Page, address: str) -> None:
    other = opened(context, address, [])
    for one in (tab, other):
        one.keyboard.down("c")
        held(one, "cant_say")
    tab.keyboard.up("c")
    do(tab, "state")  # answered after that
    expect(tab.locator("#lines")).to_contain_text("outbox")
    held(tab, "cant_say")
    other.keyboard.up("c")
    held(tab, "cant_say", down=False)
    other.close()


def test_a_window_that_loses_focus_lets_go(tab: Page) -> None:
    tab.keyboard.down("c")
    held(tab, "cant_say")
    tab.evaluate("dispatchEvent(new Event('blur'))")
    held(tab, "cant_say", down=False)
    tab.keyboard.up("c")


def test_a_tab_that_goes_lets_go(context: BrowserContext, tab: Page, address: str) -> None:
    other = opened(context, address, [])
    other.keyboard.down("n")
    held(tab, "no")
    other.close()
    held(tab, "no", down=False)


def test_two_fingers_touch_and_two_tabs_see_it(browser: Browser, tab: Page, address: str) -> None:
    errors: list[str] = []
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="bg")
    hand = opened(phone, address, errors)
    assert hand.evaluate("document.documentElement.scrollWidth") == 390
    expect(hand.locator("#question")).to_have_attribute("lang", "bg")
    expect(dome(hand, "yes")).to_contain_text("Да")
    points = []
    for button in ("yes", "no"):
        box = dome(hand, button).bounding_box()
        assert box is not None
        points.append({"x": box["x"] + box["width"] / 2, "y": box["y"] + 40, "id": len(points)})
    fingers = phone.new_cdp_session(hand)
    fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
    held(hand, "yes")
    for button in ("yes", "no"):
        held(tab, button)
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    for button in ("yes", "no"):
        held(tab, button, down=False)
    expect(tab.locator("#events")).to_contain_text("stray pressed no")
    assert tab.locator("#events").inner_text() == hand.locator("#events").inner_text()
    assert errors == []
    phone.close()


def test_without_wifi_events_are_seen_in_flash_and_then_on_their_way(tab: Page) -> None:
    waits, chip = tab.locator("#outbox-range"), tab.locator("#outbox-numbers .chip").first
    expect(waits).to_have_text(re.compile(r"empty, next \d+"))
    following = int(waits.inner_text().split()[-1])
    tab.locator("#wifi").click()
    expect(tab.locator("#wifi")).to_have_attribute("aria-checked", "false")
    dome(tab, "seller").click(delay=60)
    lit(tab, "no")
    dome(tab, "no").click(delay=60)
    expect(newest(tab, "events")).to_contain_text(f"{following + 1} survey closed no, answered")
    expect(waits).to_have_text(f"{following} to {following + 1}: 2 wait")
    expect(chip).to_have_text(str(following + 1))
    expect(chip).to_have_class("chip kept")
    do(tab, "state")
    expect(tab.locator("#lines")).to_contain_text(f"{following} to {following + 1} wait")
    tab.locator("#power").click()
    expect(tab.locator("#outbox-from")).to_have_text("in flash, without power")
    expect(waits).to_have_text(f"{following} to {following + 1}: 2 wait")
    tab.locator("#power").click()
    expect(waits).to_have_text(re.compile(rf"{following} to {following + 3}: 4 wait"))  # booted, settings applied
    tab.locator("#wifi").click()
    expect(waits).to_have_text(re.compile("empty"), timeout=40_000)
    expect(newest(tab, "rows")).to_contain_text("no answered")
    expect(chip).to_have_class("chip acked")


def test_switches_break_and_mend(tab: Page) -> None:
    tab.locator("#wifi").click()
    expect(tab.locator("#wifi")).to_have_attribute("aria-checked", "false")
    tab.locator("#wifi").click()
    expect(tab.locator("#wifi")).to_have_attribute("aria-checked", "true")
    tab.locator("#stick-no").click()
    held(tab, "no")
    dome(tab, "no").click(delay=40)
    held(tab, "no")  # fingers do not free it
    tab.locator("#stick-no").click()
    held(tab, "no", down=False)
    tab.locator("#cut button").click()
    expect(tab.locator("#power")).to_have_attribute("aria-checked", "true")
    dome(tab, "cant_say").click(delay=60)
    expect(tab.locator("#power")).to_have_attribute("aria-checked", "false")
    lit(tab, "cant_say", on=False)
    tab.locator("#power").click()
    expect(tab.locator("#power")).to_have_attribute("aria-checked", "true")
    do(tab, "expect online within 30s")
    expect(tab.locator("#lines")).to_contain_text("expect online within 30s: done")


def test_a_typed_line_is_answered(tab: Page) -> None:
    do(tab, "help")
    expect(tab.locator("#lines")).to_contain_text("press BUTTON [TIME]")
    dome(tab, "no").click(delay=60)
    expect(newest(tab, "events")).to_contain_text("stray pressed no")
    do(tab, "expect event stray_pressed button=no")
    expect(tab.locator("#lines")).to_contain_text("expect event stray_pressed button=no: done")
    do(tab, "dance")
    expect(tab.locator("#lines .error")).to_have_text("There is no command dance; `help` lists them.\n")


def test_a_session_recorded_on_the_page_is_a_test(tab: Page) -> None:
    tab.locator("#record").click()
    expect(tab.locator("#record")).to_have_attribute("aria-pressed", "true")
    dome(tab, "seller").click(delay=100)
    lit(tab, "no")
    expect(newest(tab, "rows")).to_contain_text("open")
    dome(tab, "no").click(delay=100)
    expect(newest(tab, "rows")).to_contain_text("no answered")
    tab.locator("#record").click()
    with tab.expect_download() as download:
        tab.locator("#recorded a").click()
    recorded = Path(download.value.path()).read_text("utf-8")
    assert "expect event survey_closed outcome=no cause=answered" in recorded
    done = headless(recorded)
    assert (done.returncode, done.stderr) == (0, ""), recorded


def test_the_timeline_scrolls_back_and_follows(tab: Page) -> None:
    dome(tab, "yes").click(delay=60)
    live, canvas = tab.locator("#live"), tab.locator("#timeline")
    expect(live).to_have_attribute("aria-pressed", "true")
    tab.locator("#in").click()
    expect(tab.locator("#span")).to_have_text("10 s")
    canvas.focus()
    tab.keyboard.press("Home")
    expect(live).to_have_attribute("aria-pressed", "false")
    expect(canvas).to_have_attribute("data-live", "false")
    still = canvas.evaluate("(canvas) => canvas.toDataURL()")
    dome(tab, "yes").click(delay=60)
    expect(newest(tab, "events")).to_contain_text("stray")
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") == still
    canvas.focus()
    tab.keyboard.press("End")
    expect(live).to_have_attribute("aria-pressed", "true")


def test_everything_has_a_name_and_can_be_reached(tab: Page) -> None:
    unnamed = tab.evaluate("""[...document.querySelectorAll('button, input, select, canvas, ol')].filter((one) =>
        !(one.ariaLabel || one.labels?.length || one.textContent.trim())).map((one) => one.outerHTML)""")
    assert unnamed == []
    reached = set()
    tab.locator("h1").click()
    for _ in range(50):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.dataset.button"))
    tab.locator("#wire").press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("#wire details[open] pre")).to_contain_text("{")
    assert {*BUTTONS, "power", "wifi", "link", "filled", "record", "sound", "timeline", "line"} <= reached


def test_colours_can_be_read(tab: Page) -> None:
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        colours = tab.evaluate("""() => { const style = getComputedStyle(document.documentElement);
            const names = 'card paper soft ink faint accent alarm yes no cant_say seller';
            const value = (name) => style.getPropertyValue('--' + name).trim();
            return Object.fromEntries(names.split(' ').map((name) => [name, value(name)])); }""")
        papers = [colours.pop(name) for name in ("card", "paper", "soft")]
        for name, colour in colours.items():
            for paper in papers if name in {"ink", "faint"} else papers[:1]:
                assert contrast(colour, paper) >= 4.5, f"{scheme}: {name} on {paper}"


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted([luminance(one), luminance(other)])
    return (bright + 0.05) / (dark + 0.05)


def test_nothing_jumps(tab: Page) -> None:
    def boxes() -> list[object]:
        return tab.evaluate("""[...document.querySelectorAll('section, button, canvas, input, pre')].map((one) => {
            const box = one.getBoundingClientRect(); return [one.id, box.x, box.y, box.width, box.height]; })""")

    before = boxes()
    tab.locator("#record").click()
    dome(tab, "seller").click(delay=60)
    lit(tab, "no")
    dome(tab, "no").click(delay=60)
    expect(newest(tab, "rows")).to_contain_text("no answered")
    tab.locator("#wifi").click()
    expect(tab.locator("#wifi")).to_have_attribute("aria-checked", "false")
    expect(tab.locator("#blinks")).to_contain_text("1 blink: no session with the broker", timeout=40_000)
    expect(tab.locator("#events")).to_contain_text("survey closed no")
    tab.locator("#wifi").click()
    expect(tab.locator("#blinks")).to_contain_text("No blinks", timeout=40_000)
    tab.locator("#record").click()
    expect(tab.locator("#recorded a")).to_be_visible()
    assert boxes() == before


@pytest.mark.parametrize("width", [320, 375, 844, 900])
def test_it_fits_on_a_phone(browser: Browser, tab: Page, address: str, width: int) -> None:
    phone = browser.new_context(viewport={"width": width, "height": 390}, has_touch=True, is_mobile=True, locale="ru")
    hand = opened(phone, address, [])
    assert hand.evaluate("document.documentElement.scrollWidth") == width
    sizes = [box["width"] for box in (dome(hand, button).bounding_box() for button in BUTTONS[:3]) if box]
    assert max(sizes) - min(sizes) < 1
    cut = hand.evaluate("""[...document.querySelectorAll('button, h2, .dome b')].filter((one) =>
        one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML)""")
    assert cut == []
    outside = hand.evaluate("""[...document.querySelectorAll('main button, main input, main select')].filter((one) => {
        const box = one.getBoundingClientRect(), around = one.closest('section').getBoundingClientRect();
        return box.left < around.left || box.right > around.right; }).map((one) => one.outerHTML)""")
    assert outside == []
    phone.close()


def test_nothing_comes_from_elsewhere(context: BrowserContext, address: str) -> None:
    asked: list[str] = []
    tab = context.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(address)
    ready(tab)
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith(address)] == []


def test_no_other_site_can_drive_it(tab: Page, address: str) -> None:
    socket = address.replace("http", "ws") + "bench"
    for origin in ("http://evil.example", "null", None):
        with pytest.raises(InvalidStatus):
            connect(socket, origin=origin)
    with connect(socket, origin=address.rstrip("/")) as own:
        assert json.loads(own.recv())["kind"] == "hello"
    with pytest.raises(OSError, match="400"):
        urlopen(Request(address, headers={"Host": "evil.example"}))  # noqa: S310 - our own server
    evil = tab.context.new_page()
    evil.route("http://evil.example/", lambda route: route.fulfill(body="<p>evil", content_type="text/html"))
    evil.goto("http://evil.example/")
    with pytest.raises(Error, match="fetch"):
        evil.evaluate(f"fetch('{address}')")
    evil.close()


def test_a_question_is_shown_in_its_language(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(locale="de")
    with page(tmp_path) as (address, _):
        tab = opened(context, address, [])
        languages = tab.locator("#language option")
        expect(languages).to_have_text(["English", "Русский", "Български"])
        expect(tab.locator("#question")).to_have_attribute("lang", "en")
        words = ["question", "set", "near", "--kind", "office", "--text", "ar=هل أنت راض؟"]
        subprocess.run([TRIVOX, *words, "--database", str(tmp_path / "trivox.db")], check=True, timeout=60)
        do(tab, "settings question_id=near")
        expect(tab.locator("#question")).to_have_text("هل أنت راض؟")
        assert tab.locator("#question").evaluate("(one) => getComputedStyle(one).direction") == "rtl"
        expect(tab.locator("#language")).to_be_hidden()
        expect(tab.locator("#asks")).to_have_value("near")
        expect(dome(tab, "yes")).to_have_text("Yes")
    context.close()


def test_the_page_says_when_the_bench_is_gone_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    with page(tmp_path) as (address, program):
        tab = context.new_page()
        tab.goto(address)
        ready(tab)
        program.terminate()
        expect(tab.locator("#notice")).to_contain_text("The bench has ended")
        assert program.wait(30) == 0
    with page(tmp_path, "--port", address.rsplit(":")[-1].rstrip("/")):
        expect(tab.locator("#notice")).to_be_hidden()
        ready(tab)
    context.close()


def test_one_folder_one_bench(tmp_path: Path) -> None:
    with page(tmp_path):
        done = headless("state\n", "--folder", str(tmp_path))
        assert done.returncode == 1
        assert f"Another `trivox simulate` uses {tmp_path}" in done.stderr
