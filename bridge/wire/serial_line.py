"""Encode and decode the lines of a serial connection: `leaf TAB payload TAB crc32 LF`, both ways. No I/O."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bridge.text import valid_id

if TYPE_CHECKING:
    from collections import Counter

LINE_BYTES_MAX = 8192 + 64  # a batch is at most 8 KiB; boards accept no longer line either
SPACES = bytes.maketrans(b"\t\r\n", b"   ")
HELLO = "hello"
CUT_LINES_MAX = 3

_LEAF = re.compile(rb"[a-z]+")
_HARDWARE_ID = re.compile(r"[0-9a-f]{1,32}", re.ASCII)


class Message(NamedTuple):
    """A message as a line carries it: the leaf of its topic, and its payload."""

    leaf: str
    payload: bytes


class Identity(msgspec.Struct, frozen=True):
    """The console that a board says it is."""

    site_id: str
    console_id: str
    hardware_id: str

    @property
    def name(self) -> tuple[str, str]:
        """(site_id, console_id); two boards may have the same by mistake."""
        return self.site_id, self.console_id

    @property
    def client_id(self) -> str:
        """The client id that it has at the broker, as every console does."""
        return f"trivox-{self.site_id}-{self.console_id}-{self.hardware_id}"

    @property
    def topics(self) -> str:
        """The prefix of its topics."""
        return f"trivox/v1/{self.site_id}/{self.console_id}/"


def read_hello(payload: bytes) -> Identity | None:
    """Read who says hello; None if the identity is invalid."""
    try:
        identity = msgspec.json.decode(payload, type=Identity)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    is_named = valid_id(identity.site_id) and valid_id(identity.console_id)
    return identity if is_named and _HARDWARE_ID.fullmatch(identity.hardware_id) else None


def encode_line(message: Message) -> bytes | None:
    """Encode a message of JSON, whose line breaks become spaces; None if the line is too long for a board."""
    body = message.leaf.encode() + b"\t" + message.payload.translate(SPACES)
    line = b"%s\t%08x\n" % (body, zlib.crc32(body))
    return line if len(line) <= LINE_BYTES_MAX else None


def decode_line(line: bytes) -> Message | None:
    """Decode a line without its line feed; None if it is malformed or its checksum is wrong."""
    body, _, crc = line.rpartition(b"\t")
    leaf, tab, payload = body.partition(b"\t")
    if not tab or crc != b"%08x" % zlib.crc32(body) or not _LEAF.fullmatch(leaf):
        return None
    return Message(leaf.decode(), payload)


class LineReader:
    """Cuts the arriving bytes into messages; `bad` counts the lines that are not messages, by reason.

    Until the first message, a few may be what an earlier program left in the port, and the end of a line that began
    before it was opened: they count as `cut_at_start`.
    """

    def __init__(self, bad: Counter[str]) -> None:
        self._bad = bad
        self._rest = b""
        self._is_too_long = False
        self._cut_lines_left = CUT_LINES_MAX

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes; return the messages that they complete."""
        *lines, rest = (self._rest + data).split(b"\n")
        messages = [message for line in lines if (message := self._message(line)) is not None]
        if len(rest) > LINE_BYTES_MAX:
            rest, self._is_too_long = b"", True
        self._rest = rest
        return messages

    def _message(self, line: bytes) -> Message | None:
        line = line.removesuffix(b"\r")
        is_too_long, self._is_too_long = self._is_too_long or len(line) > LINE_BYTES_MAX, False
        if not line and not is_too_long:
            return None  # an empty line only ends what was left unfinished before it
        if is_too_long:
            self._bad["too_long"] += 1
            return None
        message = decode_line(line)
        if message is not None:
            self._cut_lines_left = 0
        elif self._cut_lines_left:
            self._cut_lines_left -= 1
            self._bad["cut_at_start"] += 1
        else:
            self._bad["crc"] += 1
        return message
