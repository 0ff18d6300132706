"""Write the folder of `trivox broker-config`: files for mosquitto, the bridge and the consoles, and systemd units."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bridge import private_files
from bridge.broker_login import RENEW_DAYS
from bridge.errors import TrivoxError, UsageError
from bridge.keyring import BRIDGE, DOCTOR, OWN_USERS, Keyring, UnusableLoginError
from bridge.ops.broker import certificates, mosquitto, systemd
from bridge.privileges import ROOT, Owner, is_root, owner_of
from bridge.store import console_status, open_store
from bridge.system import find_user, name_of_user, try_lock, user_id
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from bridge.keyring import Account, Credentials
    from bridge.ops.broker.certificates import KeyedCertificate

    Report = Callable[[str], None]

N = TypeVar("N")
L = TypeVar("L")
BROKER_USER = "mosquitto"
LOCK = ".lock"
PORT = 8883
MAX_FILE_BYTES = 64 * 1024 * 1024
HIGHEST_PORT = 65_535
_PORT = re.compile(r"^listener ([0-9]+)$", re.MULTILINE)
_BRIDGE_PORT = re.compile(rf"^listener ([0-9]+) {re.escape(mosquitto.LOOPBACK)}$", re.MULTILINE)
_LOGS_DENIED = "\nlog_type debug\n"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")  # how the bridge on the same machine reaches the broker


def write_folder(
    folder: Path,
    database: Path,
    hosts: list[str],
    port: int | None,
    bridge_port: int | None,
    now: datetime,
    report: Report,
    *,
    log_denied: bool | None,
) -> None:
    """Write the folder, or update it: what is not given (no hosts, None) stays as it was. Raises TrivoxError."""
    new_hosts = [certificates.check_host(host) for host in hosts]
    old_settings = _text(folder / "mosquitto.conf")
    port, bridge_port = _ports(port, bridge_port, old_settings)
    if not new_hosts and not (folder / "server.pem").exists():
        raise UsageError("The broker's name or address is not known: give it with --host HOST, as consoles reach it.")
    keyring = Keyring(database)
    if _belongs_to_another_database(folder, keyring):
        raise TrivoxError(
            f"{folder} was written for another database than {database}, whose consoles would be locked out: give "
            f"that one with --database, or put {keyring.folder} back."
        )
    owner = _owner_of_broker()
    _check_place(folder)
    _make_folders(folder)
    if log_denied is None:
        log_denied = not old_settings or _LOGS_DENIED in old_settings
    with _locked(folder):
        certificate_hosts = _ensure_certificate(folder, new_hosts, now, owner, report)
        _write_broker(folder, keyring, owner, report)
        _report_missing(database, keyring, report)
        settings = mosquitto.settings(folder, port, bridge_port, log_denied=log_denied)
        private_files.write(folder / "mosquitto.conf", settings.encode(), mode=private_files.OPEN)
        if old_settings not in {"", settings}:
            report(f"mosquitto's settings have changed: run `sudo systemctl restart {systemd.BROKER_UNIT}`")
        _write_bridge(folder, keyring, database)
        _write_for_consoles(folder, certificate_hosts[0], port)
        _write_units(folder, database, bridge_port, report)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other commands from writing the folder meanwhile: a certificate would get another one's key."""
    path = folder / LOCK
    try:
        file = os.fdopen(private_files.open_plain(path, os.O_WRONLY | os.O_CREAT), "wb")
    except OSError as error:
        raise TrivoxError(
            f"{path} cannot be made ({error.strerror}): give another --out, or run this as root."
        ) from error
    with file:
        if not try_lock(file):
            raise TrivoxError(f"Another command is writing {folder}: run this again when it has finished.")
        yield


def _ports(port: int | None, bridge_port: int | None, old_settings: str) -> tuple[int, int]:
    """Return everybody's port and the bridge's: as given, else as before, else the usual ones. Raises UsageError."""
    old_port, old_bridge_port = _PORT.search(old_settings), _BRIDGE_PORT.search(old_settings)
    port = port or (int(old_port[1]) if old_port else PORT)
    above = port + 1 if port < HIGHEST_PORT else port - 1
    bridge_port = bridge_port or (int(old_bridge_port[1]) if old_bridge_port else above)
    if bridge_port == port:
        raise UsageError(f"The bridge needs a port of its own, and {port} is everybody's: give another --bridge-port.")
    return port, bridge_port


def _check_place(folder: Path) -> None:
    """Raise TrivoxError where root would write what other users may then replace."""
    if is_root() and (user := owner_of(folder).user_id) != ROOT:
        raise TrivoxError(
            f"{folder} is in the hands of {name_of_user(user)}, who could replace what mosquitto reads: give another "
            "--out, such as /etc/trivox, or run this as that user."
        )


