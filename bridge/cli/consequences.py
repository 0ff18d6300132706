"""Say what a command has changed beside what it was told: what it replaced, and the surveys that follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.cli.output import print_line
from bridge.text import plural

if TYPE_CHECKING:
    from typing import Any

MOVES = {  # one survey, and several
    "seller_id": ("survey now belongs to another seller", "surveys now belong to other sellers"),
    "checkout_point_id": (
        "survey now belongs to another checkout point",
        "surveys now belong to other checkout points",
    ),
    "day": ("survey now lies on another day", "surveys now lie on other days"),
    "hour": ("survey now lies in another hour", "surveys now lie in other hours"),
    "affected": (
        "survey is now affected by force majeure, or no longer",
        "surveys are now affected by force majeure, or no longer",
    ),
}


def told_losses(lost: dict[str, int], *more: str) -> str:
    """Return the end of a sentence: what was removed along with a thing, such as `, and with it 7 shifts`."""
    counted = [plural(number, thing) for thing, number in lost.items() if number]
    *first, last = [*counted, *more] or [""]
    told = f"{', '.join(first)} and {last}" if first else last
    return f", and {'with it ' if counted else ''}{told}" if told else ""


def print_consequences(result: dict[str, Any], thing: str = "") -> None:
    """Print a line, if there is anything to say; `thing` names what the command sets."""
    parts = [f"{plural(result['replaced'], thing)} replaced"] if result.get("replaced") else []
    if result.get("renamed"):
        parts.append(f"{plural(result['renamed'], 'seller')} renamed, in reports of the time past too")
    for name, count in result.get("moved", {}).items():
        one, several = MOVES[name]
        parts.append(f"1 {one}" if count == 1 else f"{count:,} {several}")
    if result.get("corrects"):
        parts.append("reports of the time past now say that this was corrected")
    if parts:
        told = ", ".join(parts)
        print_line(f"{told[0].upper()}{told[1:]}: see `trivox history`.")
