"""What a technician puts on a console's flash, and what can be read of the flash's file from outside."""

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
    """What `console.json` says of the broker, less the port, and where the radio's relay leads."""
    parts = urlsplit(url or "mqtt://{}:{}".format(*_NOWHERE))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConsoleError(f"{url} is no broker; write mqtt://HOST:PORT or mqtts://HOST:PORT.")
    tls = parts.scheme == "mqtts"
    broker = {
        "host": "localhost" if tls else "127.0.0.1",  # of the relay; a certificate has to be for localhost
        "tls": tls,
        "ca": f"{flash.rstrip('/')}/ca.pem" if ca else None,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }
    return broker, (parts.hostname, parts.port or _PORTS[parts.scheme])


def files(config: dict[str, Any], ca: Path | None) -> dict[str, str]:
    """The files that make a console of a board, by their names."""
    made = {"console.json": json.dumps(config)}
    if ca:
        made["ca.pem"] = ca.read_text()
    return made


def operations_of(flash: Path) -> int:
    """How many programs and erases the flash in that file has seen."""
    if not flash.exists():
        return 0
    _, programs, erases = struct.unpack(_COUNTS, flash.read_bytes()[-struct.calcsize(_COUNTS) :])
    return int(programs) + int(erases)
