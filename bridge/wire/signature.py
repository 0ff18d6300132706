"""Check the MAC of a batch, or of a word of a console about itself: it proves that the sender has the console's key.

It is HMAC-SHA256 over the values of `epoch`, `first`, `base` and `events`, each as its JSON text in the message, joined
by line feeds; or over the leaf and the payload without its MAC (schema/README.md, "mac").
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

SEPARATOR = b"\n"


class Mac(IntEnum):
    """The result of checking a MAC, as the database stores it.

    None in its place: none was sent, by a console that had not signed before.
    """

    FAILED = 0
    VALID = 1
    NO_KEY = 2  # no key is known to check it by
    MISSING = 3  # none was sent, though the console had signed before
    STALE = 4  # it is right, but the word is not later than one proved before


class MacCount(NamedTuple):
    """The number of a console's events (or words) with one result of the check, and the time of the last."""

    total: int
    last_at_ms: int


class _Signed(Struct):
    epoch: Raw
    first: Raw
    base: Raw
    events: Raw


_decoder = msgspec.json.Decoder(_Signed)
_MAC_NAME = b'"mac"'
_MAC = re.compile(rb'"mac"\s*:\s*"([0-9A-Fa-f]{64})"(\s*\}\s*)')


def signed_text(payload: bytes) -> bytes | None:
    """Return the bytes that the MAC of a batch is made over; None if the batch cannot be taken apart."""
    try:
        signed = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return SEPARATOR.join((bytes(signed.epoch), bytes(signed.first), bytes(signed.base), bytes(signed.events)))


def mac_of(payload: bytes, key: bytes) -> str | None:
    """Return the MAC, 64 hex digits, that a batch should have under this key; None as for `signed_text`."""
    text = signed_text(payload)
    return None if text is None else hmac.digest(key, text, hashlib.sha256).hex()


def verify_mac(payload: bytes, mac: Any, key: bytes) -> bool:
    """Return whether `mac`, whatever was sent as such, is the batch's MAC under this key."""
    expected = mac_of(payload, key)
    if expected is None or not isinstance(mac, str):
        return False
    return hmac.compare_digest(expected.encode(), mac.lower().encode(errors="replace"))


def split_word(payload: bytes) -> tuple[bytes, str] | None:
    """Return a word's payload as it would stand without its MAC, and the MAC; None if that is not its last member."""
    at = max(payload.rfind(_MAC_NAME), 0)
    match = _MAC.fullmatch(payload, at)
    before = payload[:at].rstrip()
    if match is None or not before.endswith(b","):
        return None
    return before[:-1] + match[2], match[1].decode()


def verify_word(leaf: str, payload: bytes, key: bytes) -> bool:
    """Return whether the payload of a `status`, `health` or `reply` ends with its MAC under this key."""
    parts = split_word(payload)
    if parts is None:
        return False
    expected = hmac.digest(key, leaf.encode() + SEPARATOR + parts[0], hashlib.sha256).hex()
    return hmac.compare_digest(expected, parts[1].lower())
