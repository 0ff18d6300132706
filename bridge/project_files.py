"""Find the project's files that are no Python modules: in a clone, or beside the packages where trivox is installed."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
INSTALLED = ROOT / "trivox_files"  # made by setup.py; simulator/console/files.py knows it, too


def project_folder(name: str = "") -> Path:
    """Return a folder of the project, such as `firmware`, `schema`, or "" for all its pages."""
    return (INSTALLED if INSTALLED.is_dir() else ROOT) / name


def compiled_firmware(version: str) -> Path | None:
    """Return the folder of the firmware that was compiled when the wheel was built; None in a clone."""
    folder = INSTALLED / "compiled" / version
    return folder if folder.is_dir() else None
