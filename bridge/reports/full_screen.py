"""Draw on the whole terminal, again and again, without leaving traces: neither on it nor in what was there before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self, TextIO

from bridge.safe_stream import below

if TYPE_CHECKING:
    pass

# The second screen, a hidden cursor, and lines that are cut instead of wrapped while the terminal becomes narrower.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def size_of(terminal: TextIO) -> os.terminal_size:
    """Return a terminal's size in columns and lines; 80 and 24 if it does not know its own."""
    size = os.get_terminal_size(terminal.fileno())
    return size if size.columns and size.lines else os.terminal_size((80, 24))


def write_lines(terminal: TextIO, lines: list[str]) -> None:
    """Write lines that were laid out by grid.py, which has escaped what is in them."""
    below(terminal).write("".join(f"{line}\n" for line in lines))


class FullScreen:
    """The terminal's second screen, which has no history: each drawing replaces all of the one before."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = below(terminal)

    def __enter__(self) -> Self:
        """Change to the second screen."""
        self._write(_ENTER)
        return self

    def __exit__(self, *_: object) -> None:
        """Go back to what the terminal showed before."""
        self._write(_LEAVE)

    @property
    def size(self) -> os.terminal_size:
        """The terminal's size as it is now."""
        return size_of(self._terminal)

    def draw(self, lines: list[str]) -> None:
        """Draw lines laid out by grid.py, as many as there is room for; if not for all, the last one says so."""
        height = max(1, self.size.lines)
        if len(lines) > height:
            hidden = len(lines) - height + 1
            lines = [*lines[: height - 1], f"… {hidden} more lines: make the window higher"]
        self._write(_HOME + "\n".join(f"{line}{_CLEAR_LINE}" for line in lines) + _CLEAR_BELOW)

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()
