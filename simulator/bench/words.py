"""Read the arguments of the bench's commands: buttons, times, numbers."""

import re

from simulator.console.pinmap import BUTTONS
from simulator.errors import SimulatorError
from simulator.text import printable

_UNITS_MS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_DAYS = 3660
LINE_LIMIT = 2000  # characters of a command
WORD_LIMIT = 100  # characters of a word that an error quotes
_LONG_WORD = re.compile(rf"(\S{{{WORD_LIMIT}}})\S+?(?=[.,;:]?(?:\s|$))")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|h|d|)")


class CommandError(SimulatorError):
    """A line could not be understood, or what it expects did not come.

    The sentence may quote what was typed: characters that a terminal would obey are escaped, endless words are cut.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(printable(_LONG_WORD.sub(r"\1…", sentence)))


class CommandSyntaxError(CommandError):
    """A command has the wrong arguments; the caller adds how it is written."""


def only_word(words: list[str]) -> str:
    """Return the only word; raises CommandSyntaxError if there are more or none."""
    if len(words) != 1:
        raise CommandSyntaxError
    return words[0]


def button_of(word: str) -> str:
    """Check and return a button's name."""
    if word not in BUTTONS:
        raise CommandError(f"There is no button {word}; choose one of {', '.join(BUTTONS)}.")
    return word


def duration(word: str) -> int:
    """Return a time such as 500, 2s or 3h in milliseconds."""
    match = _TIME.fullmatch(word)
    if not match:
        raise CommandError(f"{word} is not a time; write 500, 500ms, 2s, 5min, 3h or 2d.")
    ms = float(match[1]) * _UNITS_MS[match[2]]
    if ms > LONGEST_DAYS * _UNITS_MS["d"]:
        raise CommandError(f"{word} is too long; the longest time is {LONGEST_DAYS}d.")
    return round(ms)


def press_duration(word: str) -> int:
    """Return for how many milliseconds a button is held: at least one."""
    ms = duration(word)
    if ms < 1:
        raise CommandError(f"{word} is too short for a press; the shortest is 1ms.")
    return ms


def on_off(word: str) -> bool:
    """Return True for `on`, False for `off`."""
    if word not in {"on", "off"}:
        raise CommandError(f"{word} is neither on nor off.")
    return word == "on"


def whole_number(word: str, minimum: int) -> int:
    """Return a whole number of at most nine digits, not below `minimum`."""
    if not re.fullmatch(r"\d{1,9}", word) or int(word) < minimum:
        raise CommandError(f"{word} is not valid here; write a whole number, {minimum} or more.")
    return int(word)


def share_of(word: str) -> float:
    """Return a share from 0 to 1 (the first part is done), or below 0 down to -1 (the last part is done)."""
    try:
        share = float(word)
    except ValueError:
        share = 9
    if not -1 <= share <= 1:
        raise CommandError(f"{word} is not a share; write a number from 0 to 1 (first part done) or -1 to 0 (last).")
    return share
