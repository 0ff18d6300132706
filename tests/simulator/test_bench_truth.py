"""What the bench's page says is true: without power, network, broker, running firmware, or the bench itself."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from simulator.programs import Broker
from tests.simulator.bench_program import page
from tests.simulator.bench_tab import close_others, do, dome, lit, newest, opened, ready

NO_FIGURE = "\N{EN DASH}"
NOT_HEARD = "No blinks yet, but the broker hears nothing from the console."
WELL = "No blinks: the console reports no trouble."


@dataclass
class OpenBench:
    """A bench at a broker of its own, and a tab of it."""

    program: Popen[str]
    broker: Broker
    tab: Page


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Popen[str], Broker]]:
    folder = tmp_path_factory.mktemp("bench")
    broker = Broker(folder)
    broker.start()
    try:
        with page(folder, "--broker", broker.url) as (address, program):
            yield address, program, broker
    finally:
        broker.stop()


@pytest.fixture
def bench(context: BrowserContext, running: tuple[str, Popen[str], Broker]) -> Iterator[OpenBench]:
    address, program, broker = running
    errors: list[str] = []
    tab = opened(context, address, errors)
    close_others(context, tab)
    expect(tab.locator("#blinks")).to_have_text(WELL)
    yield OpenBench(program, broker, tab)
    ready(tab)
    expect(tab.locator("#blinks")).to_have_text(WELL)
    assert errors == []


def figure(tab: Page, name: str, *, known: bool) -> None:
    expect(tab.locator(f"#{name}")).to_have_text(re.compile(r"^\d") if known else NO_FIGURE)


def test_without_power_nothing_is_reported(bench: OpenBench) -> None:
    tab = bench.tab
    for name in ("heap", "lag", "erases"):
        figure(tab, name, known=True)
    tab.locator("#power").click()
    expect(tab.locator("#blinks")).to_have_text(re.compile("^No power: the lamp can.t report anything.$"))
    expect(tab.locator("#status")).to_have_text("offline")
    for name in ("heap", "lag"):
        figure(tab, name, known=False)
    tab.locator("#power").click()
    figure(tab, "heap", known=True)


def test_while_the_console_is_not_heard_the_page_says_so(bench: OpenBench) -> None:
    tab, note = bench.tab, bench.tab.locator("#question-note")
    tab.locator("#wifi").click()
    expect(tab.locator("#blinks")).to_have_text(NOT_HEARD)
    figure(tab, "lag", known=False)
    do(tab, "settings survey_window_ms=9000")
    expect(note).to_have_text(re.compile(r"Sent as revision \d+; the console still uses"))
    tab.locator("#wifi").click()
    expect(note).to_be_empty()


def test_while_the_broker_is_away_its_word_does_not_count(bench: OpenBench) -> None:
    bench.broker.stop()
    expect(bench.tab.locator("#status")).to_have_text(re.compile("^can.t be reached$"))
    expect(bench.tab.locator("#blinks")).to_have_text(re.compile("^No blinks, but the bench can.t reach the broker.$"))
    figure(bench.tab, "lag", known=False)
    expect(do(bench.tab, "state")).to_contain_text("status   unknown, the broker can't be heard")
    bench.broker.start()


def test_firmware_that_has_ended_is_not_well(bench: OpenBench) -> None:
    tab = bench.tab
    dome(tab, "seller").click(delay=60)
    lit(tab, "yes")
    os.kill(console_pid(bench.program), signal.SIGKILL)
    for _ in range(2):
        expect(tab.locator("#notice")).to_contain_text("The firmware broke a rule of its board")
        expect(tab.locator("#blinks")).to_contain_text("the lamp means nothing")
        expect(tab.locator("#outbox-from")).to_have_text("in flash, the firmware has ended")
        figure(tab, "heap", known=False)
        lit(tab, "yes", on=False)
        tab.reload()  # a late tab knows it too
    for on in ("false", "true"):
        tab.locator("#power").click()
        expect(tab.locator("#power")).to_have_attribute("aria-checked", on)
    expect(tab.locator("#notice")).to_be_hidden()


def console_pid(program: Popen[str]) -> int:
    """Return the process of the bench's MicroPython."""
    children = Path(f"/proc/{program.pid}/task").glob("*/children")
    pids = [pid for file in children for pid in file.read_text().split()]
    [pid] = [pid for pid in pids if "micropython" in Path(f"/proc/{pid}/cmdline").read_text()]
    return int(pid)


def test_a_bench_that_does_not_answer_is_not_shown_as_live(bench: OpenBench) -> None:
    tab = bench.tab
    figure(tab, "heap", known=True)
    bench.program.send_signal(signal.SIGSTOP)
    try:
        expect(tab.locator("#notice")).to_contain_text(
            re.compile(r"does not answer\. What you see is of \d\d:\d\d:\d\d\.")
        )
        expect(tab.locator("#status")).to_have_text("no bench")
        assert tab.evaluate("document.querySelector('main').inert")
        for name in ("heap", "lag", "erases"):
            figure(tab, name, known=False)
        stands = tab.locator("#timeline").evaluate("""async (canvas) => { const before = canvas.toDataURL();
            for (let frames = 0; frames < 30; frames++) await new Promise(requestAnimationFrame);
            return canvas.toDataURL() === before; }""")
        assert stands
    finally:
        bench.program.send_signal(signal.SIGCONT)
    expect(tab.locator("#notice")).to_be_hidden()


def test_times_of_day_have_one_format_and_a_zone(bench: OpenBench) -> None:
    tab = bench.tab
    dome(tab, "no").click(delay=60)
    expect(newest(tab, "events")).to_contain_text("stray pressed no")
    times = tab.locator(".stage time").evaluate_all("""(all) => all.map((one) =>
        [one.textContent, new Date(one.dateTime).toLocaleTimeString('en-GB') + '.' + one.dateTime.slice(-4, -1)])""")
    assert len(times) > 5
    assert [shown for shown, meant in times if shown != meant] == []
    tab.locator("#timeline").hover(position={"x": 300, "y": 100})
    expect(tab.locator("#pointed")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"))
    expect(tab.locator("#zone")).to_have_text(re.compile(r"^Times of day: (UTC|\w+/\w+, UTC[^0-9]\d\d:\d\d)\.$"))