def _make_folders(folder: Path) -> None:
    try:
        for path in (folder, folder / "consoles", folder / "systemd"):
            if not path.is_dir():
                path.mkdir(parents=True)
                path.chmod(0o755)  # whatever our umask is: mosquitto's user has to read it
    except OSError as error:
        raise TrivoxError(
            f"{folder} cannot be made ({error.strerror}): give another --out, or run this as root."
        ) from error


def _text(path: Path) -> str:
    """Return the text of a file, or "" if it is not there."""
    try:
        return private_files.read(path, MAX_FILE_BYTES).decode()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): see what it is, and remove it.") from error


def _belongs_to_another_database(folder: Path, keyring: Keyring) -> bool:
    """Return whether the folder holds logins besides our own, and its bridge is not this keyring's."""
    users = {line.partition(":")[0] for line in _text(folder / "passwords").splitlines()}
    bridge, bridge_config = keyring.account(BRIDGE), _text(folder / "bridge.toml")
    is_same = bridge is not None and (not bridge_config or json.dumps(bridge.password) in bridge_config)
    return bool(users - OWN_USERS.keys()) and not is_same


def _owner_of_broker() -> Owner | None:
    """Return the owner that root gives mosquitto's files to, or None if this is not root."""
    if not is_root():
        return None
    owner = find_user(BROKER_USER)
    if owner is None:
        raise TrivoxError(f"There is no user {BROKER_USER}: install mosquitto first.")
    return Owner(*owner)


# -- certificates ------------------------------------------------------------------------------------------------


def _ensure_certificate(
    folder: Path, new_hosts: list[str], now: datetime, owner: Owner | None, report: Report
) -> list[str]:
    """Make an authority and a certificate, unless valid ones are there. Return the certificate's hosts."""
    path, key = folder / "server.pem", folder / "server.key"
    authority = folder / "ca.pem"
    if path.is_file() and key.is_file() and authority.is_file():
        current = certificates.read_certificate(path)
        days_left = certificates.days_left(current, now)
        hosts = certificates.hosts_of(current)
        new_hosts = [*dict.fromkeys([*new_hosts, *LOCAL_HOSTS])] if new_hosts else hosts
        is_sound = certificates.is_signed_by(current, certificates.read_certificate(authority))
        is_sound &= certificates.fits(current, key)
        if is_sound and sorted(new_hosts) == sorted(hosts) and new_hosts[0] == hosts[0]:
            is_due, is_locked = days_left <= RENEW_DAYS, not _authority_key(folder).exists()
            if not is_due or (is_locked and days_left >= 0):
                told = f"The broker's certificate is for {', '.join(hosts)}, valid for {plural(days_left, 'more day')}"
                renew = (
                    f", and is to be renewed: put the authority's key back to {_authority_key(folder)}, and run this"
                )
                report(f"{told}{f'{renew} again' if is_due else ''}.")
                return hosts
    hosts = [*dict.fromkeys([*new_hosts, *LOCAL_HOSTS])]
    server = certificates.make_server(_ensure_authority(folder, now, report), hosts, now)
    private_files.write(key, server.key_pem(), owner)
    private_files.write(path, server.pem(), mode=private_files.OPEN)
    report(f"The broker has a new certificate for {', '.join(hosts)}, valid for {certificates.SERVER_DAYS} days: renew")
    report("it by running this again; `trivox doctor` says when it is time.")
    return hosts


def _authority_key(folder: Path) -> Path:
    return folder / "authority" / "ca.key"


def _ensure_authority(folder: Path, now: datetime, report: Report) -> KeyedCertificate:
    """Return the authority, made if there was never one."""
    path, key = folder / "ca.pem", _authority_key(folder)
    if path.exists() or key.exists():
        if not key.exists():
            raise TrivoxError(f"A new certificate needs the authority's key, which is not at {key}: put it there.")
        return certificates.read(path, key)
    private_files.make_folder(key.parent)
    authority = certificates.make_authority(now)
    private_files.write(key, authority.key_pem())
    private_files.write(path, authority.pem(), mode=private_files.OPEN)
    report(f"An authority was made. Move {key} to a place without network, and back only to renew: whoever has it")
    report("can pretend to be the broker to every console.")
    return authority


# -- files -------------------------------------------------------------------------------------------------------


