"""The folder that `trivox broker-config` writes: mosquitto's files, the bridge's, the consoles', units for systemd."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import private_files
from bridge.broker_login import RENEW_DAYS
from bridge.errors import TrivoxError, UsageError
from bridge.keyring import BRIDGE, Keyring
from bridge.ops.broker import certificates, mosquitto, systemd
from bridge.private_files import is_root, owner_of
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bridge.ops.broker.certificates import Certificate
    from bridge.private_files import Owner

    Say = Callable[[str], None]

BROKER_USER = "mosquitto"
PORT = 8883
_PORT = re.compile(r"^listener ([0-9]+)$", re.MULTILINE)
_LOGS_DENIED = "\nlog_type debug\n"
HERE = ("localhost", "127.0.0.1", "::1")  # under these the bridge on the same machine reaches it


def write(
    folder: Path,
    database: Path,
    hosts: list[str],
    port: int | None,
    now: datetime,
    say: Say,
    *,
    log_denied: bool | None,
) -> None:
    """Write it, or write it again: what is not given (no hosts, None) stays as it was. Raises TrivoxError."""
    asked = [certificates.check_host(host) for host in hosts]
    if not asked and not (folder / "server.pem").exists():
        raise UsageError("Say under which name or address consoles reach the broker: --host HOST.")
    keyring = Keyring(database)
    if _is_of_another(folder, keyring):
        raise TrivoxError(
            f"{folder} was written for another database than {database}, whose consoles would be locked out: give "
            f"it by --database, or put {keyring.folder} back."
        )
    owner = _owner_of_broker()
    _make(folder)
    granted = _certify(folder, asked, now, owner, say)
    before = _text(folder / "mosquitto.conf")
    found = _PORT.search(before)
    port = port or (int(found[1]) if found else PORT)
    if log_denied is None:
        log_denied = not before or _LOGS_DENIED in before
    _write_broker(folder, keyring, port, owner, say, log_denied=log_denied)
    if before not in {"", _text(folder / "mosquitto.conf")}:
        say(f"mosquitto's settings have changed: sudo systemctl restart {systemd.BROKER_UNIT}")
    _write_bridge(folder, keyring, database)
    _write_for_consoles(folder, granted[0], port)
    _write_units(folder, database, port)


def _make(folder: Path) -> None:
    try:
        for one in (folder, folder / "consoles", folder / "systemd"):
            if not one.is_dir():
                one.mkdir(parents=True)
                one.chmod(0o755)  # whatever root's umask: mosquitto's user has to look into it
    except OSError as error:
        raise TrivoxError(f"{folder} cannot be made ({error.strerror}): give another --out, or be root.") from error


def _text(path: Path) -> str:
    """What a file of ours says; nothing where it is not there."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _is_of_another(folder: Path, keyring: Keyring) -> bool:
    """Whether the folder lets others in than its bridge, which is another than this keyring's."""
    users = {line.partition(":")[0] for line in _text(folder / "passwords").splitlines()}
    bridge, written = keyring.account(BRIDGE), _text(folder / "bridge.toml")
    is_ours = bridge is not None and (not written or json.dumps(bridge.password) in written)
    return bool(users - {BRIDGE}) and not is_ours


def _owner_of_broker() -> Owner | None:
    """Whom root gives mosquitto's files to."""
    if not is_root():
        return None
    try:
        found = pwd.getpwnam(BROKER_USER)
    except KeyError:
        raise TrivoxError(f"There is no user {BROKER_USER}: install mosquitto first.") from None
    return found.pw_uid, found.pw_gid


# -- certificates ------------------------------------------------------------------------------------------------


def _certify(folder: Path, wanted: list[str], now: datetime, owner: Owner | None, say: Say) -> list[str]:
    """See that there are an authority and a certificate that is good for a while; the hosts that it is for."""
    path, key = folder / "server.pem", folder / "server.key"
    authority = folder / "ca.pem"
    if path.is_file() and key.is_file() and authority.is_file():
        there = certificates.read_certificate(path)
        left = certificates.days_left(there, now)
        hosts = certificates.hosts_of(there)
        wanted = [*dict.fromkeys([*wanted, *HERE])] if wanted else hosts
        is_good = certificates.is_signed_by(there, certificates.read_certificate(authority))
        is_good &= certificates.fits(there, key)
        if is_good and sorted(wanted) == sorted(hosts) and wanted[0] == hosts[0] and left > RENEW_DAYS:
            say(f"The broker's certificate is for {_names(hosts)}, good for {plural(left, 'more day')}.")
            return hosts
    hosts = [*dict.fromkeys([*wanted, *HERE])]
    made = certificates.make_server(_authority(folder, now, say), hosts, now)
    private_files.write(key, made.key_pem(), owner)
    private_files.write(path, made.pem(), mode=private_files.OPEN)
    say(f"The broker has a new certificate for {_names(hosts)}, good for {certificates.SERVER_DAYS} days: renew it")
    say("by running this again; `trivox doctor` tells when it is time.")
    return hosts


