"""Fixtures around the emulated chip, and the table of figures at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chip.chip_shop import ChipShop, build_image, flash_console, put_in_service
from tests.support.once import once

FIGURE = "figure"  # the name of a report's property that holds a row of the table


@pytest.fixture(scope="session")
def stock_image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of flash once MicroPython was put on a Pico."""
    folder = once(tmp_path_factory, "stock-image", lambda folder: build_image(folder, "stock_manifest.py"))
    return (folder / "firmware.bin").read_bytes()


@pytest.fixture(scope="session")
def flashed(tmp_path_factory: pytest.TempPathFactory, stock_image: bytes) -> Path:
    """A folder with the flash and the database of a console that was flashed, and served for a moment."""

    def make(folder: Path) -> None:
        flash_console(folder, stock_image)
        put_in_service(folder)

    return once(tmp_path_factory, "flashed-chip", make)


@pytest.fixture
def open_shop(tmp_path: Path, flashed: Path) -> Iterator[Callable[..., ChipShop]]:
    """Return a function that opens the shop of a flashed console, whose board is off; more surveys may wait on it."""
    with ExitStack() as stack:
        yield lambda surveys=0: stack.enter_context(ChipShop(tmp_path, flashed, surveys))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Return a function that puts a row, a name and what was measured, into the table at the end of the run."""
    return lambda name, measured: record_property(FIGURE, f"| {name} | {measured} |")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of figures, ready for a README."""
    reports = [r for found in terminalreporter.stats.values() for r in found if getattr(r, "when", "") == "call"]
    rows = [value for report in reports for name, value in report.user_properties if name == FIGURE]
    if rows:
        terminalreporter.section("figures, in the time of an emulated RP2040")
        terminalreporter.write_line("\n".join(["| figure | measured |", "|---|---|", *rows]))
