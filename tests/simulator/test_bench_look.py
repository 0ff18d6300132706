"""The bench's page for the eye, on a phone and for a screen reader, in any language."""

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.simulator.bench_layout import layout_mistakes, small_targets
from tests.simulator.bench_made_up import open_made_up
from tests.simulator.bench_program import page
from tests.simulator.bench_tab import BUTTONS, do, dome, lit, newest, opened
from tests.support.programs import TRIVOX


def test_every_control_has_a_name_and_can_be_reached(tab: Page) -> None:
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
    """Return the contrast as WCAG defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted([luminance(one), luminance(other)])
    return (bright + 0.05) / (dark + 0.05)


def test_nothing_on_the_page_moves(tab: Page) -> None:
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
    expect(tab.locator("#blinks")).to_contain_text("1 blink: no session with the broker", timeout=120_000)
    expect(tab.locator("#events")).to_contain_text("survey closed no")
    tab.locator("#wifi").click()
    expect(tab.locator("#blinks")).to_contain_text("No blinks: the console reports no trouble.", timeout=120_000)
    tab.locator("#record").click()
    expect(tab.locator("#recorded a")).to_be_visible()
    assert boxes() == before


@pytest.mark.parametrize("touch", [False, True])
def test_nothing_is_clipped_or_covered(browser: Browser, address: str, *, touch: bool) -> None:
    context = browser.new_context(has_touch=touch, is_mobile=touch)
    tab = open_made_up(context, address)
    for width in (320, 360, 561, 680, 861, 1080, 1100, 1360, 2560):
        tab.set_viewport_size({"width": width, "height": 640})
        for language in ("de", "ru"):
            tab.locator("#language").select_option(language)
            assert layout_mistakes(tab) == [], f"{width} {language}"
        sizes = [box["width"] for box in (dome(tab, button).bounding_box() for button in BUTTONS[:3]) if box]
        assert max(sizes) - min(sizes) < 1
    context.close()


def test_a_phone_is_told_of_fingers_not_of_keys(browser: Browser, address: str) -> None:
    for touch in (False, True):
        context = browser.new_context(viewport={"width": 360, "height": 640}, has_touch=touch, is_mobile=touch)
        tab = open_made_up(context, address)
        told = re.findall("keys?|arrows?|hover|click|scroll|mouse", tab.locator("body").inner_text(), re.IGNORECASE)
        assert bool(told) is not touch, told
        assert bool(small_targets(tab)) is not touch, small_targets(tab)
        assert tab.locator("[title]").count() == 0  # no finger and no key reaches a tooltip
        context.close()


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
