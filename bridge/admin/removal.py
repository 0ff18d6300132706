"""Remove names that were mistyped, and shifts and counts that are wrong. What consoles have sent is never removed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from bridge.admin.enrolment import record_lost_login
from bridge.admin.known_names import KnownNames
from bridge.admin.targets import drop_targets
from bridge.errors import TrivoxError, UsageError
from bridge.keyring import Keyring
from bridge.model.history import HistoryChange
from bridge.model.local_time import day_starts_ms, local
from bridge.model.periods import EVER
from bridge.store import cameras, console_status, consoles, gone_consoles, imports, places, removals
from bridge.store.history import record_change, record_changes
from bridge.store.settings import newest_revision
from bridge.surveys.counts import state_of_count
from bridge.surveys.refold import stage_refold_of_console
from bridge.text import plural
from bridge.wire.identifiers import check_id, check_name
from bridge.wire.settings import DEFAULTS

if TYPE_CHECKING:
    from datetime import date
    from typing import Any

    from bridge.admin.commands import (
        RemoveCheckoutPoint,
        RemoveConsoles,
        RemoveCounts,
        RemoveQuestions,
        RemoveSellers,
        RemoveShifts,
        RemoveSites,
    )
    from bridge.store import Store
    from bridge.store.counts import CountRow
    from bridge.store.removals import RemovedShift


def remove_consoles(store: Store, command: RemoveConsoles) -> dict[str, Any]:
    """Remove consoles that never sent events, all or none, with what was decided about them. Raises TrivoxError.

    Returns how many shifts and placements each console's name has lost.
    """
    lost = {}
    for name in command.consoles:
        site_id, console_id = check_name("console", name)
        KnownNames(store).check_console(site_id, console_id)
        lost[name] = dict(_remove_console(store, site_id, console_id))
    return {"lost": lost}


def _remove_console(store: Store, site_id: str, console_id: str) -> Counter[str]:
    """Remove a console; return how many of each thing went with it."""
    console = consoles.find_console(store, site_id, console_id)
    if console is None:
        return Counter()
    received = removals.received_from(store, console.key)
    if received.epochs:
        name = f"{site_id}/{console_id}"
        raise TrivoxError(
            f"Console {name} has sent {plural(received.events, 'event')} ({plural(received.surveys, 'survey')}), which "
            f"are never removed: take it out of service with `trivox console retire {name}`."
        )
    shifts = removals.shifts_beginning(store, console.key, None, -EVER, EVER)
    _record_removed_shifts(store, shifts)
    placements = removals.placements_of(store, console.key)
    for from_ms, point in placements:
        before = {"checkout_point_id": point}
        record_change(store, HistoryChange("placement", site_id, console_id, before, None, from_ms))
    _record_settings(store, site_id, console_id)
    record_change(store, HistoryChange("console", site_id, console_id, {"enrolled": console.enrolled}, None))
    removals.delete_console(store, console.key, site_id, console_id)
    gone_consoles.note_gone(store, site_id, console_id)
    imports.stage_refold(store, site_id, "", -EVER, EVER)  # its checkout point's counts are no longer its own
    store.forget()
    return Counter(shift=len(shifts), placement=len(placements))


def _record_settings(store: Store, site_id: str, console_id: str) -> None:
    for name, value in removals.settings_of(store, site_id, console_id):
        change = HistoryChange("setting", site_id, console_id, {name: json.loads(value)}, {name: None})
        record_change(store, change)


def remove_sites(store: Store, command: RemoveSites) -> dict[str, Any]:
    """Remove sites that nothing was received from, all or none, with their consoles. Raises TrivoxError.

    Returns how many consoles, shifts and placements each site has lost.
    """
    lost = {}
    for site_id in command.sites:
        KnownNames(store).check_site(check_id("site", site_id))
        count = removals.count_of_counts(store, site_id)
        if count:
            raise TrivoxError(
                f"Site {site_id} has {plural(count, 'count')}: run `trivox counts remove --site {site_id}` first, if "
                "they are wrong."
            )
        timezone = places.timezone(store, site_id)
        lost_here: Counter[str] = Counter()
        for console_id in consoles.console_ids(store, site_id):
            lost_here.update(console=1)
            lost_here.update(_remove_console(store, site_id, console_id))
        lost[site_id] = dict(lost_here)
        for name in Keyring(store.path).sources():
            if name.startswith(f"{site_id}/"):
                record_lost_login(store, name)
        _record_settings(store, site_id, "")
        drop_targets(store, site_id=site_id)
        record_change(store, HistoryChange("site", site_id, "", {"timezone": timezone}, None))
        removals.delete_site(store, site_id)
        cameras.delete_cameras(store, site_id)
        store.forget()
    return {"lost": lost}


def remove_checkout_point(store: Store, command: RemoveCheckoutPoint) -> dict[str, Any]:
    """Remove a checkout point, or one console's placements there; stage that surveys and counts follow.

    A console then stands where it stood before. Returns how many `placements` were removed. Raises TrivoxError.
    """
    site_id, point = check_id("site", command.site_id), command.checkout_point_id.strip()
    names = KnownNames(store)
    names.check_checkout_point(site_id, point)
    if command.console_id is not None:
        names.check_console(site_id, check_id("console", command.console_id))
    count = removals.count_of_counts(store, site_id, point)
    if count and command.console_id is None:
        raise TrivoxError(
            f"Checkout point {site_id}/{point} has {plural(count, 'count')}: import them again with the right one, or "
            f"remove them with `trivox counts remove --site {site_id}`."
        )
    placements = 0
    for console_key, console_id in removals.consoles_at(store, site_id, point):
        if command.console_id in {None, console_id}:
            for from_ms, _ in removals.placements_of(store, console_key, point):
                _remove_placement(store, console_key, (site_id, console_id), from_ms)
                placements += 1
    if command.console_id is None:
        drop_targets(store, site_id=site_id, checkout_point_id=point)
        record_change(store, HistoryChange("checkout_point", site_id, point, {}, None))
        removals.delete_checkout_point(store, site_id, point)
        cameras.delete_cameras(store, site_id, point)
    store.forget()
    return {"placements": placements}


def _remove_placement(store: Store, console_key: int, console: tuple[str, str], from_ms: int) -> None:
    old, to_ms = places.placement_at(store, console_key, from_ms)
    removals.delete_placement(store, console_key, from_ms)
    new, _ = places.placement_at(store, console_key, from_ms)
    before, after = (None if point is None else {"checkout_point_id": point} for point in (old, new))
    record_change(store, HistoryChange("placement", *console, before, after, from_ms, to_ms))
    stage_refold_of_console(store, *console, from_ms)


def remove_shifts(store: Store, command: RemoveShifts) -> dict[str, Any]:
    """Remove shifts; stage that surveys and counts follow; return how many `shifts` there were. Raises UsageError."""
    names, scope = KnownNames(store), command.scope
    names.check_scope(scope.site_id, scope.console_id)
    if command.seller_id is not None:
        names.check_seller(command.seller_id)
    count = 0
    for console in console_status.consoles(store):
        if scope.site_id in {"", console.site_id} and scope.console_id in {"", console.console_id}:
            period = _period(store, console.site_id, command.from_day, command.to_day)
            found = removals.shifts_beginning(store, console.console_key, command.seller_id, *period)
            _remove_shifts(store, found)
            count += len(found)
    if not count:
        raise UsageError("There is no such shift: see `trivox shift list`.")
    store.forget()
    return {"shifts": count}


def _remove_shifts(store: Store, shifts: list[RemovedShift]) -> None:
    _record_removed_shifts(store, shifts)
    removals.delete_shifts(store, shifts)
    for shift in shifts:
        imports.stage_refold(store, shift.site_id, shift.console_id, shift.started_at_ms, shift.ended_at_ms)


def _record_removed_shifts(store: Store, shifts: list[RemovedShift]) -> None:
    record_changes(store, [_removed_shift(store, shift) for shift in shifts])


def _removed_shift(store: Store, shift: RemovedShift) -> HistoryChange:
    timezone = places.timezone(store, shift.site_id) or "UTC"
    started_at, ended_at = (local(at_ms, timezone).isoformat() for at_ms in (shift.started_at_ms, shift.ended_at_ms))
    before = {"seller_id": shift.seller_id, "started_at": started_at, "ended_at": ended_at}
    period = shift.started_at_ms, shift.ended_at_ms
    return HistoryChange("shift", shift.site_id, shift.console_id, before, None, *period)


def remove_counts(store: Store, command: RemoveCounts) -> dict[str, Any]:
    """Take counts out of force; return how many `counts` there were, and their `sums` by kind. Raises UsageError."""
    site_id = check_id("site", command.site_id)
    KnownNames(store).check_site(site_id)
    period = _period(store, site_id, command.from_day, command.to_day)
    wanted = command.source_id, command.kind, command.count_id
    found = removals.counts_beginning(store, site_id, wanted, *period)
    if not found:
        raise UsageError(f"There is no such count: see `trivox counts list --site {site_id} --each`.")
    timezone = places.timezone(store, site_id) or "UTC"
    record_changes(store, [_removed_count(site_id, count, timezone) for count in found])
    removals.delete_counts(store, site_id, found)
    sums: Counter[str] = Counter()
    for count in found:
        sums[count.kind] += count.figure
    return {"counts": len(found), "sums": dict(sorted(sums.items()))}


def _removed_count(site_id: str, count: CountRow, timezone: str) -> HistoryChange:
    name, before = f"{count.source_id}/{count.id}", state_of_count(count, timezone)
    return HistoryChange("count", site_id, name, before, None, count.from_ms, count.to_ms)


def _period(store: Store, site_id: str, from_day: date | None, to_day: date | None) -> tuple[int, int]:
    """Return when a period of a site's local days begins and ends."""
    timezone = places.timezone(store, site_id) or "UTC"
    from_ms = -EVER if from_day is None else day_starts_ms(from_day, timezone)
    return from_ms, EVER if to_day is None else day_starts_ms(to_day, timezone)


