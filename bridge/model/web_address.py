"""Find what does not belong into a web address that others see: user and password, or another secret. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

MAX_SHOWN = 100
_PARAMETER = re.compile(r"[?&;]([^=&;?/]*)=([^&;]*)")
_SECRET = re.compile(
    r"passw|pswd|psw|pwd|loginpas|token|secret|credential|signature|jwt|bearer|(api|access).?key"
    r"|^(key|auth|authorization|sig|pass|pw|session|sid)$",
    re.IGNORECASE,
)


def may_hold_login(url: str) -> bool:
    """Return whether an address may hold user and password: wherever the @ is, as a password may have a slash in it."""
    return "@" in url


def secret_parameter(url: str, harmless: tuple[str, ...] = ()) -> str | None:
    """Return the name of a parameter that holds a secret, if there is one; `harmless` values are none."""
    for name, value in (map(unquote_plus, pair) for pair in _PARAMETER.findall(url)):
        if _SECRET.search(name) and value not in harmless:
            return name
    return None


def without_parameters(url: str) -> str:
    """Return the address for an error: without what may be secret, and not too long."""
    return re.sub(r"[?#;].*", "…", url, flags=re.DOTALL)[:MAX_SHOWN]
