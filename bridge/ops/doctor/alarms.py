"""Say which alarms are open, and who could not be told of one. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.local_time import DAY_MS
from bridge.ops.doctor.database import Diagnosis
from bridge.store import alarm_targets, alarms
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

WEEK_MS = 7 * DAY_MS


def check_alarms(store: Store, now_ms: int) -> Iterator[Diagnosis]:
    """Check who is told of alarms, and whether they were."""
    targets = alarm_targets.targets(store)
    for delivery in alarm_targets.troubled(store, now_ms - DAY_MS):
        if delivery.target_id in targets:
            state = "was not told" if delivery.state == "failed" else "could not be told yet"
            yield Diagnosis(
                f"Alarm target {delivery.target_id} {state} of alarm {delivery.alarm_id}: "
                f"{printable(delivery.reason).removesuffix('.')}; then try `trivox alarm-target test "
                f"{delivery.target_id}`."
            )
    not_closed = alarms.not_closed(store)
    if not_closed:
        yield Diagnosis(f"{plural(len(not_closed), 'alarm')} not closed: see `trivox alarms`.", needs_action=False)
    if not targets and alarms.latest(store, now_ms - WEEK_MS):
        yield Diagnosis(
            "Alarms rang in the last week, but nobody is told of them: name somebody with `trivox alarm-target set`.",
            needs_action=False,
        )
