"""Ids as people type them."""

from __future__ import annotations

from bridge.contract import valid_id
from bridge.errors import UsageError


def check_id(what: str, text: str) -> str:
    """An id as it stands in topics; raises UsageError with what it must be like."""
    if not valid_id(text):
        raise UsageError(f"{what} {text!r} is no id: small letters, digits, _ and -, at most 32, no sign in front.")
    return text
