"""Run what a console on the bench needs: a broker, unless one runs already, the bridge, and a gateway for a pico."""

import os
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from simulator.errors import SimulatorError
from simulator.programs.children import Children, ProcessError, free_port, run, wait_for_port

HEARTBEAT_MS = 1000  # health reports the outbox and the loop's lag, so it comes often here
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class BenchServices:
    """The programs around a console on the bench, started by making this object; they end with `children`.

    Args:
        folder: where the bridge's database lies.
        children: runs the programs.
        broker: the URL of a broker that runs already; None starts one.
        ca: the authority's file that a broker's certificate is checked against; for mqtts only.
    """

    def __init__(self, folder: Path, children: Children, broker: str | None, ca: Path | None = None) -> None:
        self.database = folder / "trivox.db"
        self.ca = ca
        self._children = children
        if broker is None:
            port = free_port(0)
            children.start("broker", [*_trivox(), "broker", "--port", str(port)])
            broker = f"mqtt://127.0.0.1:{port}"
        address = urlsplit(broker)
        if address.username or address.scheme not in _PORTS or not address.hostname:
            raise SimulatorError(
                f"{broker} is not a broker's address: give mqtt://HOST:PORT or mqtts://HOST:PORT, and set "
                "TRIVOX_MQTT_USER and TRIVOX_MQTT_PASSWORD in the environment if the broker needs a login."
            )
        if (address.scheme == "mqtts") != (ca is not None):
            raise SimulatorError("--broker mqtts://HOST:PORT and --ca-file FILE go together: give both or neither.")
        if ca and not ca.is_file():
            raise SimulatorError(f"{ca} does not exist; give the file of the authority that signed the certificate.")
        self.broker = broker
        self.run_trivox(["settings", "set", "--all", "--new", f"heartbeat_ms={HEARTBEAT_MS}"])
        wait_for_port(address.hostname, address.port or _PORTS[address.scheme], children)
        words = ["bridge", "--broker", broker, "--database", str(self.database), "--metrics-port", "0"]
        words += ["--ca-file", str(ca)] if ca else []
        bridge = children.start("bridge", [*_trivox(), *words])
        children.wait_for_words(bridge, "connected to")

    @property
    def broker_of_consoles(self) -> str:
        """The broker's URL for consoles: with the login that the bridge takes from the environment."""
        user, password = os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")
        login = ":".join(quote(part, safe="") for part in (user, password) if part)
        return self.broker.replace("://", f"://{login}@", 1) if login else self.broker

    def start_gateway(self, port: str) -> None:
        """Start a gateway between this serial port and the broker."""
        words = ["gateway", "--port", port, "--broker", self.broker, "--metrics-port", "0"]
        self._children.start("gateway", [*_trivox(), *words, *(["--ca-file", str(self.ca)] if self.ca else [])])

    def run_trivox(self, words: list[str]) -> None:
        """Run one of the bridge's commands on the database; raises ProcessError with its message if it fails."""
        run([*_trivox(), *words, "--database", str(self.database)])

    def change_settings(self, site_id: str, console_id: str, pairs: list[str]) -> None:
        """Change the console's settings, each as NAME=VALUE; raises SimulatorError with the bridge's message."""
        try:
            self.run_trivox(["settings", "set", "--console", f"{site_id}/{console_id}", "--new", *pairs])
        except ProcessError as error:
            raise SimulatorError(str(error).rpartition(" failed: ")[2]) from error

    def check(self) -> None:
        """Raise EndError when the user wants the end, ProcessError when a program has ended."""
        self._children.check()


def _trivox() -> list[str]:
    """Return the command installed beside this Python."""
    return [str(Path(sys.executable).with_name("trivox"))]
