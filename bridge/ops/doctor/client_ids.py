"""Check who could take the client id of the bridge or of a console at the broker, and so cut it off."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.keyring import DOCTOR
from bridge.ops.broker.mosquitto import OLDEST
from bridge.ops.doctor.broker_probe import is_let_in, lets_clients_choose_ids
from bridge.ops.doctor.database import Diagnosis
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.broker_login import BrokerLogin
    from bridge.keyring import Keyring
    from bridge.ops.doctor.broker_probe import ProbeResult

_MOSQUITTO = re.compile(r"mosquitto version ([0-9]+)\.([0-9]+)\.([0-9]+)")


def check_client_ids(broker: BrokerLogin, result: ProbeResult, keyring: Keyring) -> Iterator[Diagnosis]:
    """Check where the bridge logs in, where consoles do, and whether the broker can keep to its rules at all."""
    yield from _version(result.version)
    yield from _bridge_port(broker, result, keyring)
    yield from _console_port(broker, keyring)


def _version(text: str) -> Iterator[Diagnosis]:
    found = _MOSQUITTO.match(text)
    if found is not None and tuple(map(int, found.groups())) < OLDEST:
        yield Diagnosis(
            f"The broker is {printable(text)}, and the rules on client ids are only known to hold from "
            f"{'.'.join(map(str, OLDEST))} on: install a newer one, else somebody may cut bridge and consoles off."
        )


# -- where the bridge logs in ------------------------------------------------------------------------------------


def _bridge_port(broker: BrokerLogin, result: ProbeResult, keyring: Keyring) -> Iterator[Diagnosis]:
    if not result.may_choose_client_id:
        return
    if broker.user is None:
        yield Diagnosis(
            "The broker lets anybody in without a login, so anybody can cut bridge and consoles off: for more than a "
            "trial, secure it with `trivox broker-config`.",
            needs_action=False,
        )
        return
    others = _other_logins(broker, keyring)
    name = next((name for name, login in others.items() if is_let_in(login)), None)
    if name is not None:
        yield Diagnosis(
            f"The login of {name} is let in where the bridge is and may choose its client id, so whoever has it can "
            "cut bridge and consoles off: run `trivox broker-config` again and restart broker and bridge, or let the "
            "broker tie client ids to logins (mosquitto: use_username_as_clientid true)."
        )
    elif not others:
        yield Diagnosis(
            "Whoever can log in where the bridge does may choose a client id, and so cut bridge and consoles off: let "
            "no others in there (`trivox broker-config` writes such a broker's files).",
            needs_action=False,
        )


def _other_logins(broker: BrokerLogin, keyring: Keyring) -> dict[str, BrokerLogin]:
    """Return a login each of a source, a viewer and a console, by name, as far as this user may read them."""
    logins = {}
    try:
        names = [*keyring.sources()[:1], *keyring.viewers()[:1]]
        found = {name: keyring.account(name) for name in names}
        consoles = {"/".join(name): keyring.get(*name) for name in list(keyring.consoles())[:1]}
        for name, account in (*found.items(), *consoles.items()):
            if account is not None:
                logins[name] = replace(broker, user=account.user, password=account.password)
    except TrivoxError:
        return logins  # only the bridge's user may read them
    return logins


# -- where consoles, sources and viewers log in ------------------------------------------------------------------


def _console_port(broker: BrokerLogin, keyring: Keyring) -> Iterator[Diagnosis]:
    """Try it with a login that nobody else uses, as any other's client could be cut off by that."""
    try:
        port = _find_console_port(broker)
        account = keyring.account(DOCTOR)
    except TrivoxError as error:
        yield Diagnosis(f"Client ids were not checked where consoles log in: {error}", needs_action=False)
        return
    if port is None or port == broker.port:
        return
    where = f"At port {port} of the broker, where consoles log in,"
    if account is None:
        yield Diagnosis(
            f"{where} client ids were not checked, as these files are of an earlier version: run `trivox "
            "broker-config` again, and restart the broker."
        )
        return
    may_choose = lets_clients_choose_ids(replace(broker, port=port, user=account.user, password=account.password))
    if may_choose is None:
        yield Diagnosis(
            f"{where} client ids were not checked, as the login {account.user} is not let in: start the broker with "
            "the files that `trivox broker-config` wrote, or have it read them again (`systemctl reload`)."
        )
    elif may_choose:
        yield Diagnosis(
            f"{where} each login may choose its client id, so whoever has one can cut consoles off: run `trivox "
            "broker-config` again and restart the broker, or let it tie client ids to logins (mosquitto: "
            "use_username_as_clientid true)."
        )


def _find_console_port(broker: BrokerLogin) -> int | None:
    """Return the port that `trivox broker-config` wrote for consoles, beside the authority's certificate."""
    if broker.ca_file is None:
        return None
    path = broker.ca_file.parent / "consoles" / "broker.json"
    try:
        return int(json.loads(path.read_bytes())["port"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): run this as the bridge's user.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise TrivoxError(f"{path} is damaged: run `trivox broker-config` again.") from error
