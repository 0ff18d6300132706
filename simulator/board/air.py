"""`socket` of a board with a radio: the machine's, while there is a network.

What is open when the network goes is cut by the host's relay; here nothing new is made.
"""

import errno

import usocket as _real
import wires
from usocket import *  # noqa: F403

_NO_NAME = -2  # EAI_NONAME


def socket(*how):
    """A socket; OSError without network."""
    if not wires.config["radio"]:
        raise OSError(errno.EHOSTUNREACH)
    return _real.socket(*how)


def getaddrinfo(*what):
    """Addresses of a name; OSError without network."""
    if not wires.config["radio"]:
        raise OSError(_NO_NAME)
    return _real.getaddrinfo(*what)
