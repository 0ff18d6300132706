"""Ids as people type them."""

from __future__ import annotations

from bridge.errors import UsageError
from bridge.wire.contract import valid_id


def check_id(what: str, text: str) -> str:
    """An id as it stands in topics; raises UsageError with what it must be like."""
    if not valid_id(text):
        raise UsageError(f"{what} {text!r} is no id: small letters, digits, _ and -, at most 32, no sign in front.")
    return text


def check_name(what: str, text: str) -> tuple[str, str]:
    """(site, id) of a console or source named SITE/ID; raises UsageError."""
    site, separator, id_ = text.partition("/")
    if not separator:
        raise UsageError(f"{text!r} is no {what}: give SITE/{what.upper()}.")
    return check_id("site", site), check_id(what, id_)
