"""Print what a command has to say: lines for people, documents for programs, drawings for terminals."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bridge.data_formats import json_in, to_json
from bridge.safe_stream import below, displayed, encoding_of
from bridge.text import escaped, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

MADE_SHOWN = 20


def print_line(text: str) -> None:
    """Print one line, whatever the text holds."""
    sys.stdout.write(f"{escaped(text)}\n")


def print_error(sentence: str, lines: Sequence[str] = ()) -> None:
    """Print an error to standard error: one line, and one for each wrong line of a file."""
    warn(sentence)
    for line in lines:
        sys.stderr.write(f"{escaped(line)}\n")


def print_usage(text: str) -> None:
    """Print the help of a command that was given without words to standard error."""
    sys.stderr.write(f"{text}\n")


def warn(sentence: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(f"trivox: {escaped(sentence)}\n")


def print_json(text: str) -> None:
    """Print JSON of bridge/data_formats.py; it stays JSON on a terminal that lacks some of its letters."""
    sys.stdout.write(json_in(text, encoding_of(sys.stdout)))


def print_csv(text: str) -> None:
    """Print CSV of bridge/data_formats.py."""
    sys.stdout.write(text)


def print_drawing(text: str) -> None:
    """Print what a `RichTerminal` drew."""
    sys.stdout.flush()
    below(sys.stdout).write(text)


def print_made(result: dict[str, Any]) -> None:
    """Say which sites, consoles and checkout points a command has made."""
    made = result["made"]
    for name in made[:MADE_SHOWN]:
        print_line(f"Made {name}.")
    if len(made) > MADE_SHOWN:
        print_line(f"Made {len(made) - MADE_SHOWN} more.")


def print_rows(rows: list[dict[str, Any]], empty: str, *, as_json: bool) -> None:
    """Print rows with the same keys as a table, or as a JSON list of objects; `empty` is what to say of none."""
    if as_json:
        print_json(to_json(rows, indent=1) + "\n")
        return
    if not rows:
        print_line(empty)
        return
    print_aligned([list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)])


def print_aligned(lines: list[list[str]]) -> None:
    """Print lines of as many cells each, in columns."""
    from rich.cells import cell_len  # noqa: PLC0415 - programs and errors are served faster without it

    lines = [[displayed(cell) for cell in line] for line in lines]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        print_line("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    return "-" if value is None else printable(str(value))
