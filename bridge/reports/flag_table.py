"""Format the rows of `trivox flags`: as a table with sentences below it, or as CSV. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bridge.data_formats import to_csv, to_json
from bridge.model.flags.rules import RULE_OF, CountRule
from bridge.reports.flag_rows import COLUMNS
from bridge.reports.flag_words import percent
from bridge.reports.grid import Column, lay_out
from bridge.text import escaped

if TYPE_CHECKING:
    from bridge.reports.flag_rows import Row

STATES = {"stands": "stands", "flag": "flagged", "watch": "watched", "lapsed": "lapsed", "set_aside": "set aside"}
FOOT = (
    "A watch draws audits and has no other consequence. A flag stands on a person once the same rule flags two of "
    "three months in a row; it lapses after two clean months, with a new version of the rule, or when 30 audited "
    "surveys are all confirmed."
)


def as_text(rows: list[Row], *, width: int | None, bold: bool) -> str:
    """Return the rows as a table that fits the width, and each of them in words."""
    grid = lay_out(
        [
            Column("seller", [row["seller_name"] or row["seller_id"] for row in rows], figures=False),
            Column("seller id", [row["seller_id"] for row in rows], 5, figures=False),
            Column("month", [row["month"] for row in rows], figures=False, whole=True),
            Column("rule", [row["rule"] for row in rows], figures=False, whole=True),
            Column("state", [STATES[row["state"]] for row in rows], figures=False, whole=True),
            Column("since", [row["since"] or "-" for row in rows], 1, figures=False, whole=True),
            Column("cases", [f"{row['x']:,} of {row['n']:,}" for row in rows], 2),
            Column("share", [percent(row["share"]) for row in rows]),
            Column("others", [percent(row["peers_share"]) for row in rows]),
            Column("peers", [str(row["peers"]) for row in rows], 4),
            Column("statistic", [_statistic(row) for row in rows], 3),
        ],
        width,
    )
    lines = [f"\x1b[1m{line}\x1b[0m" if bold else line for line in grid.heading]
    lines += [*grid.lines, ""]
    for text in [*(escaped(row["in_words"]) for row in rows), FOOT]:
        lines += wrap(text, width) if width else [text]
    return "\n".join(lines) + "\n"


def _statistic(row: Row) -> str:
    letter = "p" if isinstance(RULE_OF.get(row["rule"]), CountRule) else "Z"
    return f"{letter} {row['statistic']:.2g}"


def as_csv(rows: list[Row]) -> str:
    """Return the rows as CSV; what is a list or an object is JSON in its cell."""
    return to_csv([COLUMNS, *([_cell(row[name]) for name in COLUMNS] for row in rows)])


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return to_json(value) if isinstance(value, list | dict) else value
