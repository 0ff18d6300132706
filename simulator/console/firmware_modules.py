"""Load the firmware's own pure modules on CPython, without entering them into `sys.modules`.

The modules are what a board runs, unchanged. What they import is CPython's module of the same name, with one stand-in:
`json` passes on text that is JSON already, so that a fleet encodes an event once, where a board encodes it each time it
sends it.
"""

import binascii
import builtins
import errno
import json
import os
import struct
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from simulator.console.pinmap import FIRMWARE


def _dumps(value: Any, **options: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, **options)


class FirmwareModules:
    """The firmware's modules `survey`, `events`, `settings`, `delivery` and `outbox_files`, and its version."""

    def __init__(self, folder: Path = FIRMWARE) -> None:
        self._folder = folder / "console"
        self._console = ModuleType("console")
        self._loaded: dict[str, Any] = {}
        self._importable: dict[str, Any] = {
            "binascii": binascii,
            "errno": errno,
            "json": SimpleNamespace(dumps=_dumps, loads=json.loads, load=json.load),
            "micropython": SimpleNamespace(const=lambda value: value),
            "os": os,
            "struct": struct,
            "sys": SimpleNamespace(modules={}),
        }
        self._builtins = {**vars(builtins), "__import__": self._import}
        self.events = self._load("events")
        self.survey = self._load("survey")
        self.settings = self._load("settings")
        self.delivery = self._load("delivery")
        self.outbox_files = self._load("outbox_files")
        self.version: str = self._load("version").VERSION

    def _load(self, name: str) -> Any:
        if name not in self._loaded:
            module = ModuleType(f"console.{name}")
            vars(module)["__builtins__"] = self._builtins
            path = self._folder / f"{name}.py"
            self._loaded[name] = module
            exec(compile(path.read_text("utf-8"), str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102
            setattr(self._console, name, module)
        return self._loaded[name]

    def _import(
        self, name: str, _globals: Any = None, _locals: Any = None, wanted: tuple[str, ...] | None = (), _level: int = 0
    ) -> Any:
        if name == "console":
            for each in wanted or ():
                self._load(each)
            return self._console
        if name.startswith("console."):
            return self._load(name.removeprefix("console."))
        if name not in self._importable:
            raise ImportError(f"the firmware's pure modules can't import {name!r} here")
        return self._importable[name]