def _write_broker(folder: Path, keyring: Keyring, owner: Owner | None, report: Report) -> None:
    """Write who may log in, and who may read and write what."""
    consoles = _usable(keyring.consoles(), lambda name: keyring.get(*name), report)
    sources = _usable(keyring.sources(), keyring.account, report)
    viewers = _usable(keyring.viewers(), keyring.account, report)
    bridge = keyring.account(BRIDGE) or keyring.issue_account(BRIDGE)
    doctor = keyring.account(DOCTOR) or keyring.issue_account(DOCTOR)
    accounts: list[Account | Credentials] = [doctor, *consoles.values(), *sources.values(), *viewers.values()]
    for name, text in (
        (mosquitto.BRIDGE_PASSWORDS, mosquitto.passwords([bridge])),
        (mosquitto.BRIDGE_ACCESS, mosquitto.bridge_access(bridge.user)),
        (mosquitto.PASSWORDS, mosquitto.passwords(accounts)),
        (mosquitto.ACCESS, mosquitto.access(consoles, sources, viewers)),
    ):
        private_files.write(folder / name, text.encode(), owner)
    for path in keyring.strange_files():
        report(f"{printable(str(path))} gives no rights to anybody, as no command gives a file that name: remove it.")
    report(
        f"These may log in: the bridge, {plural(len(consoles), 'console')}, {plural(len(sources), 'source')} of "
        f"counts, {plural(len(viewers), 'viewer')}."
    )


def _usable(names: Iterable[N], read: Callable[[N], L | None], report: Report) -> dict[N, L]:
    """Return the logins by name; one whose file is damaged is left out, so that the others need not wait for it."""
    logins = {}
    for name in names:
        try:
            login = read(name)
        except UnusableLoginError as error:
            report(f"{error} Until then nobody may log in with it.")
            continue
        if login is not None:
            logins[name] = login
    return logins


def _report_missing(database: Path, keyring: Keyring, report: Report) -> None:
    """Report consoles that are enrolled and may not log in, because their credentials are gone."""
    if not database.exists():
        return
    store = open_store(database)
    try:
        enrolled = [(row.site_id, row.console_id) for row in console_status.consoles(store) if row.enrolled]
    finally:
        store.close()
    for console in sorted(set(enrolled) - set(keyring.consoles())):
        name = "/".join(console)
        report(
            f"{name} is enrolled, but may not log in: {keyring.path(*console)} is missing. Restore it from a copy, or "
            f"run `trivox console enroll {name}`, put the new credentials on its board, and run this again."
        )


def _write_bridge(folder: Path, keyring: Keyring, database: Path) -> None:
    account = keyring.account(BRIDGE)
    if account is None:
        raise TrivoxError(f"{keyring.account_path(BRIDGE)} was removed meanwhile: run this again.")
    fields = {"user": account.user, "password": account.password, "ca_file": str(folder / "ca.pem")}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    private_files.write(folder / "bridge.toml", text.encode(), owner_of(database))


def _write_for_consoles(folder: Path, host: str, port: int) -> None:
    """Write what goes on every board besides its own credentials; none of it is secret."""
    home = folder / "consoles"
    authority = certificates.read_certificate(folder / "ca.pem")
    private_files.write(home / "ca.der", certificates.der(authority), mode=private_files.OPEN)
    broker = {"host": host, "port": port, "tls": True, "ca": "/ca.der"}
    private_files.write(home / "broker.json", (json.dumps(broker) + "\n").encode(), mode=private_files.OPEN)


def _write_units(folder: Path, database: Path, bridge_port: int, report: Report) -> None:
    home = folder / "systemd"
    user = name_of_user(owner_of(database)[0])
    program = Path(sys.argv[0]).absolute()
    service = systemd.BridgeService(
        user, program, database.absolute(), folder / "bridge.toml", f"mqtts://localhost:{bridge_port}"
    )
    runs_as = BROKER_USER if is_root() else name_of_user(user_id())
    broker = shutil.which(BROKER_USER, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "/usr/sbin/mosquitto"
    unit = systemd.broker_unit(broker, runs_as, folder / "mosquitto.conf")
    old_unit, bridge_unit = _text(home / systemd.BRIDGE_UNIT), systemd.bridge_unit(service)
    if old_unit not in {"", bridge_unit}:
        report(
            f"The bridge's unit has changed: run `sudo cp {home / systemd.BRIDGE_UNIT} /etc/systemd/system/ && sudo "
            f"systemctl daemon-reload && sudo systemctl restart {systemd.BRIDGE_UNIT}`"
        )
        if systemd.SIGNED_ONLY not in old_unit:
            report(
                f"With it the bridge takes only signed events ({systemd.SIGNED_ONLY}); consoles that do not sign keep "
                "theirs. First see with `trivox doctor` that every console signs."
            )
    for name, text in ((systemd.BROKER_UNIT, unit), (systemd.BRIDGE_UNIT, bridge_unit)):
        private_files.write(home / name, text.encode(), mode=private_files.OPEN)
