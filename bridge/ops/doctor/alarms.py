"""Say which alarms are open, and who could not be told of one. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.local_time import DAY_MS
from bridge.ops.doctor.database import Diagnosis
from bridge.store import alarm_recipients, alarms
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

WEEK_MS = 7 * DAY_MS


def check_alarms(store: Store, now_ms: int) -> Iterator[Diagnosis]:
    """Check who is told of alarms, and whether they were."""
    recipients = alarm_recipients.recipients(store)
    for delivery in alarm_recipients.troubled(store, now_ms - DAY_MS):
        if delivery.recipient_id in recipients:
            state = "was not told" if delivery.state == "failed" else "could not be told yet"
            yield Diagnosis(
                f"Alarm recipient {delivery.recipient_id} {state} of alarm {delivery.alarm_id}: "
                f"{printable(delivery.reason).removesuffix('.')}; then try `trivox alarm-recipient test "
                f"{delivery.recipient_id}`."
            )
    not_closed = alarms.not_closed(store)
    if not_closed:
        yield Diagnosis(f"{plural(len(not_closed), 'alarm')} not closed: see `trivox alarms`.", needs_action=False)
    if not recipients and alarms.latest(store, now_ms - WEEK_MS):
        yield Diagnosis(
            "Alarms rang in the last week, but nobody is told: name somebody with `trivox alarm-recipient set`.",
            needs_action=False,
        )
