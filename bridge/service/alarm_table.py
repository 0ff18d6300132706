"""Alarms as a table for people, and as CSV. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.data_formats import to_csv
from bridge.reports.grid import Column, lay_out

if TYPE_CHECKING:
    from collections.abc import Sequence

CSV_COLUMNS = (
    *("alarm_id", "site_id", "checkout_point_id", "question_id", "question_revision", "answer", "state", "raised_at"),
    *("from_at", "to_at", "answers", "counted", "usual_answers", "usual_counted", "usual_share", "usual_of", "chance"),
    *("closed_at", "closed_because", "sentence"),
)
BECAUSE = {"recovered": "recovered", "quiet": "few answers since", "by_hand": "by hand"}


def as_csv(alarms: Sequence[dict[str, Any]]) -> str:
    """Return alarms, objects of schema/alarm.json, as CSV with a heading."""
    return to_csv([CSV_COLUMNS, *([alarm[name] for name in CSV_COLUMNS] for alarm in alarms)])


def as_text(alarms: Sequence[dict[str, Any]], width: int | None) -> str:
    """Return alarms as a table within a width: what each is about in words, and what people have done since."""
    grid = lay_out(
        [
            Column("alarm", [str(alarm["alarm_id"]) for alarm in alarms]),
            Column("state", [_state(alarm) for alarm in alarms], figures=False, whole=True),
            Column("raised", [_moment(alarm["raised_at"]) for alarm in alarms], figures=False, whole=True, rank=1),
            Column("what", ["\n".join(_lines(alarm)) for alarm in alarms], figures=False),
        ],
        width,
    )
    return "\n".join([*grid.heading, *grid.lines]) + "\n"


def _state(alarm: dict[str, Any]) -> str:
    if alarm["state"] != "closed":
        return str(alarm["state"])
    return f"closed {_moment(alarm['closed_at'])[-5:]},\n{BECAUSE[alarm['closed_because']]}"


def _moment(text: str) -> str:
    """Return a time in ISO 8601 as `2026-11-22 14:25`."""
    return text[:16].replace("T", " ")


def _lines(alarm: dict[str, Any]) -> list[str]:
    lines = [f"{alarm['sentence']}."]
    for note in alarm["notes"]:
        said = f": {note['comment']}" if note["comment"] else ""
        lines.append(f"{note['action']} by {note['who']}, {_moment(note['noted_at'])}{said}")
    for delivery in alarm["deliveries"]:
        if delivery["reason"]:
            again = "" if delivery["state"] == "failed" else " yet"
            lines.append(f"{delivery['recipient_id']} was not told{again}: {delivery['reason']}")
    return lines
