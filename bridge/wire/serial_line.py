"""The lines of a serial connection: `leaf TAB payload TAB crc32 LF`, both ways. No I/O."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bridge.wire.contract import valid_id

if TYPE_CHECKING:
    from collections import Counter

LINE_BYTES_MAX = 8192 + 64  # a batch is at most 8 KiB; a board takes no longer line either
CRC_DIGITS = 8
SPACES = bytes.maketrans(b"\t\r\n", b"   ")
HELLO = "hello"

_LEAF = re.compile(rb"[a-z]+")
_HARDWARE_ID = re.compile(r"[0-9a-f]{1,32}", re.ASCII)


class Message(NamedTuple):
    """A message as it stands in a line."""

    leaf: str
    payload: bytes


class Identity(msgspec.Struct, frozen=True):
    """Who a board says it is."""

    site_id: str
    console_id: str
    hardware_id: str

    @property
    def name(self) -> tuple[str, str]:
        """What stands in topics; two boards may have it by mistake."""
        return self.site_id, self.console_id

    @property
    def client_id(self) -> str:
        """Under which name it is at the broker, as any console."""
        return f"trivox-{self.site_id}-{self.console_id}-{self.hardware_id}"

    @property
    def topics(self) -> str:
        """What its topics begin with."""
        return f"trivox/v1/{self.site_id}/{self.console_id}/"


def read_hello(payload: bytes) -> Identity | None:
    """Who says hello; None if that is nobody."""
    try:
        said = msgspec.json.decode(payload, type=Identity)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    is_valid = valid_id(said.site_id) and valid_id(said.console_id) and _HARDWARE_ID.fullmatch(said.hardware_id)
    return said if is_valid else None


def line_of(message: Message) -> bytes | None:
    """The line for a message of JSON, whose line breaks are but space; None if it is too long for a board."""
    body = message.leaf.encode() + b"\t" + message.payload.translate(SPACES)
    line = b"%s\t%08x\n" % (body, zlib.crc32(body))
    return line if len(line) <= LINE_BYTES_MAX else None


def message_of(line: bytes) -> Message | None:
    """The message in a line without its end; None if the line does not check."""
    body, _, crc = line.rpartition(b"\t")
    leaf, tab, payload = body.partition(b"\t")
    if not tab or crc != b"%08x" % zlib.crc32(body) or not _LEAF.fullmatch(leaf):
        return None
    return Message(leaf.decode(), payload)


class LineReader:
    """Cuts what arrives into messages; `bad` counts lines that are none, by reason.

    The first line after a port was opened may have begun before: `cut_at_start`.
    """

    def __init__(self, bad: Counter[str]) -> None:
        self._bad = bad
        self._left = b""
        self._is_too_long = False
        self._is_first = True

    def take(self, data: bytes) -> list[Message]:
        """The messages that are whole by now."""
        *lines, left = (self._left + data).split(b"\n")
        found = [message for line in lines if (message := self._message(line)) is not None]
        if len(left) > LINE_BYTES_MAX:
            left, self._is_too_long = b"", True
        self._left = left
        return found

    def _message(self, line: bytes) -> Message | None:
        line = line.removesuffix(b"\r")
        is_first, self._is_first = self._is_first, False
        is_too_long, self._is_too_long = self._is_too_long or len(line) > LINE_BYTES_MAX, False
        if not line and not is_too_long:
            return None  # it only ends what another left unfinished
        if is_too_long:
            self._bad["too_long"] += 1
            return None
        message = message_of(line)
        if message is None:
            self._bad["cut_at_start" if is_first else "crc"] += 1
        return message