def remove_sellers(store: Store, command: RemoveSellers) -> dict[str, Any]:
    """Remove sellers without shifts and counts, all or none. Raises TrivoxError."""
    for seller_id in command.sellers:
        KnownNames(store).check_seller(seller_id)
        shifts, counts = removals.uses_of_seller(store, seller_id)
        if shifts:
            raise TrivoxError(
                f"Seller {seller_id} has {plural(shifts, 'shift')}: run `trivox shift remove --seller {seller_id}` "
                "first, if they are wrong."
            )
        if counts:
            raise TrivoxError(
                f"Seller {seller_id} is named by {plural(counts, 'count')}: import them again with the right one first."
            )
        drop_targets(store, seller_id=seller_id)
        name = removals.seller_name(store, seller_id)
        record_change(store, HistoryChange("seller", "", seller_id, {"seller_name": name}, None))
        removals.delete_seller(store, seller_id)
    return {}


def remove_questions(store: Store, command: RemoveQuestions) -> dict[str, Any]:
    """Remove key questions that nobody was asked and no console is to ask, all or none. Raises TrivoxError."""
    for question_id in command.questions:
        KnownNames(store).check_defined_question(question_id)
        if question_id == DEFAULTS["question_id"]:
            raise UsageError(f"Key question {question_id} is what consoles ask by default: it stays.")
        if removals.was_asked(store, question_id):
            raise TrivoxError(f"Key question {question_id} was asked: it stays, as its surveys do.")
        for site_id, console_id in removals.choices_of_question(store, question_id):
            consoles_named = f"{site_id}/{console_id}" if console_id else site_id or "all consoles"
            raise TrivoxError(
                f"Key question {question_id} is chosen for {consoles_named}: choose another with `trivox settings set` "
                "first."
            )
        drop_targets(store, question_id=question_id)
        revision = newest_revision(store, question_id)
        before = revision._asdict() if revision else {}
        record_change(store, HistoryChange("question", "", question_id, before, None))
        removals.delete_question(store, question_id)
    return {}
