"""Name the people who run commands, as the operating system knows them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bridge.system import HAS_MODES, name_of_user

NOBODY_LOGGED_IN = 2**32 - 1  # the kernel's word for a process that no login began


def current_user() -> str:
    """Return who runs this process: `anna`; `anna as root` where anna became root by sudo."""
    uid = os.getuid() if HAS_MODES else None  # type: ignore[attr-defined, unused-ignore]
    login = _login_of(os.getpid())
    if login is None and uid == 0:  # else anybody could give another name here
        login = os.environ.get("SUDO_USER")
    return _described(name_of_user(uid), login)


def user_of(pid: int, uid: int) -> str:
    """Return who runs another process, by what the kernel knows of it."""
    return _described(name_of_user(uid), _login_of(pid))


def _described(name: str, login: str | None) -> str:
    return name if login in {None, "", name} else f"{login} as {name}"


def _login_of(pid: int) -> str | None:
    """Return the user who logged in and began this process, whoever he became since; None if nobody can tell."""
    with suppress(OSError, ValueError):
        uid = int(Path(f"/proc/{pid}/loginuid").read_text("ascii"))
        if uid != NOBODY_LOGGED_IN:
            return name_of_user(uid)
    return None
