"""Say what an alarm is about in words. Pure."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

RAREST = 1_000_000
USUAL_OF = {
    "hour": "",
    "site_hour": " at the site at this hour",
    "all_hours": " at all hours",
}


def place_of(alarm: Mapping[str, Any]) -> str:
    """Return where an alarm is: `sofia-1, till-3`, or the site alone."""
    return ", ".join(str(alarm[name]) for name in ("site_id", "checkout_point_id") if alarm[name])


def quarter_of(alarm: Mapping[str, Any]) -> str:
    """Return an alarm's quarter of an hour in the site's time: `14:10 to 14:25`."""
    return " to ".join(str(alarm[name])[11:16] for name in ("from_at", "to_at"))


def rarity(chance: float) -> str:
    """Return a chance in words, to two digits: `once in 4,800`."""
    times = 1 / chance if chance > 0 else float("inf")
    if times > RAREST:
        return f"less than once in {RAREST:,}"
    unit = 10 ** max(0, floor(log10(max(1.0, times))) - 1)
    return f"once in {round(times / unit) * unit:,}"


def percent(share: float) -> str:
    """Return a share in percent, of two digits: `12 %`, `2.4 %`."""
    return f"{float(f'{100 * share:.2g}'):g} %"


def found_in(alarm: Mapping[str, Any]) -> str:
    """Return what was found: `4 of 4 answers were no`."""
    verb = "was" if alarm["counted"] == 1 else "were"
    return f"{alarm['counted']} of {plural(alarm['answers'], 'answer')} {verb} {alarm['answer']}"


def sentence_of(alarm: Mapping[str, Any]) -> str:
    """Return an alarm, an object of schema/alarm.json, in a sentence without its full stop."""
    usual = f"usually {percent(alarm['usual_share'])}{USUAL_OF[alarm['usual_of']]}"
    return (
        f"{place_of(alarm)}, {quarter_of(alarm)}: {found_in(alarm)}, {usual}; this comes by chance "
        f"{rarity(alarm['chance'])} such quarters of an hour"
    )
