"""`socket` of a board with a radio: the host's, while there is a network.

When the network goes, the host's relay cuts what is open; this module refuses what is new.
"""

import errno

import usocket as _real
import wires
from usocket import *  # noqa: F403

_NO_NAME = -2  # EAI_NONAME
_ELSEWHERE = {53: "name_port", 123: "time_port"}  # ports that a test may not take, and where its server listens


def socket(*options):
    """Return a socket; raises OSError without network."""
    if not wires.config["radio"]:
        raise OSError(errno.EHOSTUNREACH)
    return _real.socket(*options)


def getaddrinfo(host, port, *options):
    """Return the addresses of a name; raises OSError without network."""
    if not wires.config["radio"]:
        raise OSError(_NO_NAME)
    return _real.getaddrinfo(host, wires.config[_ELSEWHERE[port]] if port in _ELSEWHERE else port, *options)
