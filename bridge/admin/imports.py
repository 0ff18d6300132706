"""Carry out an import in steps, each of which may be a transaction of its own: see store/imports.py for its phases."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bridge.admin.settings import refresh_console
from bridge.model.history import HistoryChange
from bridge.model.local_time import local
from bridge.store import counts as counts_table
from bridge.store import imports, places, rollups
from bridge.store.history import correct_by_first_timezone, record_changes, show_pending
from bridge.store.imports import Phase
from bridge.store.seller_names import merge_names
from bridge.surveys import counts, fold
from bridge.surveys.recorded_messages import ingest, read_line, reject
from bridge.surveys.refold import refold_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any

    from bridge.store import Store
    from bridge.surveys.facts import Emit
    from bridge.surveys.in_transaction import IntakeResult

    Steps = Generator[None, None, dict[str, Any]]
    Note = Callable[[IntakeResult], None]
    Progress = Callable[[int, int], None]

ROWS_AT_ONCE = 1_000
MESSAGES_AT_ONCE = 100  # of 32 events each, as consoles send them


def accept(store: Store) -> None:
    """Take what is staged for good: from now on it will be finished, by the next bridge if need be."""
    record_changes(store, _new_counts(store), pending=True)
    for site_id, console_id, from_ms, to_ms in places.consoles_of_staged_shifts(store):
        places.ensure_console(store, site_id, console_id)
        imports.stage_refold(store, site_id, console_id, from_ms, to_ms)
    for site_id, from_ms, to_ms in counts_table.periods_of_staged(store):
        places.ensure_site(store, site_id)
        imports.stage_refold(store, site_id, "", from_ms, to_ms)
    imports.enter(store, Phase.APPLYING)


def _new_counts(store: Store) -> Iterator[HistoryChange]:
    for site_id, source_id, number, from_ms, to_ms in counts_table.staged_additions(store):
        timezone = places.timezone(store, site_id) or "UTC"
        from_, to = (local(at_ms, timezone).isoformat() for at_ms in (from_ms, to_ms))
        added = {"counts": number, "from": from_, "to": to}
        yield HistoryChange("count", site_id, source_id, None, added, from_ms, to_ms)


def finish(
    store: Store,
    emit: Emit,
    note: Note,
    progress: Progress | None = None,
    *,
    messages_at_once: int = MESSAGES_AT_ONCE,
    spoilt: str | None = None,
    moved: Counter[str] | None = None,
) -> Iterator[None]:
    """Carry out what is staged, from wherever an earlier bridge has left it; `note` gets what became of messages.

    `moved` counts the surveys that have another seller, checkout point, hour or mark of force majeure by it.
    What is staged but was not accepted is dropped. `spoilt` is why the next message goes among the rejects, if it does.
    """
    if imports.phase(store) is Phase.APPLYING:
        if spoilt is not None:
            position, line = imports.staged_messages(store, 1)[0]
            note(reject(store, line, spoilt, emit))
            imports.drop_messages(store, position)
            yield
        yield from _take_messages(store, emit, note, progress, messages_at_once)
        yield from _derive_again(store, Counter() if moved is None else moved)
        fold.sweep(store, emit)
        places.drop_replaced_shifts(store)
        merge_names(store)
        places.merge_timezones(store)
        show_pending(store)
        imports.enter(store, Phase.MERGING)
        yield
    if imports.phase(store) is Phase.MERGING:
        while (
            places.merge_some_shifts(store, ROWS_AT_ONCE)
            or counts_table.merge_some(store, ROWS_AT_ONCE)
            or rollups.merge_some(store, ROWS_AT_ONCE)
        ):
            yield
    imports.clear(store)


def _take_messages(store: Store, emit: Emit, note: Note, progress: Progress | None, at_once: int) -> Iterator[None]:
    last = imports.last_message(store)
    while staged := imports.staged_messages(store, at_once):
        note(ingest(store, [read_line(line) for _, line in staged], emit))
        imports.drop_messages(store, staged[-1][0])
        if progress is not None:
            progress(staged[-1][0], last)
        yield


def _derive_again(store: Store, moved: Counter[str]) -> Iterator[None]:
    """Give surveys and counts to those who are on shift, in their places and hours."""
    sites: dict[str, tuple[int, int]] = {}
    for site_id, console_id, from_ms, to_ms in imports.refolds_due(store):
        if console_id:
            moved_here: Counter[str] = Counter()
            for _ in refold_steps(store, site_id, console_id, from_ms, to_ms, moved_here):
                if moved_here["seller_id"] or moved_here["day"]:
                    correct_by_first_timezone(store, site_id)
                yield
            moved.update(moved_here)
            refresh_console(store, site_id, console_id)  # the console may be new here
        first, last = sites.get(site_id, (from_ms, to_ms))
        sites[site_id] = min(first, from_ms), max(last, to_ms)
    for site_id, (from_ms, to_ms) in sites.items():
        yield from counts.assign_steps(store, site_id, from_ms, to_ms)
