"""The module through which a port gives firmware its flash: `rp2` on an RP2040, `flashbdev` on an ESP32."""

import sys

import wires


class Rp2:
    """Stands in for `rp2`."""

    def __init__(self, flash):
        self.Flash = lambda: flash  # a method could not be imported


class Flashbdev:
    """Stands in for `flashbdev`."""

    def __init__(self, flash):
        self.bdev = flash


def begin(flash):
    """Offer the flash as the board's port does. The `unix` board has no such module."""
    if wires.rp2:
        sys.modules["rp2"] = Rp2(flash)
    elif wires.board == "esp32":
        sys.modules["flashbdev"] = Flashbdev(flash)
