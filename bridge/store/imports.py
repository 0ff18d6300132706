"""Keep a change that is written in portions, so that it is made whole or not at all, also if the bridge is killed.

Most such changes are imports; a new time zone is another, for all surveys of the site must be derived again.

- filling: what is to be imported is staged, and has no effect yet. If the bridge ends now, nothing was imported.
- applying: all is staged, and the import will be finished, by the next bridge if need be. Whoever writes sees shifts
  and counts as they will be. Whatever changes in the tables that reports read goes into the `…_change` tables.
- merging: reports add the change tables to what they read, so all of the import counts at once. Meanwhile the changes
  move to where they belong.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.connection import Store

_STAGED = (
    "staged_message",
    "refold_due",
    "shift_change",
    "shifts_replaced",
    "seller_change",
    "seller_at_site_change",
    "counts_change",
    "timezone_change",
)


class Phase(StrEnum):
    """The phases of an import, in their order."""

    FILLING = "filling"
    APPLYING = "applying"
    MERGING = "merging"


def phase(store: Store) -> Phase | None:
    """Return how far the import is; None if there is none."""
    row = store.one("SELECT phase FROM import_phase")
    return Phase(row[0]) if row else None


def is_accepted(store: Store) -> bool:
    """Return whether an import is under way that will be finished in any case."""
    return phase(store) in {Phase.APPLYING, Phase.MERGING}


def is_visible(store: Store) -> bool:
    """Return whether reports add the change tables to what they read."""
    return phase(store) is Phase.MERGING


def begin(store: Store) -> None:
    """Begin to stage an import; drop what one that failed has left."""
    clear(store)
    store.run("INSERT INTO import_phase VALUES (?)", (Phase.FILLING,))


def enter(store: Store, wanted: Phase) -> None:
    """Go on to a phase; what was read before may have changed by it."""
    store.run("UPDATE import_phase SET phase = ?", (wanted,))
    store.forget()


def clear(store: Store) -> None:
    """Drop an import that was not accepted, or is merged."""
    for table in ("import_phase", *_STAGED):
        store.run(f"DELETE FROM {table}")  # noqa: S608 - the names above
    store.run("DELETE FROM history WHERE pending = 1")
    store.forget()


def stage_refold(store: Store, site_id: str, console_id: str, from_ms: int, to_ms: int) -> None:
    """Have the surveys of a console derived again, and the site's counts, in a period; without a console only those."""
    store.run(
        "INSERT INTO refold_due VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET from_ms = min(from_ms, excluded.from_ms), to_ms = max(to_ms, excluded.to_ms)",
        (site_id, console_id, from_ms, to_ms),
    )


def refolds_due(store: Store) -> list[tuple[str, str, int, int]]:
    """Return (site_id, console_id, from_ms, to_ms) of what is to be derived again."""
    return store.all("SELECT site_id, console_id, from_ms, to_ms FROM refold_due ORDER BY 1, 2")


def stage_messages(store: Store, lines: Iterable[bytes]) -> None:
    """Stage recorded messages, after those that are staged already."""
    store.run_many("INSERT INTO staged_message (line) VALUES (?)", [(line,) for line in lines])


def staged_messages(store: Store, limit: int) -> list[tuple[int, bytes]]:
    """Return the next recorded messages to take in, as (position, line)."""
    return store.all("SELECT position, line FROM staged_message ORDER BY position LIMIT ?", (limit,))


def last_message(store: Store) -> int:
    """Return the position of the last staged message; 0 if there is none."""
    row = store.one("SELECT coalesce(max(position), 0) FROM staged_message")
    return int(row[0]) if row else 0


def drop_messages(store: Store, last: int) -> None:
    """Drop the staged messages up to a position: they are taken in."""
    store.run("DELETE FROM staged_message WHERE position <= ?", (last,))
