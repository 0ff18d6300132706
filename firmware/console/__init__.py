"""The console's firmware, for MicroPython 1.25 and newer."""
