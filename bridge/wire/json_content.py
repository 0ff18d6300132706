"""Tell whether two JSON texts hold the same content, also where of one only a digest was kept. No I/O, no clock."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from bridge.wire.contract import Event

DIGEST = "whole_sha256"  # of an event some of whose fields are not kept


def without_unknown_fields(event: Event, raw: bytes) -> bytes:
    """Return the event's text with its known fields alone, and a digest by which `same_content` knows the whole."""
    return msgspec.json.encode(event)[:-1] + f',"{DIGEST}":"{_digest(raw)}"}}'.encode()


def same_content(first: bytes, second: bytes) -> bool:
    """Return whether two JSON texts hold the same content, however they are written."""
    if first == second or canonical(first) == canonical(second):
        return True
    return DIGEST.encode() in first and msgspec.json.decode(first).get(DIGEST) == _digest(second)


def _digest(raw: bytes) -> str:
    return hashlib.sha256(canonical(raw)).hexdigest()


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
