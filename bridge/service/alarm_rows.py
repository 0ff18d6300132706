"""Alarms as objects: what `trivox alarms --format json` writes and webhooks send. The keys are in schema/alarm.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.model.alarm_text import sentence_of
from bridge.model.local_time import local
from bridge.store import alarm_recipients, alarms

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.store.alarms import AlarmRow


def alarm_object(store: Store, alarm: AlarmRow) -> dict[str, Any]:
    """Return an alarm with its notes, times in its site's time."""
    figures, zone = alarm.figures, alarm.timezone
    made: dict[str, Any] = {
        "alarm_id": alarm.alarm_id,
        **alarm.place._asdict(),
        "state": alarm.state,
        "raised_at": _text(alarm.raised_at_ms, zone),
        "from_at": _text(figures.from_ms, zone),
        "to_at": _text(figures.to_ms, zone),
        "answers": figures.answers,
        "counted": figures.counted,
        "usual_answers": figures.usual_answers,
        "usual_counted": figures.usual_counted,
        "usual_share": figures.usual_counted / figures.usual_answers,
        "usual_of": figures.usual_of,
        "chance": figures.chance,
        "closed_at": _text(alarm.closed_at_ms, zone),
        "closed_because": alarm.closed_because,
        "notes": [
            {"noted_at": _text(note.noted_at_ms, zone), **note._asdict()}
            for note in alarms.notes(store, alarm.alarm_id)
        ],
    }
    for note in made["notes"]:
        del note["noted_at_ms"]
    return {**made, "sentence": sentence_of(made)}


def listed_alarm(store: Store, alarm: AlarmRow) -> dict[str, Any]:
    """Return an alarm with its notes, and whether recipients were told of it."""
    deliveries = [
        {
            "recipient_id": delivery.recipient_id,
            "state": delivery.state,
            "attempts": delivery.attempts,
            "changed_at": _text(delivery.changed_at_ms, alarm.timezone),
            "reason": delivery.reason or None,
        }
        for delivery in alarm_recipients.deliveries_of(store, alarm.alarm_id)
    ]
    return {**alarm_object(store, alarm), "deliveries": deliveries}


def _text(at_ms: int | None, timezone: str) -> str | None:
    return None if at_ms is None else local(at_ms, timezone).isoformat()
