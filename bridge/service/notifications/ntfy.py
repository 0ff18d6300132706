"""Send an alarm to a topic of ntfy (https://docs.ntfy.sh/publish), which shows it on telephones."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from bridge.service.notifications.web import post

if TYPE_CHECKING:
    from bridge.service.notifications.notice import Notice
    from bridge.service.notifications.recipient_login import RecipientLogin

PRIORITY = {"no": "high", "yes": "default"}
TAGS = {"no": "rotating_light", "yes": "tada"}


def send(notice: Notice, login: RecipientLogin) -> None:
    """Publish the alarm. Raises TrivoxError."""
    answer = notice.alarm["answer"]
    headers = {
        "Title": _encoded(notice.title()),
        "Priority": PRIORITY[answer],
        "Tags": f"{TAGS[answer]},trivox",
        "Content-Type": "text/plain; charset=utf-8",
        **_actions(notice.link),
    }
    post(notice.recipient.address, notice.text().encode(), headers, login)


def _encoded(title: str) -> str:
    """Return a header's text: names of checkout points may be in any script, and headers are ASCII (RFC 2047)."""
    if title.isascii():
        return title
    return f"=?UTF-8?B?{b64encode(title.encode()).decode('ascii')}?="


def _actions(link: str) -> dict[str, str]:
    """Return what a tap on the message, and its button, lead to; commas and semicolons would end an action."""
    if not link:
        return {}
    quoted = link.replace('"', "%22").replace("'", "%27")
    return {"Click": link, "Actions": f'view, Open, "{quoted}"'}
