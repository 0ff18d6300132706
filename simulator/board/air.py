"""`socket` of a board with a radio: the machine's, while there is a network.

What is open when the network goes is cut by the host's relay; here nothing new is made.
"""

import errno

import usocket as _real
import wires
from usocket import *  # noqa: F403

_NO_NAME = -2  # EAI_NONAME
_NTP_PORT = 123


def socket(*how):
    """A socket; OSError without network."""
    if not wires.config["radio"]:
        raise OSError(errno.EHOSTUNREACH)
    return _real.socket(*how)


def getaddrinfo(host, port, *what):
    """Addresses of a name; OSError without network. Who is asked for the time may listen at another port here."""
    if not wires.config["radio"]:
        raise OSError(_NO_NAME)
    return _real.getaddrinfo(host, wires.config["time_port"] if port == _NTP_PORT else port, *what)
