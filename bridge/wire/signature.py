"""Whether a batch comes from who has its console's key: `mac`, HMAC-SHA256 over what the batch says.

It is made over the values of `epoch`, `first`, `base` and `events` as their JSON stands in the message, joined by line
feeds (schema/README.md, "mac").
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

if TYPE_CHECKING:
    pass

SEPARATOR = b"\n"


class Mac(IntEnum):
    """How it was with a batch's mac, as the database keeps it; None where none was sent, as ever before."""

    FAILED = 0
    HELD = 1
    NO_KEY = 2
    MISSING = 3  # none was sent, though the console had signed before


class Came(NamedTuple):
    """So many events of a console came so, the last at this instant."""

    events: int
    last_at_ms: int


class _Signed(Struct):
    epoch: Raw
    first: Raw
    base: Raw
    events: Raw


_decoder = msgspec.json.Decoder(_Signed)


def signed_text(payload: bytes) -> bytes | None:
    """What the mac of a batch is made over; None where the batch cannot be taken apart."""
    try:
        signed = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return SEPARATOR.join((bytes(signed.epoch), bytes(signed.first), bytes(signed.base), bytes(signed.events)))


def mac_of(payload: bytes, key: bytes) -> str | None:
    """The mac, 64 hex digits, that a batch should have."""
    text = signed_text(payload)
    return None if text is None else hmac.digest(key, text, hashlib.sha256).hex()


def holds(payload: bytes, mac: Any, key: bytes) -> bool:
    """Whether `mac`, as it was sent, is the batch's under this key."""
    wanted = mac_of(payload, key)
    if wanted is None or not isinstance(mac, str):
        return False
    return hmac.compare_digest(wanted.encode(), mac.lower().encode(errors="replace"))
