"""Define what the commands of audits share: options, output in three formats, and who the expert is."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.admin.audits import expert_of
from bridge.admin.known_names import KnownNames
from bridge.cli.output import print_csv, print_drawing, print_json, print_line, warn
from bridge.data_formats import to_csv, to_json
from bridge.errors import UsageError
from bridge.os_user import current_user
from bridge.reports.full_screen import size_of
from bridge.reports.grid import Column, lay_out
from bridge.safe_stream import displayed
from bridge.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.store import Store

    Rows = Sequence[dict[str, Any]]

audit_app = typer.Typer(help="Draw surveys, and check on video that they are genuine.", no_args_is_help=True)

By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="The expert, where several share a login. [default: who runs this]"),
]
OnlySite = Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be repeated.", metavar="ID")]
AuditId = Annotated[int, typer.Argument(metavar="ID", help="The audit's number, as `trivox audit list` shows it.")]


class RowFormat(StrEnum):
    """The output formats of lists and reports."""

    table = "table"
    json = "json"
    csv = "csv"


Format = Annotated[RowFormat, typer.Option("--format", help="The output format.")]


def the_expert(by: str | None) -> str:
    """Return the expert for whom a command runs. Raises UsageError."""
    return expert_of(current_user(), by)


def check_sites(store: Store, sites: Sequence[str] | None) -> tuple[str, ...]:
    """Return the sites that were named; none: all. Raises UsageError for one that is not known."""
    names = KnownNames(store)
    for site_id in sites or ():
        names.check_site(site_id)
    return tuple(sites or ())


def place_of(text: str, point: str | None) -> tuple[str, str]:
    """Read a checkout point, as SITE/POINT or as two words: (site_id, checkout_point_id). Raises UsageError."""
    site_id, slash, after = text.partition("/")
    if point is not None and not slash:
        return text, point.strip()
    if point is not None or not slash or not site_id or not after.strip():
        raise UsageError(f"{text!r} is not a checkout point: give SITE/CHECKOUT_POINT.")
    return site_id, after.strip()


def print_in(
    output: RowFormat, rows: Rows, columns: Callable[[Rows], list[Column]], empty: str, notes: Sequence[str] = ()
) -> None:
    """Print rows in a format; a table has `columns`, and `notes` below it; `empty` is what to say of no rows."""
    if output is RowFormat.json:
        print_json(to_json(list(rows), indent=1) + "\n")
    elif output is RowFormat.csv:
        flat = [_flat(row) for row in rows]
        names = list(dict.fromkeys(name for row in flat for name in row))
        print_csv(to_csv([names, *([row.get(name) for name in names] for row in flat)]))
    if not rows:
        print_line(empty) if output is RowFormat.table else warn(empty)
    elif output is RowFormat.table:
        _print_table(columns(rows), notes)


def _print_table(columns: list[Column], notes: Sequence[str]) -> None:
    is_terminal = sys.stdout.isatty()
    grid = lay_out(columns, size_of(sys.stdout).columns if is_terminal else None)
    bold = is_terminal and "NO_COLOR" not in os.environ
    heading = [f"\x1b[1m{line}\x1b[0m" if bold else line for line in grid.heading]
    print_drawing("\n".join([*heading, *grid.lines]) + "\n")
    for note in notes:
        print_line(note)
    if grid.omitted:
        print_line(f"No room for: {', '.join(grid.omitted)}. `--format csv` has all.")


def text_column(heading: str, rows: Rows, name: str, rank: int = 0) -> Column:
    """Make a column of names."""
    return Column(heading, [_shown(row.get(name)) for row in rows], rank, figures=False)


def figure_column(heading: str, rows: Rows, name: str, rank: int = 0) -> Column:
    """Make a column of figures."""
    return Column(heading, [_shown(row.get(name)) for row in rows], rank)


def _shown(value: Any) -> str:
    return "-" if value is None else displayed(escaped(str(value)))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with a field for each field of an object in it; lists become texts."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": inner for part, inner in value.items()}
        else:
            flat[name] = "; ".join(map(str, value)) if isinstance(value, list) else value
    return flat
