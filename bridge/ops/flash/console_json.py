"""A console's `console.json`: what a technician gives, over what the same console had before."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.broker_login import BrokerLogin
from bridge.errors import TrivoxError
from bridge.ops.flash.assignments import Wanted
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.credentials import Issuer, of_nobody
from bridge.ops.flash.errors import FlashError

WITHOUT_RADIO = "pico"


@dataclass(frozen=True)
class Common:
    """What is the same for all consoles of a run; None leaves what a console has."""

    wifi_ssid: str | None = None
    wifi_password: str | None = field(default=None, repr=False)
    broker: BrokerLogin | None = None
    ca: bytes | None = None
    ntp_host: str | None = None
    issuer: Issuer = of_nobody


def configuration(wanted: Wanted, board: BoardInfo, common: Common) -> dict[str, Any]:
    """What `console.json` is to say. Raises BoardError where something is not known."""
    before = dict(board.console or {}) if board.identity == wanted.identity else {}
    config = {**before, "site_id": wanted.site_id, "console_id": wanted.console_id, "board": board.kind}
    credentials = common.issuer(wanted.site_id, wanted.console_id)
    if credentials:
        config["key"] = credentials.key
    if board.kind == WITHOUT_RADIO:
        return config
    ssid, password = wanted.wifi_ssid or common.wifi_ssid, wanted.wifi_password
    if ssid:
        config["wifi"] = {"ssid": ssid, "password": password if password is not None else common.wifi_password or ""}
    if common.broker:
        broker = common.broker
        config["broker"] = {**config.get("broker", {}), "host": broker.host, "port": broker.port, "tls": broker.tls}
        if common.ca:
            config["broker"]["ca"] = "/ca.der"
    if credentials:
        config["broker"] = {**config.get("broker", {}), "user": credentials.user, "password": credentials.password}
    if wanted.ntp_host or common.ntp_host:
        config["ntp_host"] = wanted.ntp_host or common.ntp_host
    if not config.get("wifi"):
        raise FlashError(f"Nobody says which Wi-Fi {wanted.name} is to join: give --wifi-ssid.")
    if not config.get("broker", {}).get("host"):
        raise FlashError(f"Nobody says which broker {wanted.name} is to send to: give --broker mqtt://HOST:PORT.")
    return config


def der_of(path: Path) -> bytes:
    """The certificate in a PEM or DER file, as boards read it. Raises TrivoxError."""
    try:
        data = path.read_bytes()
        return ssl.PEM_cert_to_DER_cert(data.decode("ascii")) if data.startswith(b"-----") else data
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and rights.") from error
    except ValueError as error:
        raise TrivoxError(f"{path} holds no single certificate: give the authority's PEM file.") from error
