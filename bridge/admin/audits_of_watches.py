"""Draw audits of the surveys that watches and flags concern: 30 for each, as long as there is footage."""

from __future__ import annotations

import secrets
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.audit import SEED_BITS, WATCH_SAMPLE, draw
from bridge.model.history import HistoryChange
from bridge.model.local_time import DAY_MS, local_hour
from bridge.store import audits as table
from bridge.store import flags, places
from bridge.store.audits import StoredDraw
from bridge.store.history import record_change
from bridge.store.settings import chosen_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.model.audit import CandidateSurvey, SurveyName
    from bridge.store import Store
    from bridge.store.flags import Watched

SEVERAL = ""  # sites


class WatchName(NamedTuple):
    """What names a watch or flag in a draw, as `fast_yes s-11 2026-11`."""

    rule: str
    seller_id: str
    month: str

    def __str__(self) -> str:
        return " ".join(self)

    @classmethod
    def of(cls, text: str) -> WatchName:
        """Read a name."""
        rule, _, rest = text.partition(" ")
        seller_id, _, month = rest.rpartition(" ")
        return cls(rule, seller_id, month)


class ConcernedSurveys:
    """Which surveys the watches and flags of a month concern, and by which rule; each month is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._months: dict[str, dict[table.SurveyKey, str]] = {}

    def rules(self, month: str) -> dict[table.SurveyKey, str]:
        """Return the rule that concerns each survey: of several, the one that concerns the fewest."""
        if month not in self._months:
            found = [
                (flags.surveys_concerned(self._store, watched.rule, watched.seller_id, month), watched.rule)
                for watched in flags.watched(self._store, month, month)
            ]
            found.sort(key=lambda each: len(each[0]), reverse=True)
            self._months[month] = {key: rule for keys, rule in found for key in keys}
        return self._months[month]


def draw_watches(
    store: Store, months: tuple[str, str], sites: list[str], seed: int | None = None
) -> Iterator[StoredDraw]:
    """Draw for the watches and flags of some months, the last one included, at some sites (none: all).

    Yields after each that was drawn: until there are WATCH_SAMPLE audits of it that had footage, or may have it, or
    none of its surveys is left; twice as many are drawn at most.
    """
    for watched in flags.watched(store, *months):
        name = WatchName(watched.rule, watched.seller_id, watched.month)
        drawn, missing = table.counts_of_rule(store, *name)
        wanted = min(WATCH_SAMPLE - (drawn - missing), 2 * WATCH_SAMPLE - drawn)
        candidates = _candidates(store, watched, sites) if wanted > 0 else []
        if candidates:
            yield _draw(store, name, candidates, wanted, seed)


def _candidates(store: Store, watched: Watched, sites: list[str]) -> list[CandidateSurvey]:
    """Return the surveys that a watch concerns which were not drawn yet, and of which there may be footage."""
    keys = flags.surveys_concerned(store, watched.rule, watched.seller_id, watched.month)
    from_ms: dict[str, int] = {}
    found = []
    for survey in table.undrawn(store, keys):
        site_id = survey.name.site_id
        if site_id not in from_ms:
            footage_days = int(chosen_for(store, site_id, "").get("footage_days", 0))
            from_ms[site_id] = store.now_ms - footage_days * DAY_MS if footage_days else 0
        if survey.opened_at_ms >= from_ms[site_id] and (not sites or site_id in sites):
            found.append(survey._replace(seller_id=watched.seller_id, rule=watched.rule))
    return found


def _draw(
    store: Store, name: WatchName, candidates: list[CandidateSurvey], wanted: int, seed: int | None
) -> StoredDraw:
    site_ids = {survey.name.site_id for survey in candidates}
    timezones = {site_id: places.timezone(store, site_id) or "UTC" for site_id in site_ids}
    site_id = min(site_ids) if len(site_ids) == 1 else SEVERAL
    today = local_hour(store.now_ms, timezones[min(site_ids)])[:10]
    drawn_by = secrets.randbits(SEED_BITS) if seed is None else seed
    drawn = draw(candidates, drawn_by, wanted, drawn_before=table.count_of_audits(store))
    day_of: dict[SurveyName, str] = {
        each.survey.name: local_hour(each.survey.opened_at_ms, timezones[each.survey.name.site_id])[:10]
        for each in drawn.surveys
    }
    made = StoredDraw(site_id, today, str(name), drawn_by, len(candidates), len(drawn.surveys))
    table.save_draw(store, drawn, made, day_of)
    record_draw(store, site_id, f"{today} {name}", made, is_seed_given=seed is not None)
    return made


def record_draw(store: Store, site_id: str, name: str, made: StoredDraw, *, is_seed_given: bool) -> None:
    """Record a draw in the history; also that somebody chose its seed, as he could look for one that suits him."""
    after = {"seed": made.seed, "population": made.population, "sample": made.sample}
    chosen = {"seed_given_by_hand": True} if is_seed_given else {}
    record_change(store, HistoryChange("audit", site_id, name, None, {**after, **chosen}))


def last_two_months(today: date) -> tuple[str, str]:
    """Return the month before and the present one: of earlier ones hardly any archive has footage."""
    before = date(today.year - (today.month == 1), today.month - 1 or 12, 1)
    return f"{before:%Y-%m}", f"{today:%Y-%m}"
