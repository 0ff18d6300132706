"""Put what a console says about its link into words: one cause, and what to do about it.

The console writes `link: …` to its serial line whenever it could not begin a session (`firmware/console/link.py`).
"""

from __future__ import annotations

import re
from typing import Any

from bridge.text import printable

_PREFIX = "link: "
_QUOTED = re.compile(r"""^\w+\((['"])(.*?)\1,?\)$""")
# The first pattern that is found decides. Wi-Fi statuses: negative ones of the Pico W's driver, the others of the
# ESP32's. Numbers of errors: as of MicroPython, where 111 and 104 are the same on every board.
_CAUSES = (
    (r"no Wi-Fi, status (-3|2|15|202|204)$", "the Wi-Fi {ssid} refuses its password: correct the password"),
    (r"no Wi-Fi, status (-2|201|21\d)$", "it finds no Wi-Fi {ssid} on 2.4 GHz: correct --wifi-ssid, or move it nearer"),
    (r"no Wi-Fi", "it could not join the Wi-Fi {ssid}: check name and password, and that it reaches here on 2.4 GHz"),
    (r"name server", "the network's name server does not answer: give --broker with a number such as 192.168.1.10"),
    (r"has no address", "the network knows no machine {host}: correct the name in --broker"),
    (r"connection, code 1$", "the broker does not speak MQTT 3.1.1: update it"),
    (r"connection, code 2$", "the broker refuses its client id: correct the broker's rules for client ids"),
    (r"connection, code 3$", "the broker is not ready: read its log"),
    (r"connection, code", "the broker refuses its login: {login}"),
    (r"subscription", "its login may not read its own topics: run `trivox broker-config` and reload the broker"),
    (r"in the future", "it does not know the date, which TLS checks: give --ntp-host, a time server that it can reach"),
    (r"certificate|CERT|Common Name", "it does not trust the broker's certificate: see --ca-file and the name in it"),
    (r"MBEDTLS|SSL", "TLS with {address} fails: check that this is the broker's port for TLS"),
    (r"OSError\(111,", "nothing listens at {address}: start the broker, or correct --broker"),
    (
        r"OSError\(104,|EOFError",
        "{address} cuts it off: check that this is the broker's port, and read its log",
    ),
    (
        r"OSError\(\d|Timeout|silent|acknowledge",
        "{address} does not answer: correct --broker, or let this Wi-Fi reach it",
    ),
    (r"", "it could not begin a session with {address}: read the broker's log"),
)


def reported_problem(line: str) -> str | None:
    """Return what a line of the console's says about its link; None if it is about something else."""
    return _words(line.removeprefix(_PREFIX)) if line.startswith(_PREFIX) else None


def explain(problem: str, config: dict[str, Any]) -> str:
    """Return the cause and what to do, as the end of a sentence; `config` is the console's `console.json`."""
    broker = config["broker"]
    cause = next(cause for pattern, cause in _CAUSES if re.search(pattern, problem))
    login = "run `trivox broker-config` and reload the broker" if broker.get("user") else "give --database or --keys"
    words = cause.format(
        ssid=config["wifi"]["ssid"],
        host=broker["host"],
        address=f"{broker['host']}:{broker.get('port', '')}",
        login=login,
    )
    return f'{words} (the board says "{printable(problem)}")'


def _words(problem: str) -> str:
    """Return the text of an error as MicroPython shows it, without quotes and line breaks."""
    quoted = _QUOTED.match(problem)
    return " ".join(quoted[2].replace("\\n", " ").split()) if quoted else problem
