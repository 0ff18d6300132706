"""Tell whether two JSON texts hold the same content, also where of one only a digest was kept. No I/O, no clock."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from bridge.wire.contract import Event

DIGEST = b"whole_sha256"  # of an event some of whose fields are not kept
LAYOUT_BYTES = 64  # by which a text may be longer than its known fields without any others: spaces, escapes


def unknown_bytes(event: Event, raw: bytes) -> int:
    """Return how many bytes of an event's text its unknown fields take, about; 0 if it has none."""
    more = len(raw) - len(msgspec.json.encode(event))
    return more if more > LAYOUT_BYTES else 0


def without_unknown_fields(event: Event, raw: bytes) -> bytes:
    """Return the event's text with its known fields alone, and a digest by which `same_as_kept` knows the whole."""
    return msgspec.json.encode(event)[:-1] + _digest(raw)


def same_as_kept(kept: bytes, raw: bytes) -> bool:
    """Return whether an event's text holds what was received when `kept` was, of which it may hold only a digest.

    Never keep an event as sent that holds DIGEST: its sender could say that it equals any other.
    """
    return same_content(kept, raw) or kept.endswith(_digest(raw))


def same_content(first: bytes, second: bytes) -> bool:
    """Return whether two JSON texts hold the same content, however they are written."""
    return first == second or canonical(first) == canonical(second)


def _digest(raw: bytes) -> bytes:
    """Return the last field of an event's text: the digest of all that was sent."""
    return b',"%b":"%b"}' % (DIGEST, hashlib.sha256(canonical(raw)).hexdigest().encode())


def canonical(text: bytes) -> bytes:
    """Return one form for all JSON texts of the same content; a text that cannot be read is returned as it is."""
    try:
        return msgspec.json.encode(_with_whole_numbers(msgspec.json.decode(text)), order="sorted")
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return text


def _with_whole_numbers(value: Any) -> Any:
    """Return the value with each 1.0 as 1, which is the same number in JSON."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
