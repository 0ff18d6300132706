# ruff: noqa: F821 - MicroPython's build defines these functions
"""Freeze what MicroPython's own image for a Pico holds, less the drivers that Debian's source package leaves out."""

freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
