"""What stands around a console on the bench: a broker (ours, or one that runs already) and the bridge, as programs."""

import os
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from simulator.errors import SimulatorError
from simulator.programs.children import Children, ProcessError, free_port, run, wait_for_port

HEARTBEAT_MS = 1000  # health tells of the outbox and the loop's lag, so it comes often here
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Surroundings:
    """Started by making it; its programs end with `children`. `ca` is what a broker's certificate is checked by."""

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
                f"{broker} is no broker for this; give mqtt://HOST:PORT or mqtts://HOST:PORT, with "
                "TRIVOX_MQTT_USER and TRIVOX_MQTT_PASSWORD in the environment if it wants a login."
            )
        if (address.scheme == "mqtts") != (ca is not None):
            raise SimulatorError("--broker mqtts://HOST:PORT and --ca-file FILE belong together: give both or none.")
        if ca and not ca.is_file():
            raise SimulatorError(f"{ca} is not there; give the file of the authority that signed the certificate.")
        self.broker = broker
        self.set(["settings", "set", "--all", f"heartbeat_ms={HEARTBEAT_MS}"])
        wait_for_port(address.hostname, address.port or _PORTS[address.scheme], children)
        words = ["bridge", "--broker", broker, "--database", str(self.database), "--metrics-port", "0"]
        words += ["--ca-file", str(ca)] if ca else []
        bridge = children.start("bridge", [*_trivox(), *words])
        children.wait_for_words(bridge, "connected to")

    @property
    def broker_of_consoles(self) -> str:
        """The broker as consoles want it, with the login that the bridge takes from the environment."""
        user, password = os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")
        login = ":".join(quote(part, safe="") for part in (user, password) if part)
        return self.broker.replace("://", f"://{login}@", 1) if login else self.broker

    def connect(self, port: str) -> None:
        """A gateway takes what comes from this serial port to the broker, and back."""
        words = ["gateway", "--port", port, "--broker", self.broker, "--metrics-port", "0"]
        self._children.start("gateway", [*_trivox(), *words, *(["--ca-file", str(self.ca)] if self.ca else [])])

    def set(self, words: list[str]) -> None:
        """Have one of the bridge's own commands change something; ProcessError with what it said against it."""
        run([*_trivox(), *words, "--database", str(self.database)])

    def settings(self, site_id: str, console_id: str, pairs: list[str]) -> None:
        """Change settings of the console: NAME=VALUE each. SimulatorError with what the bridge says against it."""
        try:
            self.set(["settings", "set", "--console", f"{site_id}/{console_id}", *pairs])
        except ProcessError as error:
            raise SimulatorError(str(error).rpartition(" could not: ")[2]) from error

    def check(self) -> None:
        """Raise EndError when the user wants the end, ProcessError when a program has ended."""
        self._children.check()


def _trivox() -> list[str]:
    """The command as it stands beside this Python."""
    return [str(Path(sys.executable).with_name("trivox"))]
