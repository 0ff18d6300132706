"""Mount the filesystem, and nothing else.

This takes the place of MicroPython's own `_boot.py`, which formats what it can't mount.
"""

import flash_guard

flash_guard.mount()