def _names(hosts: list[str]) -> str:
    return ", ".join(hosts)


def _authority(folder: Path, now: datetime, say: Say) -> Certificate:
    """The authority, made if there was never one."""
    home, path = folder / "authority", folder / "ca.pem"
    key = home / "ca.key"
    if path.exists() or key.exists():
        if not key.exists():
            raise TrivoxError(f"A new certificate needs the authority's key, which is not at {key}: put it there.")
        return certificates.read(path, key)
    private_files.folder(home)
    made = certificates.make_authority(now)
    private_files.write(key, made.key_pem())
    private_files.write(path, made.pem(), mode=private_files.OPEN)
    say(f"An authority was made. Move {key} to where no network reaches, and back only to renew: who has it can")
    say("pass for the broker at every console.")
    return made


# -- files -------------------------------------------------------------------------------------------------------


def _write_broker(
    folder: Path, keyring: Keyring, port: int, owner: Owner | None, say: Say, *, log_denied: bool
) -> None:
    consoles, sources, viewers = list(keyring.consoles()), keyring.sources(), keyring.viewers()
    bridge = keyring.account(BRIDGE) or keyring.issue_account(BRIDGE)
    found = [bridge, *(keyring.get(*console) for console in consoles), *map(keyring.account, (*sources, *viewers))]
    words = mosquitto.passwords(account for account in found if account is not None)
    rights = mosquitto.access(bridge.user, consoles, sources, viewers)
    private_files.write(folder / "passwords", words.encode(), owner)
    private_files.write(folder / "acl", rights.encode(), owner)
    settings = mosquitto.settings(folder, port, log_denied=log_denied)
    private_files.write(folder / "mosquitto.conf", settings.encode(), mode=private_files.OPEN)
    say(
        f"May log in: the bridge, {plural(len(consoles), 'console')}, {plural(len(sources), 'source')} of counts, "
        f"{plural(len(viewers), 'viewer')}."
    )


def _write_bridge(folder: Path, keyring: Keyring, database: Path) -> None:
    account = keyring.account(BRIDGE)
    if account is None:
        raise TrivoxError(f"{keyring.account_path(BRIDGE)} has gone meanwhile: run this again.")
    fields = {"user": account.user, "password": account.password, "ca_file": str(folder / "ca.pem")}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    private_files.write(folder / "bridge.toml", text.encode(), owner_of(database))


def _write_for_consoles(folder: Path, host: str, port: int) -> None:
    """What goes on every board besides its own credentials; nothing of it is secret."""
    home = folder / "consoles"
    authority = certificates.read_certificate(folder / "ca.pem")
    private_files.write(home / "ca.der", certificates.der(authority), mode=private_files.OPEN)
    broker = {"host": host, "port": port, "tls": True, "ca": "/ca.der"}
    private_files.write(home / "broker.json", (json.dumps(broker) + "\n").encode(), mode=private_files.OPEN)


def _write_units(folder: Path, database: Path, port: int) -> None:
    home = folder / "systemd"
    user = pwd.getpwuid(owner_of(database)[0]).pw_name
    program = Path(sys.argv[0]).absolute()
    service = systemd.Service(user, program, database.absolute(), folder / "bridge.toml", f"mqtts://localhost:{port}")
    runs_as = BROKER_USER if is_root() else pwd.getpwuid(os.geteuid()).pw_name
    broker = shutil.which(BROKER_USER, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "/usr/sbin/mosquitto"
    unit = systemd.broker_unit(broker, runs_as, folder / "mosquitto.conf")
    for name, text in ((systemd.BROKER_UNIT, unit), (systemd.BRIDGE_UNIT, systemd.bridge_unit(service))):
        private_files.write(home / name, text.encode(), mode=private_files.OPEN)
