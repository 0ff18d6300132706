"""Make the files that a technician puts on a console's flash, and read the counts in the flash's file."""

import json
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from simulator.errors import ConsoleError

WIFI = {"ssid": "shop", "password": "simulated"}
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_NOWHERE = ("127.0.0.1", 1)
_COUNTS = "<QQQ"  # at the end of the file, see `board/flash.py`


def broker_of(url: str | None, ca: bool, flash: str) -> tuple[dict[str, Any], tuple[str, int]]:  # noqa: FBT001
    """Return the broker's part of `console.json`, without the port, and host and port that the radio relays to.

    Args:
        url: the broker's URL; None for a console without a broker.
        ca: whether the flash holds an authority's certificate.
        flash: where the flash is mounted.

    Raises ConsoleError if the URL is not valid.
    """
    parts = urlsplit(url or "mqtt://{}:{}".format(*_NOWHERE))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConsoleError(f"{url} is not a broker's address: give mqtt://HOST:PORT or mqtts://HOST:PORT.")
    tls = parts.scheme == "mqtts"
    broker = {
        "host": "localhost" if tls else "127.0.0.1",  # the relay's; the broker's certificate has to be for localhost
        "tls": tls,
        "ca": f"{flash.rstrip('/')}/ca.pem" if ca else None,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }
    return broker, (parts.hostname, parts.port or _PORTS[parts.scheme])


def files(config: dict[str, Any], ca: Path | None) -> dict[str, str]:
    """Return the content of the files that make a board a console, by file name."""
    contents = {"console.json": json.dumps(config)}
    if ca:
        contents["ca.pem"] = ca.read_text("utf-8")
    return contents


def operations_of(flash: Path) -> int:
    """Return how many program and erase operations the flash in that file has had."""
    if not flash.exists():
        return 0
    _, programs, erases = struct.unpack(_COUNTS, flash.read_bytes()[-struct.calcsize(_COUNTS) :])
    return int(programs) + int(erases)
