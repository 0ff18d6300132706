"""Load the firmware's modules on CPython, with stand-ins for a board's modules; nothing enters `sys.modules`.

Every module is compiled once and executed again for each board, with its own builtins: `import` finds only the given
stand-ins and a few pure modules, and `open` is that of the board's flash.
"""

from __future__ import annotations

import binascii
import builtins
import errno
import json
import math
import struct
from array import array
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FIRMWARE = Path(__file__).parents[3] / "firmware"
PURE: dict[str, Any] = {
    "array": SimpleNamespace(array=array),
    "binascii": binascii,
    "errno": errno,
    "json": json,
    "math": math,
    "micropython": SimpleNamespace(const=lambda value: value, kbd_intr=lambda _: None),
    "struct": struct,
}


@cache
def _code(name: str) -> CodeType:
    path = FIRMWARE / "console" / f"{name}.py"
    return compile(path.read_text("utf-8"), str(path), "exec", dont_inherit=True, optimize=0)


class Image:
    """One board's firmware; `stand_ins` by module name may replace the firmware's own modules (`console.mqtt`) too."""

    def __init__(self, stand_ins: dict[str, Any], open_file: Any) -> None:
        self.console = ModuleType("console")
        self.modules: dict[str, Any] = {"console": self.console}
        self.hooks: dict[str, Callable[[Any], None]] = {}  # by module name: called with each module as it is loaded
        self._found = {**PURE, **stand_ins}
        self._found["sys"] = SimpleNamespace(modules=self.modules, stdout=stand_ins["stdout"], platform="virtual")
        self._builtins = {**vars(builtins), "__import__": self._import, "open": open_file}

    def load(self, name: str) -> Any:
        """Return the firmware's module of that name."""
        full = "console." + name
        module = self.modules.get(full)
        if module is None:
            module = self._found.get(full)
            if module is None:
                module = ModuleType(full)
                vars(module)["__builtins__"] = self._builtins
                self.modules[full] = module
                exec(_code(name), vars(module))  # noqa: S102 - it is the firmware
                if name in self.hooks:
                    self.hooks[name](module)
            self.modules[full] = module
            setattr(self.console, name, module)
        return module

    def _import(
        self, name: str, _globals: Any = None, _locals: Any = None, wanted: tuple[str, ...] | None = (), _level: int = 0
    ) -> Any:
        if name == "console":
            for each in wanted or ():
                self.load(each)
            return self.console
        if name.startswith("console."):
            return self.load(name[8:])
        if name not in self._found:
            raise ImportError(f"no module named {name!r} on a virtual board")
        return self._found[name]
