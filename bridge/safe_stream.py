"""Make standard output and standard error safe: in UTF-8, and without characters that steer a terminal.

All that a command prints goes through here, also what libraries print. Only what bridge/rich_terminal.py draws goes to
the stream below, for its colours are such characters themselves.
"""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, TYPE_CHECKING, Any

from bridge.text import escaped, escaped_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING_LETTERS = "backslashreplace"


class SafeStream(io.TextIOBase):
    """Escapes what is written to a stream; `below` is that stream itself."""

    def __init__(self, below: IO[str]) -> None:
        self.below = below

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream below."""
        return encoding_of(self.below)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write the text, with unsafe characters escaped."""
        self.below.write(escaped_lines(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream below."""
        self.below.flush()

    def isatty(self) -> bool:
        """Return whether the stream below is a terminal."""
        return self.below.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the stream below."""
        return self.below.fileno()

    def close(self) -> None:
        """Leave the stream below open: it belongs to the process."""


def encoding_of(stream: Any) -> str:
    """Return the encoding of a stream; what tests put in its place may have none."""
    return getattr(stream, "encoding", None) or "utf-8"


def displayed(text: str) -> str:
    """Return a text on one line as standard output shows it: measure this, for escapes take more room than letters."""
    encoding = encoding_of(sys.stdout)
    return escaped(text).encode(encoding, MISSING_LETTERS).decode(encoding)


def below(stream: Any) -> Any:
    """Return the stream below a safe one."""
    return stream.below if isinstance(stream, SafeStream) else stream


@contextmanager
def safe_output() -> Iterator[None]:
    """Make what is printed in the context safe."""
    for stream in (sys.stdout, sys.stderr):
        _use_utf_8(stream)
    with redirect_stdout(_safe(sys.stdout)), redirect_stderr(_safe(sys.stderr)):
        yield


def _safe(stream: Any) -> Any:
    return stream if isinstance(stream, SafeStream) else SafeStream(stream)


def _use_utf_8(stream: Any) -> None:
    """Write files and pipes in UTF-8, whatever the locale; a terminal gets escapes for what its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper):
        encoding = stream.encoding if stream.isatty() else "utf-8"
        if (stream.encoding, stream.errors) != (encoding, MISSING_LETTERS):
            stream.reconfigure(encoding=encoding, errors=MISSING_LETTERS)
