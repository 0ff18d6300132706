"""Derive days and hours again where this machine has other rules for a time zone than they were derived by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import log
from bridge.admin.local_times import resolve_times
from bridge.errors import TrivoxError
from bridge.model.history import HistoryChange
from bridge.model.local_time import DAY_MS
from bridge.model.zone_rules import changed_span_s, offsets_in, rules_of
from bridge.store import places
from bridge.store import zone_rules as table
from bridge.store.history import record_change
from bridge.surveys.refold import stage_refold_of_site
from bridge.text import plural

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import FollowZoneRules
    from bridge.model.history import State
    from bridge.model.zone_rules import Rules
    from bridge.store import Store

MARGIN_MS = 2 * DAY_MS  # a time that is resolved anew moves by less


def other_rules(store: Store) -> dict[str, tuple[Rules | None, Rules]]:
    """Return the zones of sites of which this machine has other rules than were used: (before, now)."""
    found: dict[str, tuple[Rules | None, Rules]] = {}
    for timezone, before in table.known_rules(store).items():
        try:
            now = rules_of(timezone)
        except TrivoxError as error:  # the machine has lost it: what was derived stays
            log.warning(str(error), timezone=timezone)
            continue
        if now != before:
            found[timezone] = before, now
    return found


def follow_zone_rules(store: Store, _command: FollowZoneRules) -> dict[str, Any]:
    """Resolve typed times by the rules of this machine, and stage that surveys and counts follow."""
    for timezone, (before, now) in other_rules(store).items():
        table.keep_rules(store, timezone, now)
        span_s = before and changed_span_s(before, now)
        if before and span_s:
            old, new = ({"timezone": timezone, "offsets": offsets_in(rules, span_s)} for rules in (before, now))
            _stage_zone(store, timezone, (span_s[0] * 1000, span_s[1] * 1000), (old, new))
    return {}


def _stage_zone(store: Store, timezone: str, span_ms: tuple[int, int], states: tuple[State, State]) -> None:
    from_ms, to_ms = span_ms
    sites = [site_id for site_id, name in places.timezones(store).items() if name == timezone]
    for site_id in sites:
        for console_id in resolve_times(store, site_id, timezone):
            log.warning(
                "shifts stay at their instants: by the new rules of the time zone they would overlap or be empty",
                site_id=site_id,
                console_id=console_id,
            )
        stage_refold_of_site(store, site_id, from_ms - MARGIN_MS, to_ms + MARGIN_MS)
        record_change(store, HistoryChange("zone_rules", site_id, "", *states, from_ms, to_ms), pending=True)
    log.warning(
        f"This machine has new rules for the time zone {timezone}: days and hours of {plural(len(sites), 'site')} are "
        "derived again where they are others.",
        timezone=timezone,
    )
