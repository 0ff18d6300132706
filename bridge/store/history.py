"""The history: what people have changed, who did, when, and what was before."""

from __future__ import annotations

import json
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, Any

from bridge.model.history import HistoryChange, Origin, RecordedChange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.model.history import State
    from bridge.store.connection import Row, Store

ROWS_AT_ONCE = 1_000

_COLUMNS = "changed_at_ms, who, command, kind, site_id, name, from_ms, to_ms, before, after, corrects"


def record_change(store: Store, change: HistoryChange, *, pending: bool = False) -> bool:
    """Record a change, inside the transaction that makes it; return whether it changes anything at all.

    When it was made, by whom and by which command are known to the transaction. `pending`: it is staged, as part of a
    change in portions, and shows only when that counts.
    """
    return record_changes(store, [change], pending=pending) > 0


def record_changes(store: Store, changes: Iterable[HistoryChange], *, pending: bool = False) -> int:
    """Record many changes; return how many of them change anything."""
    rows = ((*_row(store, change), int(pending)) for change in changes if change.before != change.after)
    count = 0
    while some := list(islice(rows, ROWS_AT_ONCE)):
        store.insert(f"INSERT INTO history ({_COLUMNS}, pending)", some)
        count += len(some)
    return count


def correct_by_first_timezone(store: Store, site_id: str) -> None:
    """Have the first time zone of a site, which is about to be set, count as a correction."""
    store.run(
        "UPDATE history SET corrects = 1 WHERE pending = 1 AND kind = 'site' AND site_id = ? AND before IS NULL",
        (site_id,),
    )


def show_pending(store: Store) -> None:
    """Show the changes that were staged in portions, as they count now."""
    store.run("UPDATE history SET pending = 0 WHERE pending = 1")


def _row(store: Store, change: HistoryChange) -> Row:
    now_ms = store.now_ms
    return (
        *(now_ms, *store.origin, change.kind, change.site_id, change.name),
        *(now_ms if change.from_ms is None else change.from_ms, change.to_ms),
        *(_text(change.before), _text(change.after), int(change.corrects_at(now_ms))),
    )


def _text(state: State | None) -> str | None:
    return None if state is None else json.dumps(dict(state), ensure_ascii=False)


def changes(
    store: Store,
    *,
    site_id: str | None = None,
    kind: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> list[RecordedChange]:
    """Return the changes made in a period, oldest first: of a site and of what all share, and of one kind, if given."""
    return _changes(
        store,
        "(?1 IS NULL OR site_id IN ('', ?1)) AND (?2 IS NULL OR kind = ?2)"
        " AND (?3 IS NULL OR changed_at_ms >= ?3) AND (?4 IS NULL OR changed_at_ms < ?4)",
        (site_id, kind, from_ms, to_ms),
    )


def corrections(store: Store, from_ms: int, to_ms: int) -> list[RecordedChange]:
    """Return the changes that correct what was known of a period, oldest first."""
    where = "corrects = 1 AND from_ms < ?2 AND min(to_ms, changed_at_ms) > ?1"
    return _changes(store, where, (from_ms, to_ms), table="history INDEXED BY history_corrections")


def renamings(store: Store) -> list[RecordedChange]:
    """Return the changes of sellers' names, oldest first."""
    return _changes(store, "kind = 'seller'", (), table="history INDEXED BY history_sellers")


class CorrectedTimes:
    """The times for which what was known of the things of a kind was corrected before."""

    def __init__(self, store: Store, kind: str) -> None:
        self._spans: dict[tuple[str, str], list[tuple[int, int]]] = {}  # in order, those that touch as one
        rows = store.each(
            "SELECT site_id, name, from_ms, to_ms FROM history WHERE corrects = 1 AND pending = 0 AND kind = ?"
            " ORDER BY from_ms",
            (kind,),
        )
        for site_id, name, from_ms, to_ms in rows:
            spans = self._spans.setdefault((site_id, name), [])
            before = spans.pop() if spans and from_ms <= spans[-1][1] else (from_ms, to_ms)
            spans.append((before[0], max(before[1], to_ms)))

    def touch(self, site_id: str, name: str, from_ms: int, to_ms: int) -> bool:
        """Return whether any of them lies in a period of a thing, its end not included."""
        spans = self._spans.get((site_id, name), [])
        index = bisect_left(spans, (to_ms,))
        return index > 0 and spans[index - 1][1] > from_ms


def was_removed(store: Store, kind: str, site_id: str, name: str, from_ms: int) -> bool:
    """Return whether a thing whose time begins at an instant was corrected before, as by its removal."""
    where = "corrects = 1 AND from_ms = ? AND kind = ? AND site_id = ? AND name = ?"
    return store.one(f"SELECT 1 FROM history WHERE {where}", (from_ms, kind, site_id, name)) is not None  # noqa: S608


def has_corrections(store: Store, kind: str, from_ms: int, to_ms: int) -> bool:
    """Return whether any such thing was corrected whose time begins between two instants, both included."""
    where = "corrects = 1 AND from_ms BETWEEN ? AND ? AND kind = ?"
    return store.one(f"SELECT 1 FROM history WHERE {where} LIMIT 1", (from_ms, to_ms, kind)) is not None  # noqa: S608


def _changes(store: Store, where: str, bindings: tuple[Any, ...], *, table: str = "history") -> list[RecordedChange]:
    rows = store.all(f"SELECT {_COLUMNS} FROM {table} WHERE pending = 0 AND {where} ORDER BY change_key", bindings)  # noqa: S608 - no outside text
    return [_read(row) for row in rows]


def _read(row: Row) -> RecordedChange:
    at_ms, who, command, kind, site_id, name, from_ms, to_ms, before, after, corrects = row
    change = HistoryChange(kind, site_id, name, _state(before), _state(after), from_ms, to_ms, bool(corrects))
    return RecordedChange(at_ms, Origin(who, command), change)


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    state: dict[str, Any] = json.loads(text)
    return state
