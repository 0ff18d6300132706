# ruff: noqa: F821 - MicroPython's build defines these functions
"""Freeze MicroPython's own modules, less the one that formats, and the firmware."""

freeze("$(PORT_DIR)/modules", "rp2.py")
include("$(MPY_DIR)/extmod/asyncio")
module("_boot.py", opt=3)
package("boards", base_path="..", opt=3)
package("console", base_path="..", opt=3)
module("flash_guard.py", base_path="..", opt=3)
module("main.py", base_path="..", opt=3)
module("slots.py", base_path="..", opt=3)
