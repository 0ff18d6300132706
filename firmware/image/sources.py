"""Fetch the sources of MicroPython's rp2 port from Debian, without touching the system's own packages.

apt does it with a state of its own, from a mirror that this machine's apt is set up with, and checks the signatures.
"""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RELEASE = "trixie"
SOURCE_PACKAGES = ("micropython", "mbedtls")
BINARY_PACKAGES = ("pico-sdk-source", "tinyusb-source")  # these hold sources in /usr/src
LIMIT_S = 600

# Debian leaves these folders of MicroPython empty; the port looks for its libraries there.
LIBRARIES = {
    "pico-sdk": "packages/usr/src/pico-sdk",
    "tinyusb": "packages/usr/src/tinyusb",
    "mbedtls": "mbedtls",
}


class ImageError(Exception):
    """The image can't be built; the text says what is wrong and what to do."""


def run(words, problem, **options):
    """Run a command and return what it printed; raise ImageError, which begins with `problem`, if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False, **options)
    except FileNotFoundError as error:
        raise ImageError(f"{problem}: {words[0]} is not installed; run: .ci/setup --image") from error
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{problem}: no end after {LIMIT_S} s; check network and disk, then try again.") from error
    if done.returncode:
        reason = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-20:])
        raise ImageError(f"{problem}: {reason or f'exit status {done.returncode}'}")
    return done.stdout


def fetch(folder):
    """Put the sources into `folder`, unless they are there; return the names of the packages that they are from."""
    names = folder / "packages.txt"
    if not names.exists():
        if not KEYRING.exists():
            raise ImageError(f"Debian's keys are missing ({KEYRING}): install debian-archive-keyring.")
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".sources-") as name:
            work = Path(name)
            downloads = _download(work)
            _unpack(downloads, work / "sources")
            (work / "sources" / names.name).write_text("".join(f"{path.name}\n" for path in downloads))
            (work / "sources").rename(folder)
    return names.read_text().split()


def _download(work):
    """Download the packages from the first mirror that has them; return the files."""
    reasons = []
    for number, mirror in enumerate(mirrors()):
        state = work / f"mirror-{number}"
        for part in ("lists/partial", "archives/partial", "downloads"):
            (state / part).mkdir(parents=True)
        (state / "status").touch()
        origin = f"[signed-by={KEYRING}] {mirror} {RELEASE} main"
        (state / "sources.list").write_text(f"deb {origin}\ndeb-src {origin}\n")
        apt = _apt(state)
        downloads = state / "downloads"
        try:
            run([*apt, "update"], f"can't use {mirror}")
            run([*apt, "download", *BINARY_PACKAGES], f"can't download from {mirror}", cwd=downloads)
            run([*apt, "--download-only", "source", *SOURCE_PACKAGES], f"can't download from {mirror}", cwd=downloads)
        except ImageError as error:
            reasons.append(" ".join(str(error).split()))
            continue
        return sorted(downloads.iterdir())
    raise ImageError(
        f"MicroPython's sources can't be fetched from Debian {RELEASE}: "
        f"{'; '.join(reasons) or 'apt knows no Debian mirror, so add one to its sources'}"
    )


def _apt(state):
    """Return the command of an apt with a state of its own, which uses this machine's proxies and certificates."""
    options = {
        "APT::Sandbox::User": pwd.getpwuid(os.getuid()).pw_name,
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
        "Dir::Cache": state,
        "Dir::Cache::archives": "archives/",
        "Dir::State": state,
        "Dir::State::lists": "lists/",
        "Dir::State::status": state / "status",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
    }
    return ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]


def mirrors():
    """Return the Debian mirrors that this machine's apt uses, the likeliest first."""
    uris = run(["apt-get", "update", "--print-uris"], "can't ask this machine's apt for its mirrors")
    found = re.findall(r"^'(\S+)/dists/([^/']+)/InRelease'", uris, re.MULTILINE)
    known = dict.fromkeys(mirror for mirror, suite in found if not suite.endswith("-security"))
    return sorted(known, key=lambda mirror: not mirror.endswith("/debian"))


def _unpack(downloads, folder):
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for path in downloads:
        if path.suffix == ".deb":
            run(["dpkg-deb", "-x", path, packages], f"can't unpack {path.name}")
    for name in SOURCE_PACKAGES:
        (archive,) = (path for path in downloads if re.fullmatch(rf"{name}_.*\.orig\.tar\.\w+", path.name))
        (folder / name).mkdir()
        run(
            ["tar", "-xf", archive, "-C", folder / name, "--strip-components=1", "--no-same-owner"],
            f"can't unpack {archive.name}",
        )
    for name, place in LIBRARIES.items():
        empty = folder / "micropython" / "lib" / name
        empty.rmdir()
        empty.symlink_to(Path("../..") / place)
