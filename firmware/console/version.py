"""The firmware's version, told in `booted` and `health`; the package files repeat it."""

VERSION = "0.1.0"
