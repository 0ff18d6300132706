"""Read and store the orders to update consoles; of each console only the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.store.connection import Store

WAITING, FETCHING, TRIAL = "waiting", "fetching", "trial"
DONE, FAILED, RETURNED, STOPPED = "done", "failed", "returned", "stopped"
OPEN = (WAITING, FETCHING, TRIAL)
_COLUMNS = (
    "console_key, site_id, console_id, order_id, version, state, reason, fetched, size, older, ordered_at_ms,"
    " changed_at_ms, return_is_proved"
)


class UpdateOrder(NamedTuple):
    """An order that a console run `version`; in state `returned` it tried, and runs its former version again."""

    console_key: int
    site_id: str
    console_id: str
    order_id: str
    version: str
    state: str
    reason: str
    fetched: int
    size: int
    older: int
    ordered_at_ms: int
    changed_at_ms: int
    return_is_proved: int = 0

    @property
    def is_open(self) -> bool:
        """True if the update may still succeed."""
        return self.state in OPEN


def orders(store: Store) -> list[UpdateOrder]:
    """Return all orders to consoles in service, by site and console."""
    rows = store.all(
        f"SELECT {_COLUMNS} FROM update_order JOIN console USING (console_key)"  # noqa: S608
        " WHERE retired_at_ms IS NULL ORDER BY 2, 3"
    )
    return [UpdateOrder(*row) for row in rows]


def absent(store: Store, offline_since_ms: int, silent_since_ms: int) -> set[int]:
    """Return the `console_key` of those with orders that are offline, or silent though not known as offline, since."""
    rows = store.all(
        "SELECT console_key FROM update_order JOIN console USING (console_key)"
        " WHERE last_seen_at_ms < CASE online WHEN 1 THEN ? ELSE ? END",
        (silent_since_ms, offline_since_ms),
    )
    return {int(key) for (key,) in rows}


def order_of(store: Store, site_id: str, console_id: str) -> UpdateOrder | None:
    """Return a console's order; None if it has none."""
    row = store.one(
        f"SELECT {_COLUMNS} FROM update_order JOIN console USING (console_key)"  # noqa: S608
        " WHERE site_id = ? AND console_id = ?",
        (site_id, console_id),
    )
    return UpdateOrder(*row) if row else None


def put(store: Store, order: UpdateOrder) -> None:
    """Store an order, in the place of any that the console had."""
    store.run(
        "INSERT OR REPLACE INTO update_order VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (order.console_key, *order[3:]),
    )


def proved_returns(store: Store, version: str) -> int:
    """Return how many consoles have proved that they fell back from a version."""
    row = store.one(
        "SELECT count(*) FROM update_order WHERE version = ? AND state = ? AND return_is_proved", (version, RETURNED)
    )
    return int(row[0]) if row else 0


def stop(store: Store, version: str | None, states: tuple[str, ...], reason: str) -> int:
    """Stop all orders for a version (None: any) that are in one of these states; return how many there were."""
    marks = ", ".join("?" * len(states))
    store.run(
        f"UPDATE update_order SET state = ?, reason = ?, changed_at_ms = ? WHERE state IN ({marks})"  # noqa: S608
        " AND (? IS NULL OR version = ?)",
        (STOPPED, reason, store.now_ms, *states, version, version),
    )
    return store.changes()


def stop_of_console(store: Store, console_key: int, reason: str) -> None:
    """Stop a console's order, if it is not done."""
    marks = ", ".join("?" * len(OPEN))
    store.run(
        f"UPDATE update_order SET state = ?, reason = ?, changed_at_ms = ? WHERE state IN ({marks})"  # noqa: S608
        " AND console_key = ?",
        (STOPPED, reason, store.now_ms, *OPEN, console_key),
    )
