"""Compute HMAC-SHA256 (RFC 2104). Imported only on consoles that have a key."""

from binascii import hexlify
from hashlib import sha256

from micropython import const

_BLOCK = const(64)  # bytes


class Hmac:
    """The MAC of what is given piece by piece; `key` is bytes, at most 64."""

    def __init__(self, key):
        key += bytes(_BLOCK - len(key))
        self._inner = sha256(_padded(key, b"\x36"))
        self._outer = sha256(_padded(key, b"\x5c"))

    def update(self, piece):
        """Take the next piece (bytes)."""
        self._inner.update(piece)

    def hexdigest(self):
        """Return the MAC of all pieces, 64 hex digits; it can be asked once."""
        self._outer.update(self._inner.digest())
        return hexlify(self._outer.digest()).decode()


def _padded(key, pad):
    """Return key XOR pad, as one number: byte by byte it would take a board 2 ms."""
    return (int.from_bytes(key, "big") ^ int.from_bytes(pad * _BLOCK, "big")).to_bytes(_BLOCK, "big")
