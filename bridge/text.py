"""Short texts: ids, outside text made safe to print, counts with their noun, ages and instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH = 200

# Within these scripts a joiner belongs to the spelling: Arabic, the scripts of India, emoji …
_JOINED = "\u0590-\u1fff\u2190-\u2bff\u3040-\ud7ff\ufb1d-\ufdcf\ufdf0-\ufe0f\ufe70-\ufefc\U00010000-\U0003ffff"
_UNSAFE = (
    "["
    "\\x00-\\x1f\\x7f-\\x9f"  # controls, C0 and C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\u2028\u2029"  # separators of lines and paragraphs
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"  # invisible
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # also, with tags
    "\ufdd0-\ufdef\ufffe\uffff\ue000-\uf8ff\U000f0000-\U0010ffff"  # no characters, or private ones
    "\ud800-\udfff"  # halves of pairs
    "]"
    f"|(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])"
    "|(?<![\u1820-\u18aa])[\u180b-\u180f]"  # variants of Mongolian letters
    "|(?<![\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"  # … and of Chinese characters
)

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


def valid_id(text: str) -> bool:
    """Return whether this can be the id of a site, a console, a source of counts or a viewer."""
    return _ID.fullmatch(text) is not None


def replace_unsafe(text: str, escape: Callable[[str], str]) -> str:
    """Return the text with an escape for each character that steers a terminal or cannot be seen.

    Text from outside goes through here before it goes out. Letters of every script stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return _unsafe().sub(lambda match: escape(match[0]), text)


@cache
def _unsafe() -> re.Pattern[str]:
    """Return what needs an escape; most commands print none, and compiling it takes a twentieth of their time."""
    return re.compile(_UNSAFE)


def is_visible(text: str) -> bool:
    """Return whether nothing in the text needs an escape."""
    return escaped(text) == text


def escaped(text: str) -> str:
    r"""Return the text on one line, with escapes such as `\x1b`."""
    return replace_unsafe(text, lambda char: char.encode("unicode_escape").decode("ascii"))


def escaped_lines(text: str) -> str:
    """Return the text with such escapes for all but its line feeds."""
    return "\n".join(map(escaped, text.split("\n")))


def printable(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return the text escaped, on one line, and cut to `max_length` characters so that it cannot fill a screen."""
    return escaped(text if len(text) <= max_length else f"{text[: max_length - 1]}…")


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
