"""Measure the time from a click on the bench's page to the lamp on the page, in a real browser."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.figure import Figure
from tests.simulator.bench_program import page

CHROMIUM = "/usr/bin/chromium"
PRESSES = 60
HELD_MS = 60
LAMP_MS_MAX = 50
FRAMES = """(count) => new Promise((done) => { const frames = []; let last = performance.now();
    const next = (now) => { frames.push(now - last); last = now;
        frames.length < count ? requestAnimationFrame(next) : done(frames); };
    requestAnimationFrame(next); })"""


def figures() -> Iterator[Figure]:
    """Measure from the browser's time of the click until the frame with the lit lamp is painted."""
    with tempfile.TemporaryDirectory() as name, page(Path(name)) as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1360, "height": 900})
        tab.goto(address)
        tab.wait_for_selector("#at-broker[data-state=online]")
        delays = sorted(_delay(tab, number) for number in range(PRESSES))
        frame = statistics.median(tab.evaluate(FRAMES, PRESSES))
        browser.close()
    yield Figure(
        "click on the bench's page to the lamp on the page, median",
        statistics.median(delays),
        "ms",
        LAMP_MS_MAX,
        at_most=True,
        note=f"p95 {delays[len(delays) * 95 // 100]:.0f} ms, {PRESSES} clicks; a frame of the screen: {frame:.1f} ms",
    )


def _delay(tab: Page, number: int) -> float:
    """Press *No* as a stray press, which lights its lamp; wait before that until the lamp is dark."""
    tab.wait_for_selector(".dome[data-button=no][data-lit=false]")
    tab.evaluate("delete document.getElementById('delay').dataset.ms")
    tab.locator(".dome[data-button=no]").click(delay=HELD_MS + number % 13)
    tab.wait_for_selector("#delay[data-ms]")
    return float(tab.locator("#delay").get_attribute("data-ms") or "nan")
