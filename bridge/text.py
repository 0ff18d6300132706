"""Text from outside as people may see it: short, on one line, and without what steers a terminal."""

from __future__ import annotations

MOST = 200


def plain(text: str, most: int = MOST) -> str:
    """The text with what cannot be printed escaped, cut to `most` characters."""
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    if short.isprintable():
        return short
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in short)


def counted(count: int, word: str) -> str:
    """The count with its word: 1 console, 2 consoles."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
