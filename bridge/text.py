"""Short texts for people: outside text made safe to print, counts with their noun, ages and instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MAX_LENGTH = 200

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


def printable(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return the text on one line: cut to `max_length` characters, then with the unprintable ones escaped.

    Text from consoles and users goes through here first, so that it can neither steer a terminal nor fill a screen.
    """
    short = text if len(text) <= max_length else f"{text[: max_length - 1]}…"
    if short.isprintable():
        return short
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in short)


def plural(count: int, word: str) -> str:
    """Return the count with its noun: 1 console, 2 consoles."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def ago(elapsed_ms: int) -> str:
    """Return how long ago something was, in words; a negative time counts as just now."""
    elapsed = timedelta(milliseconds=max(0, elapsed_ms))
    if elapsed < _MINUTE:
        return "just now"
    if elapsed < 2 * _HOUR:
        return f"{elapsed // _MINUTE} min ago"
    return f"{elapsed // _HOUR} h ago" if elapsed < timedelta(days=2) else f"{elapsed.days} days ago"


def utc(at_ms: int) -> str:
    """Return an instant for people, as `2026-11-22 13:00 UTC`."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
