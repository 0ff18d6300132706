"""The bench's page, driven in a real browser: fingers, keys, tabs, switches, and who has access."""

import json
import re
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.simulator.bench_program import headless, page
from tests.simulator.bench_tab import do, dome, held, lit, newest, opened, ready
from tests.support.programs import wait_until


def test_a_press_passes_all_stages(tab: Page) -> None:
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


def test_keys_press_and_hold_and_do_not_repeat(tab: Page) -> None:
    closed = tab.locator("#pins li", has_text="Seller contact closed")
    before = closed.count()
    tab.keyboard.down("s")
    held(tab, "seller")
    tab.keyboard.down("s")  # a keyboard repeats a key while it is held
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


def test_a_button_held_in_two_tabs_is_released_with_the_last(context: BrowserContext, tab: Page, address: str) -> None:
    other = opened(context, address, [])
    for one in (tab, other):
        one.keyboard.down("c")
        held(one, "cant_say")
    tab.keyboard.up("c")
    expect(do(tab, "state")).to_contain_text("outbox")  # answered after that
    held(tab, "cant_say")
    other.keyboard.up("c")
    held(tab, "cant_say", down=False)
    other.close()


def test_a_touch_that_arrives_with_its_release_lasts_as_long_as_the_finger(
    context: BrowserContext, tab: Page, address: str
) -> None:
    late = context.new_page()
    late.add_init_script("""
        const send = WebSocket.prototype.send, kept = [];
        WebSocket.prototype.send = function (line) {
          kept.push(line);
          if (!line.startsWith("hold")) for (const each of kept.splice(0)) send.call(this, each);
        };
    """)
    late.goto(address)
    ready(late)
    for button in ("seller", "no"):
        dome(late, button).click(delay=100)
        lit(tab, "no", on=button == "seller")
    expect(newest(tab, "rows")).to_contain_text("no answered")
    late.close()


def test_a_window_that_loses_focus_releases_its_buttons(tab: Page) -> None:
    tab.keyboard.down("c")
    held(tab, "cant_say")
    tab.evaluate("dispatchEvent(new Event('blur'))")
    held(tab, "cant_say", down=False)
    tab.keyboard.up("c")


def test_a_tab_that_closes_releases_its_buttons(context: BrowserContext, tab: Page, address: str) -> None:
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


def test_without_wifi_events_show_in_flash_and_later_as_sent(tab: Page) -> None:
    waits, chip = tab.locator("#outbox-range"), tab.locator("#outbox-numbers .chip").first
    expect(waits).to_have_text(re.compile(r"empty, next \d+"))
    shown = int(waits.inner_text().split()[-1])
    tab.locator("#wifi").click()
    expect(tab.locator("#wifi")).to_have_attribute("aria-checked", "false")
    dome(tab, "seller").click(delay=60)
    lit(tab, "no")

    def survey_shown() -> int:
        found = re.search(r"(\d+) survey opened", newest(tab, "events").inner_text())
        return int(found[1]) if found and int(found[1]) >= shown else 0

    following = wait_until("the survey is shown", survey_shown)
    dome(tab, "no").click(delay=60)
    expect(newest(tab, "events")).to_contain_text(f"{following + 1} survey closed no, answered")
    expect(waits).to_have_text(re.compile(rf"\d+ to {following + 1}: \d+ wait"))
    expect(chip).to_have_text(str(following + 1))
    expect(chip).to_have_class("chip kept")
    expect(do(tab, "state")).to_contain_text(re.compile(rf"\d+ to {following + 1} wait"))
    tab.locator("#power").click()
    expect(tab.locator("#outbox-from")).to_have_text("in flash, without power")
    expect(waits).to_have_text(re.compile(rf"\d+ to {following + 1}: \d+ wait"))
    tab.locator("#power").click()
    expect(waits).to_have_text(re.compile(rf"\d+ to {following + 3}: \d+ wait"))  # booted, settings applied
    tab.locator("#wifi").click()
    expect(waits).to_have_text(re.compile("empty"), timeout=120_000)
    expect(newest(tab, "rows")).to_contain_text("no answered")
    expect(chip).to_have_class("chip acked")


