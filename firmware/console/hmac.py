"""Compute HMAC-SHA256 (RFC 2104). Imported only on consoles that have a key."""

from binascii import hexlify
from hashlib import sha256


def hmac(key, pieces):
    """Return the MAC, 64 hex digits, of all `pieces` (bytes) one after the other. `key` is bytes, at most 64."""
    key += bytes(64 - len(key))
    inner = sha256(bytes(byte ^ 0x36 for byte in key))
    for piece in pieces:
        inner.update(piece)
    outer = sha256(bytes(byte ^ 0x5C for byte in key))
    outer.update(inner.digest())
    return hexlify(outer.digest()).decode()
