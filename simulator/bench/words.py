"""What stands behind a command of the bench's language: buttons, times, numbers."""

import re

from simulator.console.pinmap import BUTTONS
from simulator.errors import SimulatorError

_UNITS_MS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_DAYS = 3660
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|h|d|)")


class CommandError(SimulatorError):
    """A line could not be understood, or what it expects did not come."""


class UsageError(CommandError):
    """A command has other words behind it than it takes."""


def one(words: list[str]) -> str:
    """The only word."""
    if len(words) != 1:
        raise UsageError
    return words[0]


def button_of(word: str) -> str:
    """A button's name."""
    if word not in BUTTONS:
        raise CommandError(f"There is no button {word}; take one of {', '.join(BUTTONS)}.")
    return word


def duration(word: str) -> int:
    """Milliseconds."""
    found = _TIME.fullmatch(word)
    if not found:
        raise CommandError(f"{word} is no time; write 500, 500ms, 2s, 5min, 3h or 2d.")
    ms = float(found[1]) * _UNITS_MS[found[2]]
    if ms > LONGEST_DAYS * _UNITS_MS["d"]:
        raise CommandError(f"{word} is too long; the longest is {LONGEST_DAYS}d.")
    return round(ms)


def held(word: str) -> int:
    """For how many milliseconds a button is down: one at least."""
    ms = duration(word)
    if ms < 1:
        raise CommandError(f"{word} is no length of a press; the shortest is 1ms.")
    return ms


def on_off(word: str) -> bool:
    """True for on."""
    if word not in {"on", "off"}:
        raise CommandError(f"{word} is neither on nor off.")
    return word == "on"


def whole(word: str, least: int) -> int:
    """A whole number, not below `least`."""
    if not re.fullmatch(r"\d{1,9}", word) or int(word) < least:
        raise CommandError(f"{word} is no whole number from {least} on.")
    return int(word)


def share_of(word: str) -> float:
    """From 0 to 1 (the first part is done), or down to -1 (a last part)."""
    try:
        share = float(word)
    except ValueError:
        share = 9
    if not -1 <= share <= 1:
        raise CommandError(f"{word} is no share; write a number from 0 to 1 (the first part done), or below 0 to -1.")
    return share
