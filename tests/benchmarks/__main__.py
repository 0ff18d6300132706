"""Run the benchmarks and print each figure with its limit; exit status 1 if a limit is missed.

A benchmark is a module here with a function `figures()` that yields `Figure`s.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figure import Figure

HELPERS = {"__main__", "figure"}


def names() -> list[str]:
    """Return the names of all benchmarks."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return sorted(name for name in found - HELPERS if not name.startswith("_"))


def table(figures: list[Figure]) -> Table:
    """Return the figures as a table for the terminal."""
    shown = Table(title="Trivox benchmarks", title_justify="left")
    for heading in ("figure", "measured", "limit", "reached", "note"):
        shown.add_column(heading, justify="right" if heading in {"measured", "limit"} else "left", overflow="fold")
    for figure in figures:
        sign = "≤" if figure.at_most else "≥"
        shown.add_row(
            figure.name,
            f"{figure.value:,.4g} {figure.unit}".strip(),
            f"{sign} {figure.limit:,.4g} {figure.unit}".strip(),
            "yes" if figure.reached else "[bold red]no",
            figure.note,
        )
    return shown


def main(wanted: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit status."""
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        sys.stderr.write(f"bench: there is no benchmark {', '.join(unknown)}: choose from {', '.join(names())}\n")
        return 2
    screen = Console()
    figures: list[Figure] = []
    for name in wanted or names():
        screen.print(f"[dim]measuring {name} …")
        for figure in importlib.import_module(f"tests.benchmarks.{name}").figures():
            figures.append(figure)
            screen.print(f"  {figure.name}: {figure.value:,.4g} {figure.unit}")
    screen.print(table(figures))
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
