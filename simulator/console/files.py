"""Find the project's files that are no Python modules: in a clone, or beside the packages where trivox is installed."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / "trivox_files"  # made by setup.py; bridge/project_files.py knows it, too


def project_folder(name: str) -> Path:
    """Return a folder of the project's root, such as `firmware`."""
    return (INSTALLED if INSTALLED.is_dir() else ROOT) / name


def cache_folder() -> Path:
    """Return the folder for what was downloaded: in a clone its own, else the user's."""
    if not INSTALLED.is_dir():
        return ROOT / ".cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "trivox"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trivox"
