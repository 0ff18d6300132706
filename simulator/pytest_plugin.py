"""Provide pytest fixtures for your own tests; pytest finds them wherever trivox is installed.

See README.md, "In your own tests". Nothing is imported or started before a test asks for it.
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

_SECTIONS = pytest.StashKey[list[tuple[str, Callable[[], str]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses the broker."""
    parser.getgroup("trivox").addoption(
        "--trivox-broker",
        choices=KINDS,
        default="auto",
        help="The broker that trivox_broker starts: mosquitto, embedded, or auto (mosquitto if it is installed).",
    )


@pytest.hookimpl(hookwrapper=True)  # the older kind of wrapper, which older versions of pytest accept too
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show the output of consoles, bridge and broker below a failed test."""
    report = (yield).get_result()
    if report.failed:
        report.sections += [(title, text()) for title, text in item.stash.get(_SECTIONS, [])]


@pytest.fixture
def trivox_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where this test's other fixtures keep their files."""
    return tmp_path_factory.mktemp("trivox")


@pytest.fixture
def trivox_broker(request: pytest.FixtureRequest, trivox_folder: Path) -> "Iterator[Broker]":
    """A broker on a free port of 127.0.0.1: `.url`, `.host`, `.port`; `.stop()` and `.start()` make an outage."""
    from simulator.programs import Broker  # noqa: PLC0415 - imported only when it is needed

    with _fail_plainly():
        broker = Broker(trivox_folder, request.config.getoption("--trivox-broker"))
        _show(request, f"trivox {broker.kind} broker", broker.output)
        broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def trivox_bridge(request: pytest.FixtureRequest, trivox_folder: Path, trivox_broker: "Broker") -> "Iterator[Bridge]":
    """A bridge at that broker, with its own database: `.surveys()`, `.report()`, `.wait_for(…)` and more."""
    from simulator.programs import Bridge  # noqa: PLC0415 - imported only when it is needed

    bridge = Bridge(trivox_folder, trivox_broker)
    _show(request, "trivox bridge", bridge.output)
    with _fail_plainly():
        bridge.start()
    yield bridge
    bridge.stop()


@pytest.fixture
def trivox_console(
    request: pytest.FixtureRequest, trivox_folder: Path, trivox_broker: "Broker"
) -> "Iterator[Callable[..., Console]]":
    """A function that makes consoles at that broker: `trivox_console("shop/till-1", board="pico_w")`.

    It takes the arguments of `Console`. The consoles are switched on at once, and off at the end of the test. The test
    fails if the firmware broke a rule of its board.
    """
    consoles: list[Console] = []

    def make(name: str = "shop/till-1", **options: Any) -> "Console":
        with _fail_plainly():
            console = _console(trivox_folder, name, {"broker": trivox_broker.url} | options)
            consoles.append(console)
            _show(request, f"trivox console {name}, serial output", console.output)
            console.power_on()
        return console

    yield make
    for console in consoles:
        console.power_off()
    with _fail_plainly():
        for console in consoles:
            console.check()


def _console(folder: Path, name: str, options: dict[str, Any]) -> "Console":
    from simulator import Console, ConsoleError  # noqa: PLC0415 - imported only when it is needed

    site_id, slash, console_id = name.partition("/")
    if not slash:
        raise ConsoleError(f"{name} is not a console's name: use SITE/CONSOLE, such as shop/till-1.")
    console_folder = folder / "consoles" / site_id / console_id
    if console_folder.exists():
        raise ConsoleError(f"This test already has a console {name}: switch that one off and on, or use another name.")
    return Console(console_folder, site_id=site_id, console_id=console_id, **options)


def _show(request: pytest.FixtureRequest, title: str, text: Callable[[], str]) -> None:
    request.node.stash.setdefault(_SECTIONS, []).append((title, text))


@contextmanager
def _fail_plainly() -> Iterator[None]:
    """Fail the test with the sentence of a SimulatorError, without the lines of code around it."""
    from simulator.errors import SimulatorError  # noqa: PLC0415 - imported only when it is needed

    try:
        yield
    except SimulatorError as error:
        pytest.fail(str(error), pytrace=False)
