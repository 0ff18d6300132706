"""Act as the user to whom files belong, where root runs a command.

Whoever may put another file or a link in a file's place decides what its path leads to. So root works on files of
other users with no more rights than these have, and what it makes there belongs to them.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from bridge.errors import TrivoxError
from bridge.system import HAS_MODES, name_of_user, user_id, user_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = 0
MAX_LINKS = 40  # as the kernel follows


class Owner(NamedTuple):
    """A user and a group, by number."""

    user_id: int
    group_id: int


class _Step(NamedTuple):
    """A folder, link or file on the way that a path leads."""

    path: str
    status: os.stat_result

    @property
    def owner(self) -> Owner:
        return Owner(self.status.st_uid, self.status.st_gid)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)


def owner_of(path: Path) -> Owner:
    """Return who decides what is at a path: the file's owner, or else the last one on the way there who is not root.

    Raises TrivoxError where a link of one user leads to another user's file.
    """
    steps = list(_way(os.path.join(os.getcwd(), path)))  # noqa: PTH109, PTH118 - links are followed here, one by one
    last = steps[-1]
    others = [step.owner for step in steps if step.owner.user_id != ROOT]
    if last.owner.user_id == ROOT and others:
        return others[-1]
    for step in steps:
        if step.is_link and step.owner.user_id not in {ROOT, last.owner.user_id}:
            raise TrivoxError(
                f"{step.path} is a link of {name_of_user(step.owner.user_id)} to a file of "
                f"{name_of_user(last.owner.user_id)}, and is not followed: name {last.path} itself."
            )
    return last.owner


def _way(path: str) -> Iterator[_Step]:
    """Yield each folder, link and file on the way, as far as it exists and may be seen."""
    names, here, links = path.split("/")[::-1], "/", 0
    yield _Step(here, os.lstat(here))
    while names:
        if (name := names.pop()) in {"", "."}:
            continue
        here = os.path.dirname(here) if name == ".." else os.path.join(here, name)  # noqa: PTH118, PTH120 - as above
        try:
            step = _Step(here, os.lstat(here))
        except OSError:
            return
        yield step
        if step.is_link and (links := links + 1) <= MAX_LINKS:
            target = os.readlink(here)  # noqa: PTH115 - as above
            here = "/" if target.startswith("/") else os.path.dirname(here)  # noqa: PTH120 - as above
            names += target.split("/")[::-1]


def is_root() -> bool:
    """Return whether root runs this process, whoever it acts as now."""
    return HAS_MODES and os.getuid() == ROOT  # type: ignore[attr-defined, unused-ignore]


def is_acting_as_root() -> bool:
    """Return whether this process has root's rights now, and may give files to other users."""
    return user_id() == ROOT


@contextmanager
def acting_for(path: Path) -> Iterator[None]:
    """Act as the one who decides what is at a path, if root runs this process. Raises TrivoxError.

    Nothing may be imported meanwhile: that user may be unable to read this program.
    """
    with acting_as(owner_of(path) if is_root() else None):
        yield


@contextmanager
def acting_as_caller() -> Iterator[None]:
    """Act as the user who runs this process, within a passage that acts as another one."""
    with acting_as(Owner(os.getuid(), os.getgid()) if is_root() else None):  # type: ignore[attr-defined, unused-ignore]
        yield


@contextmanager
def acting_as(owner: Owner | None) -> Iterator[None]:
    """Act as this user, in all threads, if root runs this process; None changes nothing. Raises TrivoxError."""
    if owner is None or not is_root() or owner.user_id == user_id():
        yield
        return
    before = Owner(os.geteuid(), os.getegid())  # type: ignore[attr-defined, unused-ignore]
    groups = os.getgroups()  # type: ignore[attr-defined, unused-ignore]
    try:
        _become(owner.user_id, *_groups_of(owner))
    except PermissionError as error:
        raise TrivoxError(
            f"This process may not act as {name_of_user(owner.user_id)}, whose files these are: run it as that user."
        ) from error
    try:
        yield
    finally:
        _become(*before, groups)


def _become(user_id: int, group_id: int, groups: list[int]) -> None:
    os.seteuid(ROOT)  # type: ignore[attr-defined, unused-ignore] # only root may change the groups
    os.setgroups(groups)  # type: ignore[attr-defined, unused-ignore]
    os.setegid(group_id)  # type: ignore[attr-defined, unused-ignore]
    os.seteuid(user_id)  # type: ignore[attr-defined, unused-ignore]


def _groups_of(owner: Owner) -> tuple[int, list[int]]:
    """Return the group that a user's new files get, and all groups of that user."""
    user = user_record(owner.user_id)
    if user is None:
        return owner.group_id, [owner.group_id]
    groups = os.getgrouplist(user.pw_name, user.pw_gid)  # type: ignore[attr-defined, unused-ignore]
    return (owner.group_id if owner.group_id in groups else user.pw_gid), groups
