# ruff: noqa: F821 - MicroPython's build defines these functions
"""Freeze MicroPython's own modules, and the firmware beside them."""

include("stock_manifest.py")
package("boards", base_path="..", opt=3)
package("console", base_path="..", opt=3)
module("flash_guard.py", base_path="..", opt=3)
module("main.py", base_path="..", opt=3)
module("slots.py", base_path="..", opt=3)
