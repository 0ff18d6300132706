"""Files that fail: each change to the disk is counted, and a chosen one is cut by power or is an error."""

from __future__ import annotations

import builtins
import os
from typing import Any


class FilePowerCut(BaseException):
    """Power went; the change in progress is half done."""


class Files:
    """A replacement of `open` and `os` in the outbox's modules.

    With `atomic` a file changes when it is closed, as with LittleFS; else with each write. `fail_after(n, error)` makes
    the n-th change from now fail: with PowerCut half of a write is done, with an OSError all of it or nothing.
    """

    def __init__(self, atomic: bool) -> None:
        self.atomic = atomic
        self.error: BaseException | None = None
        self.left = 0

    def fail_after(self, changes: int, error: BaseException | None) -> None:
        self.left = changes
        self.error = error

    def change(self) -> bool:
        """Count a change; return whether it must fail."""
        self.left -= 1
        return self.error is not None and self.left == 0

    def fail(self) -> None:
        error, self.error = self.error, None
        assert error is not None
        raise error

    def open(self, path: str, mode: str) -> Any:
        return builtins.open(path, mode) if mode == "rb" else _FailingWriting(self, path, mode)

    def __getattr__(self, name: str) -> Any:
        original = getattr(os, name)
        if name not in {"remove", "rename", "mkdir"}:
            return original

        def changing(*arguments: Any) -> Any:
            if self.change():
                self.fail()
            return original(*arguments)

        return changing


class _FailingWriting:
    def __init__(self, files: Files, path: str, mode: str) -> None:
        self.files = files
        self.path = path
        self.mode = mode
        self.buffer = b""
        self.failed = False
        if not files.atomic and mode == "wb":
            if files.change():
                files.fail()
            builtins.open(path, "wb").close()
            self.mode = "ab"

    def write(self, data: bytes) -> None:
        if self.files.atomic:
            self.buffer += data
            return
        self._put(data)

    def _put(self, data: bytes) -> None:
        failing = self.files.change()
        if failing and not self.files.atomic:
            data = data[: len(data) // 2]
        if not (failing and self.files.atomic):
            with builtins.open(self.path, self.mode) as file:
                file.write(data)
        if failing:
            self.failed = True
            self.files.fail()

    def close(self) -> None:
        if self.files.atomic and not self.failed:
            self._put(self.buffer)
