"""`socket` of a board with a radio: the host's, while there is a network.

When the network goes, the host's relay cuts what is open; this module refuses what is new.
"""

import errno

import usocket as _real
import wires
from usocket import *  # noqa: F403

_NO_NAME = -2  # EAI_NONAME
_NTP_PORT = 123


def socket(*options):
    """Return a socket; raises OSError without network."""
    if not wires.config["radio"]:
        raise OSError(errno.EHOSTUNREACH)
    return _real.socket(*options)


def getaddrinfo(host, port, *options):
    """Return the addresses of a name; raises OSError without network. The time server may have another port here."""
    if not wires.config["radio"]:
        raise OSError(_NO_NAME)
    return _real.getaddrinfo(host, wires.config["time_port"] if port == _NTP_PORT else port, *options)
