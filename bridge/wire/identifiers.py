"""Check ids as people type them."""

from __future__ import annotations

from bridge.errors import UsageError
from bridge.text import valid_id


def check_id(what: str, text: str) -> str:
    """Return `text` if it is a valid id; raise UsageError otherwise. `what` names the kind of id in the error."""
    if not valid_id(text):
        raise UsageError(
            f"{what} {text!r} is not a valid id: use a-z, 0-9, _ and -, at most 32 characters, starting with a letter "
            "or digit."
        )
    return text


def check_name(what: str, text: str) -> tuple[str, str]:
    """Split the name SITE/ID of a console or source, as `what` says, into (site, id). Raises UsageError."""
    site, separator, id_ = text.partition("/")
    if not separator:
        raise UsageError(f"{text!r} is not a {what}: give SITE/{what.upper()}.")
    return check_id("site", site), check_id(what, id_)
