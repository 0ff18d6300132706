"""Rebuild everything from what was received: judge the rejects again, then derive dates, surveys and rollups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import log
from bridge.store import consoles, events, rejects, rollups, surveys
from bridge.store.rejects import FAILED, NOT_ENROLLED, NOT_SIGNED
from bridge.surveys import counts
from bridge.surveys.fold import CHUNK, Fold
from bridge.surveys.ingest import Intake
from bridge.wire import contract
from bridge.wire.contract import Impossible, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.model.epoch import Epoch
    from bridge.store import Store
    from bridge.store.connection import Row
    from bridge.surveys.facts import Emit, Fact

FAULTS = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RuntimeError)  # not of the disk


def rebuild(
    store: Store, progress: Callable[[int, int], None] | None, emit: Emit, *, signed_only: bool = False
) -> dict[str, int]:
    """Rebuild everything, inside the transaction; `progress(done, of)` counts epochs.

    With `signed_only`, messages among the rejects are taken in only if they are signed, as by the bridge that asks.

    Returns as `taken` how many rejects were taken in after all, and as `surveys` how many surveys there are.
    """
    store.forget()
    taken = _judge_rejects_again(store, emit, signed_only=signed_only)
    store.forget()
    surveys.clear(store)
    rollups.clear_rollups(store)
    keys = events.epoch_keys(store)
    for epoch_key in keys:
        _date_again(store, events.epoch_by_key(store, epoch_key))
        events.forget_if_many(store)
    made = 0
    for done, epoch_key in enumerate(keys, 1):
        made += _fold_again(store, epoch_key)
        events.forget_if_many(store)
        if progress is not None:
            progress(done, len(keys))
    counts.assign_all(store)
    return {"taken": taken, "surveys": made}


def _judge_rejects_again(store: Store, emit: Emit, *, signed_only: bool) -> int:
    """Take in what an older bridge, or one with fewer consoles enrolled, could not; return how many."""
    intake = Intake(store, emit, signed_only=signed_only)
    taken, failed = 0, []
    for row in rejects.rejects(store):
        if _reason(row).startswith(FAILED):
            failed.append(row)
        else:
            taken += _take_again(store, intake, row)
    intake.finish()
    return taken + sum(_take_failed_again(store, emit, row, signed_only=signed_only) for row in failed)


def _reason(row: Row) -> str:
    return str(row[4])


def _take_again(store: Store, intake: Intake, row: Row) -> bool:
    reject_key, epoch_key, seq, topic, reason, raw, at_ms, mac = row
    if epoch_key is None:
        is_taken = _take_message_again(store, intake, topic, bytes(raw), reason, at_ms)
    else:
        is_taken = _take_event_again(store, intake, epoch_key, seq, bytes(raw), at_ms, mac)
    if is_taken:
        rejects.drop_reject(store, reject_key)
    return is_taken


def _take_failed_again(store: Store, emit: Emit, row: Row, *, signed_only: bool) -> bool:
    """Take in alone what a bridge failed at: where this one fails, too, it stays a reject and holds up nothing else."""
    facts: list[Fact] = []
    try:
        with store.savepoint():
            intake = Intake(store, facts.append, signed_only=signed_only)
            is_taken = _take_again(store, intake, row)
            intake.finish()
    except FAULTS as error:
        log.error("a reject makes the bridge fail again: report this", topic=row[3], error=repr(error))
        return False
    for fact in facts:
        emit(fact)
    return is_taken


def _take_message_again(store: Store, intake: Intake, topic: str, payload: bytes, reason: str, at_ms: int) -> bool:
    try:
        if reason.startswith(NOT_ENROLLED):
            site_id, console_id, _ = contract.read_topic(topic)
            console = consoles.find_console(store, site_id, console_id)
            if console is None or not console.enrolled:
                return False
        intake.take_readable(topic, payload, at_ms, signed_only=reason.startswith(NOT_SIGNED))
    except Unreadable:
        return False
    return True


def _take_event_again(
    store: Store, intake: Intake, epoch_key: int, seq: int, raw: bytes, at_ms: int, mac: int | None
) -> bool:
    try:
        event = contract.parse_event(raw, seq)
    except Impossible:
        return False
    touched = intake.touched(events.epoch_by_key(store, epoch_key))
    intake.store_events(touched, [(seq, event, raw.decode())], at_ms, mac)
    return True


def _date_again(store: Store, epoch: Epoch) -> None:
    """Date the epoch's events again by the stored arrivals and clocks, and derive its force majeures."""
    epoch.through = epoch.received.through(epoch.first)
    epoch.boots = events.boots_of_events(store, epoch.key)
    fold = Fold(store)
    for number, boot in epoch.boots.items():
        fold.redate(epoch, number, boot)
    for seq in events.declarations(store, epoch.key):
        fold.mark_force_majeure(epoch.key, seq)
    fold.finish_force_majeures()
    events.save_epochs(store, [epoch])


def _fold_again(store: Store, epoch_key: int) -> int:
    """Derive the epoch's surveys; return how many there are."""
    made = 0
    fold = Fold(store)
    for made, survey in enumerate(events.survey_numbers(store, epoch_key), 1):
        fold.mark(epoch_key, survey)
        if made % CHUNK == 0:
            fold.finish()
    fold.finish()
    return made
