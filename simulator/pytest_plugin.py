"""Fixtures for a shop's own tests; pytest finds them wherever trivox is installed (README.md, "In your own tests").

Nothing is imported or started before a test asks for it.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.console.console import Console
    from simulator.programs import Bridge, Broker

KINDS = ("auto", "mosquitto", "embedded")

_SHOWN = pytest.StashKey[list[tuple[str, Callable[[], str]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.getgroup("trivox").addoption(
        "--trivox-broker",
        choices=KINDS,
        default="auto",
        help="The broker of trivox_broker: mosquitto, embedded, or auto (mosquitto if it is installed).",
    )


@pytest.hookimpl(hookwrapper=True)  # the older kind of wrapper, so that older pytests take it too
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show what consoles, bridge and broker said below a test that failed."""
    report = (yield).get_result()
    if report.failed:
        report.sections += [(title, text()) for title, text in item.stash.get(_SHOWN, [])]


@pytest.fixture
def trivox_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the other fixtures of this test keep their files."""
    return tmp_path_factory.mktemp("trivox")


@pytest.fixture
def trivox_broker(request: pytest.FixtureRequest, trivox_folder: Path) -> "Iterator[Broker]":
    """A broker on a free port of 127.0.0.1: `.url`, `.host`, `.port`; `.stop()` and `.start()` for an outage."""
    from simulator.programs import Broker  # noqa: PLC0415 - only who asks for it pays

    with _plainly():
        broker = Broker(trivox_folder, request.config.getoption("--trivox-broker"))
        _show(request, f"trivox {broker.kind} broker", broker.output)
        broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def trivox_bridge(request: pytest.FixtureRequest, trivox_folder: Path, trivox_broker: "Broker") -> "Iterator[Bridge]":
    """The bridge at that broker, on a database of its own: `.surveys()`, `.report()`, `.wait_for(…)` and more."""
    from simulator.programs import Bridge  # noqa: PLC0415 - only who asks for it pays

    bridge = Bridge(trivox_folder, trivox_broker)
    _show(request, "trivox bridge", bridge.output)
    with _plainly():
        bridge.start()
    yield bridge
    bridge.stop()


@pytest.fixture
def trivox_console(
    request: pytest.FixtureRequest, trivox_folder: Path, trivox_broker: "Broker"
) -> "Iterator[Callable[..., Console]]":
    """Makes consoles at that broker: `trivox_console("shop/till-1", board="pico_w")`, with what `Console` takes.

    They are on when they are given, and off at the test's end; a rule of the board that the firmware broke fails it.
    """
    consoles: list[Console] = []

    def make(name: str = "shop/till-1", **options: Any) -> "Console":
        with _plainly():
            console = _console(trivox_folder, name, {"broker": trivox_broker.url} | options)
            consoles.append(console)
            _show(request, f"trivox console {name}, serial output", console.output)
            console.power_on()
        return console

    yield make
    for console in consoles:
        console.power_off()
    with _plainly():
        for console in consoles:
            console.check()


def _console(folder: Path, name: str, options: dict[str, Any]) -> "Console":
    from simulator import Console, ConsoleError  # noqa: PLC0415 - only who asks for it pays

    site_id, slash, console_id = name.partition("/")
    if not slash:
        raise ConsoleError(f"{name} is no console; write SITE/CONSOLE, such as shop/till-1.")
    home = folder / "consoles" / site_id / console_id
    if home.exists():
        raise ConsoleError(f"This test has a console {name} already; power that one off and on, or take another name.")
    return Console(home, site_id=site_id, console_id=console_id, **options)


def _show(request: pytest.FixtureRequest, title: str, text: Callable[[], str]) -> None:
    request.node.stash.setdefault(_SHOWN, []).append((title, text))


@contextmanager
def _plainly() -> Iterator[None]:
    """Fail the test by the one sentence of our own errors, without the lines of code around it."""
    from simulator.errors import SimulatorError  # noqa: PLC0415 - only who asks for it pays

    try:
        yield
    except SimulatorError as error:
        pytest.fail(str(error), pytrace=False)
