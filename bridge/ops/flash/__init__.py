"""The firmware as the host handles it: compiled for boards, put on them, and updated over the air."""

from pathlib import Path

SOURCE = Path(__file__).parents[3] / "firmware"  # the root of a board's filesystem, beside this package in a clone
