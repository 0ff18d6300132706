"""Read where the broker is and how to log in there: from the command line, the environment and a config file."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.errors import TrivoxError, UsageError
from bridge.input_file import called, cannot_read, read_toml
from bridge.private_files import is_open_to_others
from bridge.text import is_visible

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = {"mqtt": 1883, "mqtts": 8883}
CONFIG_KEYS = ("user", "password", "ca_file")
RENEW_DAYS = 60  # in the last days of a broker's certificate it is renewed, or doctor reports it


@dataclass(frozen=True)
class BrokerLogin:
    """A broker's address and the login there; `ca_file` checks its certificate (None: the system's authorities)."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """The address for people and logs, without the login."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def read_broker(
    url: str, environment: Mapping[str, str], config: Path | None, ca_file: Path | None = None
) -> BrokerLogin:
    """Read a broker's URL, `mqtt://HOST:PORT` or `mqtts://HOST:PORT`, and the login for it.

    The environment goes before the config file. Raises UsageError for the URL, TrivoxError for a file.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    host = parts.hostname or ""
    is_host = host and is_visible(host) and not any(char.isspace() for char in host)
    if parts.scheme not in PORTS or not is_host or port == 0 or parts.path.strip("/") or parts.query:
        raise UsageError(f"{url!r} is not a broker's address: give mqtt://HOST:PORT or mqtts://HOST:PORT.")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "User and password do not belong on the command line, where others can see them: give TRIVOX_MQTT_USER and "
            "TRIVOX_MQTT_PASSWORD in the environment, or --config FILE."
        )
    settings = read_config(config) if config is not None else {}
    ca_file = ca_file or (Path(settings["ca_file"]) if "ca_file" in settings else None)
    if ca_file is not None:
        _check_certificate(ca_file)
    return BrokerLogin(
        host,
        port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        user=environment.get("TRIVOX_MQTT_USER") or settings.get("user"),
        password=environment.get("TRIVOX_MQTT_PASSWORD") or settings.get("password"),
        ca_file=ca_file,
    )


def _check_certificate(path: Path) -> None:
    """Raise TrivoxError unless the file holds certificates that a broker's can be checked by."""
    advice = "give the certificate of the authority that signed the broker's certificate"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except FileNotFoundError as error:
        raise TrivoxError(f"There is no file {called(path)}: {advice}.") from error
    except ssl.SSLError as error:
        raise TrivoxError(
            f"{called(path)} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----: {advice} (one "
            "in DER is turned into PEM by `openssl x509 -inform der -in FILE -out ca.pem`)."
        ) from error
    except OSError as error:
        raise cannot_read(path, error) from error


def read_config(path: Path) -> dict[str, str]:
    """Read the config file: TOML with `user`, `password` and `ca_file`, each optional.

    Raises TrivoxError, also if others may read the file.
    """
    try:
        if is_open_to_others(path):
            raise TrivoxError(f"{path} holds a password and others may read it: run chmod 600 {path}.")
    except OSError as error:
        raise cannot_read(path, error) from error
    content = read_toml(path)
    for key, value in content.items():
        if key not in CONFIG_KEYS or not isinstance(value, str):
            raise TrivoxError(f"{path} has an invalid {key!r}: give only {', '.join(CONFIG_KEYS)}, each as a string.")
    return content
