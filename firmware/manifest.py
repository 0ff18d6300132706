# ruff: noqa: F821 - MicroPython's build defines these functions
"""Freeze the firmware into MicroPython: `make FROZEN_MANIFEST=.../firmware/manifest.py`."""

include("$(PORT_DIR)/boards/manifest.py")
package("boards")
package("console")
module("flash_guard.py")
module("main.py")
module("slots.py")
