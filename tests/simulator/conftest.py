"""Fixtures for consoles whose firmware is a few lines, to test the board's stand-in modules one by one."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import Console
from tests.simulator.bench_tab import address, browser, context, tab

__all__ = ["address", "browser", "context", "make", "run", "tab"]

Maker = Callable[..., Console]
Runner = Callable[..., str]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    """Return a function that makes consoles with the given lines as main.py; all are off at the end."""
    consoles: list[Console] = []

    def maker(lines: str, **options: object) -> Console:
        folder = tmp_path / str(len(consoles))
        firmware = folder / "firmware"
        firmware.mkdir(parents=True)
        (firmware / "main.py").write_text(textwrap.dedent(lines))
        console = Console(folder / "console", firmware=firmware, **options)
        consoles.append(console)
        return console

    yield maker
    for console in consoles:
        console.power_off()


@pytest.fixture
def run(make: Maker) -> Runner:
    """Return a function that runs lines on a board and returns their output, or the name of their error."""

    def runner(lines: str, board: str = "unix", **options: object) -> str:
        body = textwrap.indent(textwrap.dedent(lines).strip(), "    ")
        console = make(
            f"try:\n{body}\nexcept Exception as error:\n    print(type(error).__name__)\nprint('-- end')\n",
            board=board,
            **options,
        )
        console.power_on()
        output = console.wait_output("-- end\n")
        console.power_off()
        return output.removesuffix("-- end\n").replace("\r", "").strip()

    return runner
