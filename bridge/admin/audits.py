"""Draw surveys for audits, and record what experts find; who may see what of an audit before his verdict."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bridge.admin.audits_of_watches import ConcernedSurveys, WatchName, draw_watches, last_two_months, record_draw
from bridge.admin.commands import DrawAudits
from bridge.admin.known_names import KnownNames
from bridge.errors import TrivoxError, UsageError
from bridge.model.audit import (
    BY_ITSELF,
    MAX_SEED,
    NO_FOOTAGE,
    SAMPLE,
    SEED_BITS,
    VERDICTS,
    draw,
    expert_named,
    is_same_expert,
)
from bridge.model.history import HistoryChange
from bridge.model.local_time import DAY_MS, local, local_hour, period_of
from bridge.reports.days import DAY, days_of_period, given_days
from bridge.store import audits as table
from bridge.store import cameras, consoles, places
from bridge.store.audits import StoredDraw, StoredVerdict
from bridge.store.history import record_change
from bridge.store.settings import chosen_for
from bridge.text import is_visible, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from bridge.admin.commands import DrawAudits, NoteFootage, NoteKeptClip, RecordVerdict
    from bridge.model.audit import CandidateSurvey
    from bridge.reports.days import Days
    from bridge.store import Store
    from bridge.store.audits import StoredAudit

MAX_SAMPLE = 10_000
MAX_EXPERT = 64
MAX_COMMENT = 2_000
ALREADY_DRAWN = "was drawn before"


def draw_audits(store: Store, command: DrawAudits) -> Generator[None, None, dict[str, Any]]:
    """Draw each site's days, one a step; return as `draws` what was drawn, and of which days nothing, with the reason.

    Raises UsageError.
    """
    _check(store, command)
    days_at = _days(command, store.now_ms)
    concerned = ConcernedSurveys(store)
    results = []
    for site_id in command.sites or consoles.site_ids(store):
        timezone = places.timezone(store, site_id) or "UTC"
        first, last = days_at(timezone)
        for day in table.days_with_surveys(store, site_id, first.isoformat(), last.isoformat()):
            results.append(_draw_day(store, command, site_id, day, concerned.rules(day[:7])))
            yield
    for drawn in draw_watches(store, _months(command, store.now_ms), command.sites, command.seed):
        results.append(_told(drawn))
        yield
    return {"draws": results}


def _months(command: DrawAudits, now_ms: int) -> tuple[str, str]:
    """Return the first and the last month whose watches are to be drawn."""
    if command.period is None and command.from_day is None:
        return last_two_months(local(now_ms, "UTC").date())
    first, last = _days(command, now_ms)("UTC")
    return first.isoformat()[:7], (last - DAY).isoformat()[:7]


def draw_last_night(store: Store) -> Iterator[None]:
    """Draw the days that have ended since the last draw of each site with a camera, a step each; the first time, one.

    Days whose footage is gone are passed over. Then draw what watches and flags concern there.
    """
    sites = sorted({camera.site_id for camera in cameras.cameras(store)})
    concerned = ConcernedSurveys(store)
    for site_id in sites:
        timezone = places.timezone(store, site_id) or "UTC"
        today = local(store.now_ms, timezone).date()
        yesterday = (today - DAY).isoformat()
        last = max((draw.day for draw in table.draws(store, site_id) if not draw.watch), default="")
        for day in table.days_with_surveys(store, site_id, min(last or yesterday, yesterday), today.isoformat()):
            if day > last:
                _draw_day(store, DrawAudits(sites=[site_id]), site_id, day, concerned.rules(day[:7]))
                yield
    if sites:
        for _ in draw_watches(store, last_two_months(local(store.now_ms, "UTC").date()), sites):
            yield


def _check(store: Store, command: DrawAudits) -> None:
    for site_id in command.sites:
        KnownNames(store).check_site(site_id)
    if command.sample is not None and not 1 <= command.sample <= MAX_SAMPLE:
        raise UsageError(f"--sample must be a whole number from 1 to {MAX_SAMPLE}.")
    if command.seed is not None and not 0 <= command.seed <= MAX_SEED:
        raise UsageError(f"--seed must be a whole number from 0 to {MAX_SEED}.")


def _days(command: DrawAudits, now_ms: int) -> Callable[[str], Days]:
    if command.from_day is not None and command.to_day is not None:
        return given_days(command.from_day, command.to_day)
    return days_of_period(command.period or "yesterday", now_ms)


def _draw_day(
    store: Store, command: DrawAudits, site_id: str, day: str, rules: dict[table.SurveyKey, str]
) -> dict[str, Any]:
    """Draw a day, unless something is in the way; return what was drawn, or `why_not`."""
    timezone = places.timezone(store, site_id) or "UTC"
    from_ms, to_ms = period_of("day", day, timezone)
    before = next((draw for draw in table.draws(store, site_id, day) if not draw.watch), None)
    settings = chosen_for(store, site_id, "")
    footage_ms = int(settings.get("footage_days", 0)) * DAY_MS
    if before is not None:
        return _told(before, why_not=ALREADY_DRAWN)
    if to_ms > store.now_ms:
        return _told(StoredDraw(site_id, day, "", 0, 0, 0), why_not="is not over yet", is_drawn=False)
    if footage_ms and from_ms < store.now_ms - footage_ms:
        why_not = f"has no footage any more (footage_days is {settings['footage_days']})"
        return _told(StoredDraw(site_id, day, "", 0, 0, 0), why_not=why_not, is_drawn=False)
    found = table.candidates(store, site_id, from_ms, to_ms, rules)
    seed = secrets.randbits(SEED_BITS) if command.seed is None else command.seed
    sample = command.sample or int(settings.get("audit_sample", SAMPLE))
    drawn = _draw(
        store, StoredDraw(site_id, day, "", seed, 0, sample), found, timezone, is_seed_given=command.seed is not None
    )
    return _told(drawn)


def _draw(
    store: Store, wanted: StoredDraw, found: list[CandidateSurvey], timezone: str, *, is_seed_given: bool
) -> StoredDraw:
    """Draw from what was found, but not what was drawn before; store and return what was drawn."""
    opened_ms = [survey.opened_at_ms for survey in found] or [0]
    before = table.drawn_names(store, wanted.site_id, min(opened_ms), max(opened_ms) + 1)
    candidates = [survey for survey in found if survey.name not in before]
    drawn = draw(candidates, wanted.seed, wanted.sample, drawn_before=table.count_of_audits(store))
    made = wanted._replace(population=len(candidates), sample=len(drawn.surveys))
    day_of = {survey.survey.name: local_hour(survey.survey.opened_at_ms, timezone)[:10] for survey in drawn.surveys}
    table.save_draw(store, drawn, made, day_of)
    record_draw(store, made.site_id, made.day, made, is_seed_given=is_seed_given)
    return made


def _told(draw: StoredDraw, why_not: str | None = None, *, is_drawn: bool = True) -> dict[str, Any]:
    watch = WatchName.of(draw.watch) if draw.watch else None
    return {
        "site_id": draw.site_id or None,
        "day": draw.day,
        "rule": watch and watch.rule,
        "seller_id": watch and watch.seller_id,
        "month": watch and watch.month,
        "seed": draw.seed if is_drawn else None,
        "population": draw.population if is_drawn else None,
        "sample": draw.sample if is_drawn else None,
        "why_not": why_not,
    }


# -- verdicts ------------------------------------------------------------------------------------------------------


def record_verdict(store: Store, command: RecordVerdict) -> dict[str, Any]:
    """Record a verdict, the first or the second, or change the expert's own; return what is now shown of the audit.

    Raises UsageError, and TrivoxError if somebody else has judged it.
    """
    if command.verdict not in VERDICTS:
        raise UsageError(f"{command.verdict!r} is no verdict: give one of {', '.join(VERDICTS)}.")
    expert = expert_of(store.origin.who, command.by)
    comment = _checked_comment(command.comment)
    audit = known_audit(store, command.audit_id)
    judging = _judging(audit, expert)
    before = (audit.first, audit.second)[judging - 1]
    changes = 0
    if before is not None:
        changes = before.changes + (before.verdict != command.verdict)
        comment = before.comment if comment is None else comment
    verdict = StoredVerdict(command.verdict, expert, comment, store.now_ms, changes, store.origin.who)
    if before is not None:
        _record_changed(store, audit, before, verdict)
    table.save_verdict(store, audit.audit_id, judging, verdict)
    survey = table.survey_of(store, audit.name)
    return {
        "audit_id": audit.audit_id,
        "was": before.verdict if before else None,
        "outcome": survey.outcome if survey else audit.outcome,
    }


def expert_of(who: str, by: str | None) -> str:
    """Return the name of an expert: as given, else that of the user who runs the command. Raises UsageError."""
    name = " ".join((expert_named(who) if by is None else by).split())
    if not name or len(name) > MAX_EXPERT or not is_visible(name) or name == BY_ITSELF:
        raise UsageError(f"--by must be the expert's name, at most {MAX_EXPERT} printable characters.")
    return name


def _checked_comment(comment: str | None) -> str | None:
    if comment is not None and (len(comment) > MAX_COMMENT or "\0" in comment):
        raise UsageError(f"--comment has more than {MAX_COMMENT} characters: shorten it.")
    return comment


def known_audit(store: Store, audit_id: int) -> StoredAudit:
    """Return an audit. Raises UsageError if there is none of that number."""
    audit = table.audit_of(store, audit_id) if abs(audit_id) <= MAX_SEED else None
    if audit is None:
        raise UsageError(f"There is no audit {audit_id}: see `trivox audit list`.")
    return audit


def _judging(audit: StoredAudit, expert: str) -> int:
    """Return which verdict on an audit is the expert's to give: 1 or 2. Raises TrivoxError if none is."""
    first, second = audit.first, audit.second
    if first is None or first.expert == BY_ITSELF or is_same_expert(first.expert, expert):
        return 1
    if second is not None and is_same_expert(second.expert, expert):
        return 2
    if audit.is_twice and second is None:
        return 2
    others = " and ".join(printable(verdict.expert) for verdict in audit.verdicts)
    raise TrivoxError(f"Audit {audit.audit_id} was judged by {others}: only they can change what they found.")


