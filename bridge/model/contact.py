"""Say in a word whether a console is in contact: one word for one thing in all lists. Pure."""

from __future__ import annotations

from bridge.model.local_time import MINUTE_MS

LATE_HEARTBEATS = 3


def late_after_ms(heartbeat_ms: int) -> int:
    """Return for how long a console may be quiet before it is late."""
    return max(LATE_HEARTBEATS * heartbeat_ms, MINUTE_MS)


def contact_in_words(*, online: bool | None, quiet_ms: int, heartbeat_ms: int) -> str:
    """Return what a console said last, unless it should have been heard again since; `online` is None if it never did.

    A broker that stopped cannot say that the console is gone.
    """
    if online is None:
        return "never online"
    if not online:
        return "offline"
    return "no contact" if quiet_ms > late_after_ms(heartbeat_ms) else "online"
