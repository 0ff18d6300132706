"""The rules of time zones by which days and hours in the database were derived."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.model.zone_rules import Rules
    from bridge.store.connection import Store


def known_rules(store: Store) -> dict[str, Rules | None]:
    """Return the rules of each time zone that sites have; None: not known yet, or not readable."""
    rows = store.all("SELECT DISTINCT timezone, rules FROM site LEFT JOIN zone_rules USING (timezone) ORDER BY 1")
    return {str(timezone): text and _read(text) for timezone, text in rows}


def keep_rules(store: Store, timezone: str, rules: Rules) -> None:
    """Note by which rules the days and hours of a zone are derived from now on."""
    store.run("INSERT OR REPLACE INTO zone_rules VALUES (?, ?)", (timezone, json.dumps(rules)))


def _read(text: str) -> Rules | None:
    try:
        return tuple((int(from_s), int(offset_s)) for from_s, offset_s in json.loads(text))
    except (ValueError, TypeError):
        return None
