"""Send an alarm to a webhook: JSON of schema/alarm.json, signed.

The header `Trivox-Signature` is `sha256=` and the HMAC-SHA256, in hex, with the recipient's secret over the header
`Trivox-Timestamp` (seconds since 1970-01-01 UTC), a full stop, and the body as sent. A receiver compares it, and
refuses what is older than some minutes. `Trivox-Delivery` is the same at each attempt to deliver the same alarm.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from bridge.data_formats import to_json
from bridge.errors import TrivoxError
from bridge.service.notifications.web import post

if TYPE_CHECKING:
    from bridge.service.notifications.notice import Notice
    from bridge.service.notifications.recipient_login import RecipientLogin


def send(notice: Notice, login: RecipientLogin) -> None:
    """Post the alarm. Raises TrivoxError."""
    if not login.secret:
        raise TrivoxError('The webhook has no secret to sign with: give --login FILE with secret = "…" in it.')
    body = to_json(notice.alarm).encode()
    timestamp = str(time.time_ns() // 1_000_000_000)
    headers = {
        "Content-Type": "application/json",
        "Trivox-Delivery": notice.name,
        "Trivox-Timestamp": timestamp,
        "Trivox-Signature": signature(login.secret, timestamp, body),
    }
    post(notice.recipient.address, body, headers, login)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the header `Trivox-Signature` of a body."""
    signed = f"{timestamp}.".encode() + body
    return f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
