"""A shop whose files belong to the bridge's user, while root runs commands on them; and somebody else altogether.

If the tests are not run by root, the shop belongs to whoever runs them. Then nobody can act as another user, and what
is tested is that nothing needs it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

IS_ROOT = os.geteuid() == 0
SERVICE_USER = 1234 if IS_ROOT else os.geteuid()
SERVICE_GROUP = 2345 if IS_ROOT else os.getegid()
STRANGER = 65_534
NO_ACCESS = 77  # the exit status of a child that was refused


@contextmanager
def service_folder(mode: int = 0o700, user: int = SERVICE_USER) -> Iterator[Path]:
    """Give a folder of the bridge's user, in one that everybody may enter; both are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="trivox-shop-") as name:
        outer, folder = Path(name), Path(name) / "shop"
        outer.chmod(0o755)
        folder.mkdir()
        give(folder, user)
        folder.chmod(mode)
        yield folder
        folder.chmod(0o700)


def give(path: Path, user: int = SERVICE_USER, group: int = SERVICE_GROUP) -> None:
    """Give a file, folder or link to a user; only root can."""
    if IS_ROOT:
        os.chown(path, user, group, follow_symlinks=False)


def as_user(work: Callable[[], int | None], user: int = STRANGER, group: int = STRANGER) -> int:
    """Do something in a process of another user, if root runs the tests; return its exit status.

    NO_ACCESS stands for PermissionError. Whoever is not root can only do it as himself.
    """
    child = os.fork()
    if not child:
        status = 1
        try:
            if IS_ROOT:
                os.setgroups([group])
                os.setgid(group)
                os.setuid(user)
            status = work() or 0
        except PermissionError:
            status = NO_ACCESS
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
