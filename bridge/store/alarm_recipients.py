"""Store who is told of alarms, and whether they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.model.alarm_recipient import AlarmRecipient

if TYPE_CHECKING:
    from bridge.store.connection import Store


class AlarmDelivery(NamedTuple):
    """An alarm on its way: `waiting`, `sent` or `failed`; `reason` is why the last attempt failed, or ''."""

    alarm_id: int
    recipient_id: str
    state: str
    attempts: int
    due_at_ms: int
    changed_at_ms: int
    reason: str


_COLUMNS = ", ".join(AlarmDelivery._fields)


def recipients(store: Store) -> dict[str, AlarmRecipient]:
    """Return all recipients, by id."""
    rows = store.all(
        "SELECT recipient_id, site_id, way, address, server, sender, login_file, link FROM alarm_recipient ORDER BY 1"
    )
    return {row[0]: AlarmRecipient(*row) for row in rows}


def set_recipient(store: Store, recipient: AlarmRecipient) -> None:
    """Store a recipient, in the place of one of its id."""
    store.run(
        "INSERT OR REPLACE INTO alarm_recipient (recipient_id, site_id, way, address, server, sender, login_file, link)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        recipient,
    )


def remove_recipient(store: Store, recipient_id: str) -> None:
    """Delete a recipient; what waits for it is not sent any more."""
    store.run("DELETE FROM alarm_recipient WHERE recipient_id = ?", (recipient_id,))
    store.run(
        "UPDATE alarm_delivery SET state = 'failed', reason = 'the recipient was removed', changed_at_ms = ?"
        " WHERE recipient_id = ? AND state = 'waiting'",
        (store.now_ms, recipient_id),
    )


def queue(store: Store, alarm_id: int, site_id: str) -> None:
    """Have all recipients of a site told of a new alarm."""
    store.run(
        f"INSERT INTO alarm_delivery ({_COLUMNS})"  # noqa: S608 - no outside text
        " SELECT ?1, recipient_id, 'waiting', 0, ?2, ?2, '' FROM alarm_recipient WHERE site_id IN ('', ?3)",
        (alarm_id, store.now_ms, site_id),
    )


def due(store: Store, now_ms: int, limit: int) -> list[AlarmDelivery]:
    """Return what is to be sent by now, to each recipient at most `limit`, what is due longest first."""
    ranked = (
        "SELECT alarm_id, recipient_id, row_number() OVER (PARTITION BY recipient_id ORDER BY due_at_ms, alarm_id)"
        " AS rank FROM alarm_delivery WHERE state = 'waiting' AND due_at_ms <= ?"
    )
    first = f"SELECT alarm_id, recipient_id FROM ({ranked}) WHERE rank <= ?"  # noqa: S608 - no outside text
    return _read(store, f"(alarm_id, recipient_id) IN ({first}) ORDER BY due_at_ms, 1, 2", (now_ms, limit))


def next_due_ms(store: Store, now_ms: int) -> int | None:
    """Return when something is to be sent after now; None: nothing is."""
    row = store.one("SELECT min(due_at_ms) FROM alarm_delivery WHERE state = 'waiting' AND due_at_ms > ?", (now_ms,))
    return None if row is None or row[0] is None else int(row[0])


def note_attempt(store: Store, delivery: AlarmDelivery) -> None:
    """Store what came of an attempt; one that is not waiting any more stays as it is."""
    store.run(
        "UPDATE alarm_delivery SET state = ?3, attempts = ?4, due_at_ms = ?5, changed_at_ms = ?6, reason = ?7"
        " WHERE alarm_id = ?1 AND recipient_id = ?2 AND state = 'waiting'",
        delivery,
    )


def deliveries_of(store: Store, alarm_id: int) -> list[AlarmDelivery]:
    """Return the deliveries of an alarm, by recipient."""
    return _read(store, "alarm_id = ? ORDER BY recipient_id", (alarm_id,))


def troubled(store: Store, since_ms: int) -> list[AlarmDelivery]:
    """Return each recipient's last delivery since an instant, if it failed or waits after a failed attempt."""
    rows = _read(
        store, "changed_at_ms >= ? AND (state <> 'waiting' OR reason <> '') ORDER BY changed_at_ms", (since_ms,)
    )
    last = {delivery.recipient_id: delivery for delivery in rows}
    return [delivery for delivery in last.values() if delivery.state != "sent"]


def _read(store: Store, where: str, bindings: tuple[object, ...]) -> list[AlarmDelivery]:
    return [AlarmDelivery(*row) for row in store.all(f"SELECT {_COLUMNS} FROM alarm_delivery WHERE {where}", bindings)]  # noqa: S608
