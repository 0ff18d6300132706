"""Open the bench's page in a real browser, and find its parts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.simulator.bench_program import page

CHROMIUM = "/usr/bin/chromium"
SLOW_MS = 60_000  # the machine may be busy with other tests
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


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give what tabs share; a test's last one stays open until the next opens its own, in the same process."""
    expect.set_options(timeout=SLOW_MS)
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en")
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext, address: str) -> Iterator[Page]:
    errors: list[str] = []
    tab = opened(context, address, errors)
    close_others(context, tab)
    yield tab
    tab.evaluate("localStorage.clear()")
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


def close_others(context: BrowserContext, tab: Page) -> None:
    for other in context.pages:
        if other != tab:
            other.close()


def ready(tab: Page) -> None:
    expect(tab.locator("body")).to_have_attribute("data-ready", "true")
    expect(tab.locator("#status")).to_have_text("online")
    expect(tab.locator("#power")).to_have_attribute("aria-checked", "true")
    for button in BUTTONS:  # so that no survey of an earlier test, nor its thanks, is left
        expect(dome(tab, button)).to_have_attribute("data-lit", "false", timeout=120_000)


def dome(tab: Page, button: str) -> Locator:
    return tab.locator(f".dome[data-button={button}]")


def lit(tab: Page, button: str, *, on: bool = True) -> None:
    expect(dome(tab, button)).to_have_attribute("data-lit", str(on).lower())


def held(tab: Page, button: str, *, down: bool = True) -> None:
    expect(dome(tab, button)).to_have_attribute("data-held", str(down).lower())


def newest(tab: Page, stage: str) -> Locator:
    return tab.locator(f"#{stage} li").first


def do(tab: Page, line: str) -> Locator:
    """Type a line; return where its answer comes, once it has begun."""
    echoes = tab.locator("#lines .typed")
    before = echoes.count()
    tab.locator("#line").fill(line)
    tab.locator("#line").press("Enter")
    expect(echoes).to_have_count(before + 1)
    expect(echoes.last).to_have_text(f"> {line}\n")
    return tab.locator("#lines .answer, #lines .error").nth(before)
