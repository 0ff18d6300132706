"""Where the broker is and how to log in there: from the command line, the environment and a settings file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.errors import TrivoxError, UsageError
from bridge.private_files import is_open_to_others

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEYS = ("user", "password", "ca_file")
RENEW_DAYS = 60  # before its end a broker's certificate is renewed, or doctor says so


@dataclass(frozen=True)
class BrokerLogin:
    """A broker and the login there; `ca_file` is what its certificate is checked by (None: the system's list)."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """For people and logs: without the login."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def read_broker(
    url: str, environment: Mapping[str, str], config: Path | None, ca_file: Path | None = None
) -> BrokerLogin:
    """A broker as `mqtt://HOST:PORT` or `mqtts://HOST:PORT`; raises UsageError, or TrivoxError for the file."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in PORTS or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query:
        raise UsageError(f"{url!r} is no broker: give mqtt://HOST:PORT or mqtts://HOST:PORT.")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "User and password do not belong on the command line, where others see them: give TRIVOX_MQTT_USER and "
            "TRIVOX_MQTT_PASSWORD in the environment, or --config FILE."
        )
    given = read_config(config) if config is not None else {}
    file = ca_file or (Path(given["ca_file"]) if "ca_file" in given else None)
    if file is not None and not file.is_file():
        raise TrivoxError(f"{file} is not there: give the file of the authority that signed the broker's certificate.")
    return BrokerLogin(
        parts.hostname,
        port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        user=environment.get("TRIVOX_MQTT_USER") or given.get("user"),
        password=environment.get("TRIVOX_MQTT_PASSWORD") or given.get("password"),
        ca_file=file,
    )


def read_config(path: Path) -> dict[str, str]:
    """The settings file, TOML with `user`, `password` and `ca_file`; nobody else may read it. Raises TrivoxError."""
    try:
        if is_open_to_others(path):
            raise TrivoxError(f"{path} holds a password and others may read it: run chmod 600 {path}.")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and rights.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrivoxError(f"{path} is no TOML file ({error}): correct it.") from error
    for key, value in content.items():
        if key not in KEYS or not isinstance(value, str):
            raise TrivoxError(f"{path} has {key!r}, which is no setting: there are {', '.join(KEYS)}, each a text.")
    return content