def _record_changed(store: Store, audit: StoredAudit, before: StoredVerdict, after: StoredVerdict) -> None:
    was, now = (
        {"verdict": state.verdict, "expert": state.expert, "comment": state.comment} for state in (before, after)
    )
    record_change(store, HistoryChange("audit", audit.name.site_id, str(audit.audit_id), was, now))


def is_due(audit: StoredAudit, expert: str) -> bool:
    """Return whether an audit waits for this expert's verdict."""
    if audit.first is None:
        return True
    is_first = audit.first.expert == BY_ITSELF or is_same_expert(audit.first.expert, expert)
    return audit.is_twice and audit.second is None and not is_first


def may_see(audit: StoredAudit, expert: str) -> bool:
    """Return whether an expert may see the outcome: he has given his verdict, or nobody waits for one of his."""
    if any(is_same_expert(verdict.expert, expert) for verdict in audit.verdicts):
        return True
    return not is_due(audit, expert)


def note_footage(store: Store, command: NoteFootage) -> dict[str, Any]:
    """Judge audits without footage and verdict `no_footage`, and note which have footage; return how many of each."""
    table.note_checked(store, command.found)
    missing = [audit for audit in table.audits_by_id(store, command.missing) if audit.first is None]
    for audit in missing:
        verdict = StoredVerdict(NO_FOOTAGE, BY_ITSELF, None, store.now_ms, 0, store.origin.who)
        table.save_verdict(store, audit.audit_id, 1, verdict)
    return {"missing": len(missing), "found": len(command.found)}


def note_kept_clip(store: Store, command: NoteKeptClip) -> dict[str, Any]:
    """Note under which name an archive keeps a clip. Raises UsageError."""
    audit = known_audit(store, command.audit_id)
    table.note_kept(store, audit.audit_id, command.kept_as)
    return {"audit_id": audit.audit_id}
