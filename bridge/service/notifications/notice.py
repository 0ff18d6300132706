"""What a recipient is told of an alarm, in words and as JSON."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bridge.model.alarm_text import found_in, place_of, sentence_of

if TYPE_CHECKING:
    from bridge.model.alarm_recipient import AlarmRecipient

NAME_DIGITS = 32
TRIAL_ALARM: dict[str, Any] = {
    "alarm_id": 0,
    "site_id": "a-site",
    "checkout_point_id": "a-till",
    "question_id": "staff",
    "question_revision": 1,
    "answer": "no",
    "state": "open",
    "from_at": "2026-11-22T14:10:00+02:00",
    "to_at": "2026-11-22T14:25:00+02:00",
    "answers": 4,
    "counted": 4,
    "usual_answers": 250,
    "usual_counted": 30,
    "usual_share": 0.12,
    "usual_of": "hour",
    "chance": 0.00025,
    "closed_at": None,
    "closed_because": None,
    "notes": [],
}


class Notice(Struct, frozen=True):
    """An alarm for a recipient: an object of schema/alarm.json."""

    recipient: AlarmRecipient
    alarm: dict[str, Any]
    nonce: str = ""  # of a test, so that each has a name of its own

    @property
    def is_test(self) -> bool:
        """Whether it is a trial, of no real alarm."""
        return bool(self.alarm.get("test"))

    @property
    def name(self) -> str:
        """A name that is the same at each attempt, so that who gets it twice can tell."""
        named = [self.alarm[key] for key in ("alarm_id", "site_id", "raised_at")]
        return hashlib.sha256(f"{named} {self.recipient.recipient_id} {self.nonce}".encode()).hexdigest()[:NAME_DIGITS]

    @property
    def link(self) -> str:
        """Where more is to be seen, or ''."""
        return self.recipient.link.replace("{alarm_id}", str(self.alarm["alarm_id"]))

    def title(self) -> str:
        """Return it in a line."""
        word = "Test of an alarm" if self.is_test else "Good news" if self.alarm["answer"] == "yes" else "Alarm"
        return f"{word}: {place_of(self.alarm)}: {found_in(self.alarm)}"

    def text(self) -> str:
        """Return it in some lines."""
        alarm = self.alarm
        lines = ["This is a test; nothing has happened."] if self.is_test else []
        lines += [
            f"{sentence_of(alarm)}.",
            f"Key question: {alarm['question_id']}, revision {alarm['question_revision']}.",
        ]
        if alarm["state"] == "closed":
            lines.append(f"The alarm has closed meanwhile, at {alarm['closed_at'][11:16]}.")
        elif not self.is_test:
            lines.append(f"Say that you look after it: trivox alarms acknowledge {alarm['alarm_id']}")
        return "\n".join([*lines, *([self.link] if self.link else [])])


def trial_notice(recipient: AlarmRecipient, raised_at: str) -> Notice:
    """Make a notice of no real alarm, to try a recipient out."""
    alarm = {
        **TRIAL_ALARM,
        "site_id": recipient.site_id or TRIAL_ALARM["site_id"],
        "raised_at": raised_at,
        "test": True,
    }
    return Notice(recipient, {**alarm, "sentence": sentence_of(alarm)}, secrets.token_hex(NAME_DIGITS // 2))
