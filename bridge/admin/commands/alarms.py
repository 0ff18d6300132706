"""Commands about alarms, and about who is told of them."""

from __future__ import annotations

from bridge.admin.commands.base import BridgeCommand


class AcknowledgeAlarm(BridgeCommand, frozen=True):
    """Say that somebody has taken an alarm on."""

    words = "alarms acknowledge"
    alarm_id: int
    comment: str | None = None


class CloseAlarm(BridgeCommand, frozen=True):
    """Close an alarm by hand."""

    words = "alarms close"
    alarm_id: int
    comment: str | None = None


class CommentAlarm(BridgeCommand, frozen=True):
    """Comment on an alarm, whether it is closed or not."""

    words = "alarms comment"
    alarm_id: int
    comment: str


class SetAlarmRecipient(BridgeCommand, frozen=True):
    """Define or change who is told of alarms: the fields of `AlarmRecipient`."""

    words = "alarm-recipient set"
    recipient_id: str
    way: str
    site_id: str = ""
    address: str = ""
    server: str = ""
    sender: str = ""
    login_file: str = ""
    link: str = ""


class RemoveAlarmRecipient(BridgeCommand, frozen=True):
    """Tell a recipient of no alarm any more."""

    words = "alarm-recipient remove"
    recipient_id: str


Commands = AcknowledgeAlarm | CloseAlarm | CommentAlarm | SetAlarmRecipient | RemoveAlarmRecipient
