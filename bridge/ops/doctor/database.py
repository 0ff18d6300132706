"""Check the database, the consoles and the delivery, and say in plain sentences what is wrong. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.admin.zone_rules import other_rules
from bridge.ops.doctor.console_rules import CLOCK_OFF_MS, rules_that_apply
from bridge.ops.doctor.console_status import read_console_statuses
from bridge.ops.doctor.findings import ConsoleStatus
from bridge.store import console_status, kept, places, settings, updates
from bridge.store.faults import damage_or_disk
from bridge.store.integrity import check_for
from bridge.store.rejects import NOT_ENROLLED, NOT_SIGNED
from bridge.text import ago, plural, printable, utc
from bridge.wire.settings import MAX_REVISIONS_AHEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

FAULTS_SHOWN = 3
FILE_CHECK_S = 2  # a database of some million events would take many
EVER_S = 1e9
SITES_SHOWN = 3
REASONS_SHOWN = 20  # older bridges let senders choose the reasons
SAME_CLOCK_CONSOLES = 3
LAST_SEEN_RULES = ("never_heard", "host_clock", "off_shift", "silent", "offline", "late", "retired_heard")

ADVICE = {
    NOT_SIGNED: "the bridge runs with --signed-only: put the console's current credentials on its board; it keeps its "
    "events meanwhile. If it has them, and doctor finds no fault in its file of keys, somebody else is sending in its "
    "name",
    NOT_ENROLLED: "enrol the console with `trivox console enroll SITE/CONSOLE`, then run `trivox rebuild`",
    "conflict": "two boards share an id and an epoch, or an old copy of a board's flash was put back: give each board "
    "its own id",
    "failed": "the bridge has a fault: report it with the log, then run `trivox rebuild` with a newer bridge",
    "unknown type": "its firmware is newer than the bridge: update the bridge, then run `trivox rebuild`",
    "not kept": "it is not a message of Trivox: find out who writes to that topic",
}


@dataclass(frozen=True)
class Diagnosis:
    """A sentence of `trivox doctor`, and whether somebody has to act on it."""

    sentence: str
    needs_action: bool = True


def examine(store: Store, now_ms: int, *, is_full: bool = True) -> Iterator[Diagnosis]:
    """Check everything that the database knows about. Raises DatabaseError if it is damaged.

    Unless `is_full`, a large file is checked for damage only as far as some seconds allow.
    """
    faults, missed = check_for(store.connection, EVER_S if is_full else FILE_CHECK_S)
    if faults:
        raise damage_or_disk(store.path, "; ".join(faults[:FAULTS_SHOWN]))  # the rest of it can't be believed
    if missed:
        yield Diagnosis(
            f"The database {store.path} is intact as far as {FILE_CHECK_S} s could tell, without its "
            f"{len(missed)} largest tables: `trivox doctor --full` checks all of it.",
            needs_action=False,
        )
    else:
        yield Diagnosis(f"The database {store.path} is intact.", needs_action=False)
    rejects = console_status.rejects(store)
    yield from _rejects(rejects)
    yield from _not_kept(kept.not_kept(store))
    known = read_console_statuses(store, now_ms)
    consoles = [console for console in known if console.is_awaited]
    if known and not consoles:
        yield Diagnosis(f"No console is in service: {plural(len(known), 'console')} retired.", needs_action=False)
    elif not consoles and all(reason != NOT_ENROLLED for reason, *_ in rejects):
        yield Diagnosis("No console has been heard yet: check the broker's address, and that a bridge is running.")
    yield from _shared_clock_offset(consoles)
    for console in consoles:
        yield from _console(console, now_ms)
    yield from _questions(store)
    yield from _time_zones(places.sites_without_timezone(store))
    yield from _zone_rules(store)
    yield from _updates(updates.orders(store))
    unpublished = console_status.waiting_settings(store)
    if unpublished:
        yield Diagnosis(f"New settings for {plural(unpublished, 'console')} are not published yet: start the bridge.")


def _questions(store: Store) -> Iterator[Diagnosis]:
    for question_id in settings.questions(store):
        newest = settings.newest_revision(store, question_id)
        made, heard = newest.question_revision if newest else 0, settings.highest_revision_heard(store, question_id)
        if heard > made + MAX_REVISIONS_AHEAD:
            yield Diagnosis(
                f"Surveys of key question {question_id} came under revision {heard}, over {MAX_REVISIONS_AHEAD:,} "
                "above the newest made here: somebody sends in a console's name, or this database is an old copy; see "
                "which console with `trivox report --by console`."
            )


def _time_zones(sites: list[str]) -> Iterator[Diagnosis]:
    for site_id in sites[:SITES_SHOWN]:
        yield Diagnosis(
            f"Nobody has set the time zone of site {site_id}, so its days, hours and shifts are those of UTC: set it "
            f"with `trivox site set {site_id} --timezone ZONE`, be it UTC."
        )
    if len(sites) > SITES_SHOWN:
        others = plural(len(sites) - SITES_SHOWN, "more site")
        yield Diagnosis(f"Nor the time zones of {others}: set them with `trivox site import`.")


def _zone_rules(store: Store) -> Iterator[Diagnosis]:
    for timezone, (before, _) in other_rules(store).items():
        if before is not None:
            yield Diagnosis(
                f"This machine has new rules for the time zone {timezone}: start the bridge again, so that days and "
                "hours follow them."
            )


def are_all_retired(store: Store, now_ms: int) -> bool:
    """Return whether consoles are known, and each is out of service."""
    known = read_console_statuses(store, now_ms)
    return bool(known) and not any(console.is_awaited for console in known)


def _updates(orders: list[updates.UpdateOrder]) -> Iterator[Diagnosis]:
    for order in orders:
        if order.state in {updates.FAILED, updates.RETURNED}:
            yield Diagnosis(
                f"Console {order.site_id}/{order.console_id} did not take firmware {order.version} ({order.reason}): "
                f"remove the cause, then run `trivox console update --to {order.version} --console "
                f"{order.site_id}/{order.console_id}`."
            )


def _rejects(rejects: list[tuple[str, int, int, str]]) -> Iterator[Diagnosis]:
    for reason, count, last_at_ms, topic in rejects[:REASONS_SHOWN]:
        advice = ADVICE.get(reason, "find out who sends it, and with which firmware")
        example = f", for example from {printable(topic)}" if topic else ""
        yield Diagnosis(f"Rejected as {printable(reason)}: {count}, last at {utc(last_at_ms)}{example}: {advice}.")
    if others := rejects[REASONS_SHOWN:]:
        count = sum(row[1] for row in others)
        yield Diagnosis(
            f"Rejected for {plural(len(others), 'other reason')}: {count}: find out who sends to "
            f"{printable(others[0][3])}."
        )
    if not rejects:
        yield Diagnosis("Nothing was rejected.", needs_action=False)


def _not_kept(beyond: list[tuple[str, str, int]]) -> Iterator[Diagnosis]:
    for topic, kind, count in beyond[:REASONS_SHOWN]:
        yield Diagnosis(
            f"{printable(topic)} has sent too many {kind} to keep them all: {count} more were counted only; find out "
            "who sends there, and with which firmware."
        )
    if len(beyond) > REASONS_SHOWN:
        others = sum(count for *_, count in beyond[REASONS_SHOWN:])
        yield Diagnosis(f"So have {len(beyond) - REASONS_SHOWN} other topics: {others} more were counted only.")


def _console(console: ConsoleStatus, now_ms: int) -> Iterator[Diagnosis]:
    findings = rules_that_apply(console, now_ms)
    yield from (Diagnosis(finding.sentence) for finding in findings)
    if not any(finding.rule in LAST_SEEN_RULES for finding in findings):
        yield Diagnosis(
            f"Console {console.name} was heard {ago(now_ms - console.last_seen_at_ms)}.", needs_action=False
        )
    if console.is_proved:
        yield Diagnosis(
            f"Every event of console {console.name} since its first MAC is proved to be its own.", needs_action=False
        )
    if console.words_proved_at_ms is not None:
        yield Diagnosis(
            f"Console {console.name} last proved what it says about itself {ago(now_ms - console.words_proved_at_ms)}.",
            needs_action=False,
        )


def _shared_clock_offset(consoles: list[ConsoleStatus]) -> Iterator[Diagnosis]:
    """Report this machine's clock if all consoles differ from it by the same amount: then it is the wrong one."""
    offsets = [offset for console in consoles if (offset := console.clock_offset_ms) is not None]
    if len(offsets) >= SAME_CLOCK_CONSOLES and min(map(abs, offsets)) > CLOCK_OFF_MS > max(offsets) - min(offsets):
        off_s = abs(offsets[0]) // 1000
        yield Diagnosis(
            f"The clocks of all {len(offsets)} consoles are about {off_s} s {'ahead' if offsets[0] > 0 else 'behind'} "
            "of this machine's: it is this machine's clock that is wrong; let a time server set it."
        )
