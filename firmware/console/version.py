"""The firmware's version, which `booted` and `health` report; `package.json` and `pyproject.toml` repeat it.

A release sets both lines. The day is written down, not taken from the machine that builds, so that a build can be
repeated byte for byte.
"""

VERSION = "0.1.0"
BUILT_S = 1795305600  # 2026-11-22, in seconds since 1970: a time server that says less does not know the time
