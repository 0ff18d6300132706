"""Make a console's `console.json` from what a technician gives and what the same console had before."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.broker_login import BrokerLogin
from bridge.errors import TrivoxError
from bridge.keyring import Credentials
from bridge.ops.flash.assignments import Assignment
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.credentials import Issuer
from bridge.ops.flash.errors import FlashingError

WITHOUT_RADIO = "pico"


@dataclass(frozen=True)
class SharedConfig:
    """Configuration common to all consoles of a run; None leaves what a console has."""

    wifi_ssid: str | None = None
    wifi_password: str | None = field(default=None, repr=False)
    broker: BrokerLogin | None = None
    ca: bytes | None = None
    ntp_host: str | None = None
    issuer: Issuer = field(default_factory=Issuer)


def console_config(assignment: Assignment, board: BoardInfo, shared: SharedConfig) -> dict[str, Any]:
    """Return the content of `console.json`, but for new credentials.

    Raises FlashingError if the Wi-Fi or the broker is not known.
    """
    previous = dict(board.console or {}) if board.identity == assignment.identity else {}
    config = {**previous, "site_id": assignment.site_id, "console_id": assignment.console_id, "board": board.kind}
    if board.kind == WITHOUT_RADIO:
        return config
    ssid, password = assignment.wifi_ssid or shared.wifi_ssid, assignment.wifi_password
    if ssid:
        config["wifi"] = {"ssid": ssid, "password": password if password is not None else shared.wifi_password or ""}
    if shared.broker:
        broker = shared.broker
        config["broker"] = {**config.get("broker", {}), "host": broker.host, "port": broker.port, "tls": broker.tls}
        if shared.ca:
            config["broker"]["ca"] = "/ca.der"
    if assignment.ntp_host or shared.ntp_host:
        config["ntp_host"] = assignment.ntp_host or shared.ntp_host
    if not config.get("wifi"):
        raise FlashingError(f"The Wi-Fi of {assignment.name} is not known: give --wifi-ssid.")
    if not config.get("broker", {}).get("host"):
        raise FlashingError(f"The broker of {assignment.name} is not known: give --broker mqtt://HOST:PORT.")
    return config


def add_credentials(config: dict[str, Any], credentials: Credentials | None) -> None:
    """Put new credentials into the content of `console.json`; without any, it keeps what it has."""
    if credentials is None:
        return
    config["key"] = credentials.key
    if config["board"] != WITHOUT_RADIO:
        config["broker"] = {**config["broker"], "user": credentials.user, "password": credentials.password}


def read_der(path: Path) -> bytes:
    """Read a certificate from a PEM or DER file, and return it in DER, as boards need it. Raises TrivoxError."""
    try:
        data = path.read_bytes()
        return ssl.PEM_cert_to_DER_cert(data.decode("ascii")) if data.startswith(b"-----") else data
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and permissions.") from error
    except ValueError as error:
        raise TrivoxError(f"{path} does not hold a single certificate: give the authority's PEM file.") from error
