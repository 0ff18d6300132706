"""Build MicroPython's image for a Pico (RP2040, no radio) from Debian's source packages.

    python3 firmware/image/build.py FOLDER

puts firmware.uf2 and firmware.bin into FOLDER. Only Python's own library is used, so that set-up can start this before
anything else is installed. What was built once is kept in `.cache/image`, under a hash of everything that it was made
of; the same sources give the same bytes in any folder.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import sys
from pathlib import Path

from sources import ImageError, fetch, run
from uf2 import uf2

OWN = Path(__file__).resolve().parent
CACHE = OWN.parents[1] / ".cache" / "image"
BOARD = "RPI_PICO"
COMPILER = "arm-none-eabi-gcc"
ROM_BYTES = 4096  # of flash below the filesystem, in an image with our own `_boot.py`: a copy of `console.json`
RESULTS = ("firmware.uf2", "firmware.uf2.sha256", "firmware.bin")


def build(manifest, cache):
    """Return the folder of the cache with what this manifest makes; build it unless it is there."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = fetch(cache / "sources")
        compiler = run([COMPILER, "--version"], "MicroPython can't be compiled").splitlines()[0]
        frozen = _frozen(manifest, cache / "sources" / "micropython")
        result = cache / _digest([*packages, compiler], frozen)
        if not result.exists():
            rom_bytes = ROM_BYTES if OWN / "_boot.py" in frozen else 0
            made = _compile(packages, manifest, cache, result.name, rom_bytes)
            _keep(made, result)
    return result


def _digest(versions, frozen):
    """Return a hash of everything that goes into the image: the versions of packages and compiler, and the files."""
    digest = hashlib.sha256("\n".join(versions).encode())
    for path in (*sorted(OWN.glob("*.py")), *frozen):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _frozen(manifest, micropython):
    """Return the files that the manifest freezes, in its order."""
    options = ["--port", micropython / "ports/rp2", "--lib", micropython, "--freeze"]
    tool = micropython / "tools/manifestfile.py"
    listed = run([sys.executable, tool, *options, manifest], f"{manifest} can't be read")
    paths = [line.split("full_path='")[1].split("'")[0] for line in listed.splitlines() if "full_path='" in line]
    return [Path(path).resolve() for path in paths]


def _compile(packages, manifest, cache, name, rom_bytes):
    """Compile MicroPython with this manifest, and return the folder with the results.

    `name` tells images apart in MicroPython's `sys.version`. `rom_bytes` of flash are a read-only filesystem.
    """
    micropython = cache / "sources" / "micropython"
    jobs = f"-j{os.cpu_count()}"
    (archive,) = (name for name in packages if name.startswith("micropython_") and ".orig." in name)
    environment = {
        **os.environ,
        # Named and dated by the package, not by a checkout or a day, so that builds are alike.
        "MICROPY_GIT_TAG": f"v{archive.removeprefix('micropython_').partition('+')[0]}-{name[:8]}",
        "MICROPY_GIT_HASH": "debian",
        "SOURCE_DATE_EPOCH": str(int((micropython / "LICENSE").stat().st_mtime)),
        "MICROPY_MPYCROSS": str(micropython / "mpy-cross/build/mpy-cross"),
        "PYTHONHASHSEED": "0",  # MicroPython's tools write out sets
        "CFLAGS": f"-ffile-prefix-map={cache}=.",
    }
    run(["make", "-s", jobs, "-C", micropython / "mpy-cross"], "mpy-cross can't be compiled", env=environment)
    board = _board(cache, rom_bytes)
    made = cache / f"build-{manifest.stem}-{board.name}"
    # MicroPython's tool goes by the files' times, which are old after a checkout of other content.
    shutil.rmtree(made / "frozen_mpy", ignore_errors=True)
    definitions = {
        "MICROPY_BOARD": BOARD,
        "MICROPY_BOARD_DIR": board,
        "MICROPY_FROZEN_MANIFEST": manifest,
        "MICROPY_LIB_DIR": micropython,  # micropython-lib is not packaged; nothing is taken from this folder
        "PICO_NO_PICOTOOL": "1",
    }
    options = [f"-D{name}={value}" for name, value in definitions.items()]
    words = ["cmake", "-S", micropython / "ports/rp2", "-B", made, *options]
    run(words, "MicroPython can't be configured", env=environment)
    run(["cmake", "--build", made, jobs], "MicroPython can't be compiled", env=environment)
    return made


def _board(cache, rom_bytes):
    """Return the folder that describes the board; `rom_bytes` of its flash are a read-only filesystem."""
    board = cache / f"{BOARD}-{rom_bytes}"
    if not board.exists():
        new = board.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(cache / "sources/micropython/ports/rp2/boards" / BOARD, new)
        with (new / "mpconfigboard.h").open("a") as header:
            header.write(f"#define MICROPY_HW_ROMFS_BYTES ({rom_bytes})\n")
        new.rename(board)
    return board


def _keep(made, result):
    """Copy the results to where they are kept, all or none."""
    half = result.with_suffix(".new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    shutil.copy(made / "firmware.bin", half)
    content = uf2((half / "firmware.bin").read_bytes())
    (half / "firmware.uf2").write_bytes(content)
    (half / "firmware.uf2.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  firmware.uf2\n")
    half.rename(result)


def main():
    """Build as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="where to put " + ", ".join(RESULTS))
    parser.add_argument(
        "--manifest", type=Path, default=OWN / "manifest.py", help="what is frozen (manifest.py: the firmware too)"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help="where sources and builds are kept (.cache/image)")
    arguments = parser.parse_args()
    try:
        result = build(arguments.manifest.resolve(), arguments.cache.resolve())
        arguments.folder.mkdir(parents=True, exist_ok=True)
        for name in RESULTS:
            shutil.copy(result / name, arguments.folder)
    except (ImageError, OSError) as error:
        sys.stderr.write(f"image: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
