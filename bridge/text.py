"""Text from outside as people may see it: short, on one line, and without what steers a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

MAX_LENGTH = 200


def printable(text: str, most: int = MAX_LENGTH) -> str:
    """The text with what cannot be printed escaped, cut to `most` characters."""
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    if short.isprintable():
        return short
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in short)


def plural(count: int, word: str) -> str:
    """The count with its word: 1 console, 2 consoles."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


MINUTE_MS = 60_000
DAY_MINUTES = 1440
DAY_MS = DAY_MINUTES * MINUTE_MS


def ago(elapsed_ms: int) -> str:
    """How long ago, in words."""
    minutes = max(0, elapsed_ms) // MINUTE_MS
    if not minutes:
        return "just now"
    if minutes < 2 * 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 2 * DAY_MINUTES else f"{minutes // DAY_MINUTES} days ago"


def utc(at_ms: int) -> str:
    """An instant for people."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
