"""Take from this process what Windows lacks, as far as the project's own code would meet it.

Modules of `bridge` and `simulator` can't import `fcntl` and the like, and get an `os`, `signal`, `socket`, `select` and
`time` without what only Unix has; libraries, which have code for each system, are left alone. Files behave as there,
too: a folder can't be opened, nothing is renamed onto a file that exists, and no open file is renamed or removed.
"""

from __future__ import annotations

import builtins
import os
import select
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
NAMES: dict[ModuleType, tuple[str, ...]] = {
    os: (
        *("chown", "chroot", "ctermid", "eventfd", "fchdir", "fchmod", "fchown", "fdatasync", "fork", "forkpty"),
        *("fstatvfs", "get_blocking", "getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp"),
        *("getpriority", "getsid", "getuid", "getxattr", "initgroups", "killpg", "lchown", "listxattr", "lockf"),
        *("memfd_create", "mkfifo", "mknod", "nice", "openpty", "pipe2", "posix_fallocate", "posix_spawn", "pread"),
        *("preadv", "pwrite", "pwritev", "register_at_fork", "removexattr", "sched_getaffinity", "sched_yield"),
        *("sendfile", "set_blocking", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setpriority", "setsid"),
        *(
            "setuid",
            "setxattr",
            "statvfs",
            "sync",
            "sysconf",
            "tcgetpgrp",
            "ttyname",
            "uname",
            "wait",
            "wait3",
            "wait4",
        ),
        *("O_CLOEXEC", "O_DIRECTORY", "O_DSYNC", "O_NDELAY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH"),
        *("O_SYNC", "O_TMPFILE", "ST_RDONLY", "WNOHANG"),
    ),
    signal: (
        *("SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGUSR1"),
        *("SIGUSR2", "SIGWINCH", "SIG_BLOCK", "SIG_SETMASK", "alarm", "pause", "pthread_kill", "pthread_sigmask"),
        *("setitimer", "siginterrupt", "sigtimedwait", "sigwait", "sigwaitinfo"),
    ),
    socket: ("AF_UNIX", "CMSG_LEN", "SCM_RIGHTS", "SO_PEERCRED", "SO_REUSEPORT", "recv_fds", "send_fds"),
    select: ("EPOLLIN", "POLLERR", "POLLHUP", "POLLIN", "POLLNVAL", "POLLOUT", "epoll", "poll"),
    time: ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC", "clock_gettime", "clock_gettime_ns", "pthread_getcpuclockid", "tzset"),
}
OURS = ("bridge", "simulator")


def install() -> None:
    """Do so, for what is imported from now on."""
    given = {module.__name__: _without(module, names) for module, names in NAMES.items()}
    given["os"].name = "nt"
    given["os"].open = _open_file
    given["select"].select = _select
    given["msvcrt"] = _msvcrt()
    real_import = builtins.__import__

    def import_(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002 - as Python calls them
        if level == 0 and ((globals or {}).get("__name__") or "").partition(".")[0] in OURS:
            if name in MODULES:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name in given:
                return given[name]
        return real_import(name, globals, locals, fromlist, level)

    builtins.__import__ = import_
    _let_pyserial_raise_only_os_errors()
    for name in ("rename", "replace", "unlink"):
        setattr(Path, name, _as_on_windows(getattr(Path, name), refuses_existing=name == "rename"))


def _without(module: ModuleType, names: Iterable[str]) -> Any:
    copy = ModuleType(module.__name__)
    vars(copy).update({name: value for name, value in vars(module).items() if name not in names})
    return copy


def _open_file(path: Any, flags: int, mode: int = 0o777) -> int:
    if Path(path).is_dir():
        raise PermissionError(13, "Permission denied", path)
    return os.open(path, flags, mode)


def _select(readers: list[Any], writers: list[Any], others: list[Any], limit_s: float | None = None) -> Any:
    for each in (*readers, *writers, *others):
        number = each if isinstance(each, int) else each.fileno()
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise OSError(10038, "An operation was attempted on something that is not a socket")
    return select.select(readers, writers, others, limit_s)


def _msvcrt() -> ModuleType:
    import fcntl  # noqa: PLC0415 - not before this module is imported on a system that has it

    module: Any = ModuleType("msvcrt")
    module.LK_NBLCK = 2

    def locking(descriptor: int, mode: int, _size: int) -> None:
        assert mode == module.LK_NBLCK
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None

    module.locking = locking
    return module  # type: ignore[no-any-return]


def _let_pyserial_raise_only_os_errors() -> None:
    import termios  # noqa: PLC0415 - see above

    from serial import serialposix  # type: ignore[import-untyped]  # noqa: PLC0415

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except termios.error as error:
                raise OSError(*error.args) from error

        return call

    serialposix.termios = ModuleType("termios")
    for name, value in vars(termios).items():
        setattr(serialposix.termios, name, wrapped(value) if name.startswith("tc") else value)


def _as_on_windows(real: Callable[..., Any], *, refuses_existing: bool) -> Callable[..., Any]:
    def act(path: Path, *arguments: Any, **options: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] in OURS:  # noqa: SLF001 - the caller
            if refuses_existing and Path(arguments[0]).exists():
                raise FileExistsError(17, "Cannot create a file when that file already exists", str(arguments[0]))
            for file in (path, *map(Path, arguments)):
                if file.is_file() and _is_open(file):
                    raise PermissionError(13, "The process cannot access the file, as it is being used", str(file))
        return real(path, *arguments, **options)

    return act


def _is_open(file: Path) -> bool:
    wanted = file.stat()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found = descriptor.stat()
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
            return True
    return False
