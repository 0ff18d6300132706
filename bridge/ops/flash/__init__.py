"""Compile the firmware, bundle it for updates over the air, and flash boards with it."""

from pathlib import Path

SOURCE = Path(__file__).parents[3] / "firmware"  # the root of a board's filesystem; in a clone, beside the bridge