def test_switches_break_and_repair(tab: Page) -> None:
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
    expect(do(tab, "expect online within 30s")).to_have_text("done\n")


def test_a_typed_line_is_answered(tab: Page) -> None:
    expect(do(tab, "help")).to_contain_text("press BUTTON [TIME]")
    dome(tab, "no").click(delay=60)
    expect(newest(tab, "events")).to_contain_text("stray pressed no")
    expect(do(tab, "expect event stray_pressed button=no")).to_have_text("done\n")


def test_a_wrong_line_is_shown_with_what_is_wrong(context: BrowserContext, tab: Page, address: str) -> None:
    other = opened(context, address, [])
    wrong = {
        "dance": "There is no command dance; `help` lists them.",
        "press maybe": "There is no button maybe; choose one of yes, no, cant_say, seller.",
        "press 'yes": "This line can't be read (No closing quotation): write quotation marks in pairs",
        "<img src=x onerror=alert(1)>": "There is no command <img; `help` lists them.",
        "expect lamp yes on within 5weeks": "5weeks is not a time",
        "z" * 999: f"There is no command {'z' * 100}…; `help` lists them.",
    }
    for line, sentence in wrong.items():
        answer = do(tab, line)
        expect(answer).to_contain_text(sentence)
        expect(answer).to_have_class("error")
    tab.locator("#line").fill("x" * 2001)
    tab.locator("#line").press("Enter")
    expect(tab.locator("#lines .error").last).to_have_text("This line has 2001 characters; write at most 2000.\n")
    assert tab.locator("#lines img").count() == 0
    expect(other.locator("#lines")).to_have_text(tab.locator("#lines").inner_text())  # all tabs show one bench
    other.close()


def test_a_click_that_fails_says_so_beside_it(tab: Page) -> None:
    tab.locator("#power").click()
    expect(tab.locator("#power")).to_have_attribute("aria-checked", "false")
    tab.get_by_role("button", name="+1 h").click()
    expect(tab.locator("#refused")).to_have_text("The console bench/till-1 is not powered: switch it on.")
    tab.locator("#power").click()
    expect(tab.locator("#refused")).to_be_empty()
    ready(tab)


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

    def is_held() -> bool:
        tab.keyboard.press("Home")
        return live.get_attribute("aria-pressed") == "false"

    wait_until("there is more to see than fits", is_held)
    expect(canvas).to_have_attribute("data-live", "false")
    still = canvas.evaluate("(canvas) => canvas.toDataURL()")
    dome(tab, "yes").click(delay=60)
    expect(newest(tab, "events")).to_contain_text("stray")
    assert canvas.evaluate("(canvas) => canvas.toDataURL()") == still
    canvas.focus()
    tab.keyboard.press("End")
    expect(live).to_have_attribute("aria-pressed", "true")


def test_the_page_loads_nothing_from_other_hosts(context: BrowserContext, address: str) -> None:
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


def test_the_page_says_when_the_bench_has_ended_and_reconnects(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    with page(tmp_path) as (address, program):
        tab = context.new_page()
        tab.goto(address)
        ready(tab)
        program.terminate()
        expect(tab.locator("#notice")).to_contain_text("The bench has ended")
        assert program.wait(120) == 0
    with page(tmp_path, "--port", address.rsplit(":")[-1].rstrip("/")):
        expect(tab.locator("#notice")).to_be_hidden()
        ready(tab)
    context.close()


def test_one_folder_one_bench(tmp_path: Path) -> None:
    with page(tmp_path):
        done = headless("state\n", "--folder", str(tmp_path))
        assert done.returncode == 1
        assert f"Another `trivox simulate` uses {tmp_path}" in done.stderr
