"""The bridge's claim at the broker to serve its sites, so that no other bridge serves the same consoles.

Two databases that both acknowledged a console's events would each hold a part of them, and each would send settings of
its own. Of two bridges that claim the same site the later one ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from bridge.errors import TrivoxError
from bridge.keyring import Keyring
from bridge.store import consoles
from bridge.store.faults import write_error
from bridge.store.lock import lock_place
from bridge.text import printable, utc
from bridge.wire.bridge_claim import BridgeClaim, claim_topic, write_claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store import Store

MACHINE_ID = Path("/etc/machine-id")
ID_BYTES = 8
SITES_NAMED = 3


class AnotherBridgeError(TrivoxError):
    """Another bridge serves the same consoles at the broker."""


class Claim:
    """The claim of this run of the bridge. `since_ms` is when it began to serve; None before."""

    def __init__(self, session: str, file: str, sites: Sequence[str] = ()) -> None:
        self.topic = claim_topic(_digest(session, "identity"))
        self.instance = secrets.token_hex(ID_BYTES)
        self.sites = tuple(sites)
        self._names = frozenset(sites)
        self.since_ms: int | None = None
        self._file = file
        self._host = printable(socket.gethostname())

    def asking(self) -> bytes:
        """Return the question whether another bridge serves these sites."""
        return write_claim(self._claim("asking"))

    def serving(self) -> bytes:
        """Return the message that this bridge serves them."""
        return write_claim(self._claim("serving"))

    def covers(self, topic: str) -> bool:
        """Return whether a console's topic belongs to these sites."""
        return not self.sites or not self._names.isdisjoint(topic.split("/", 3)[2:3])

    def is_rival(self, other: BridgeClaim) -> bool:
        """Return whether this is another run's claim to the same sites."""
        return other.instance != self.instance and self._claim("asking").overlaps(other)

    def is_leftover(self, other: BridgeClaim) -> bool:
        """Return whether an earlier run on our own file made this; it is dead, as we hold the file's lock."""
        return other.file == self._file and other.instance != self.instance

    def precedes(self, other: BridgeClaim) -> bool:
        """Return whether this bridge served before the other one."""
        return self._claim("asking").precedes(other)

    def _claim(self, state: str) -> BridgeClaim:
        sites = list(self.sites) or None
        return BridgeClaim(state, self.instance, self._file, self._host, self.since_ms, sites)  # type: ignore[arg-type]


def describe(other: BridgeClaim) -> str:
    """Return which bridge this is, for people: on which machine, which sites, since when."""
    sites = "all sites"
    if other.sites is not None:
        named = ", ".join(other.sites[:SITES_NAMED])
        more = len(other.sites) - SITES_NAMED
        sites = f"{'site' if len(other.sites) == 1 else 'sites'} {named}{f' and {more} more' if more > 0 else ''}"
    since = "" if other.since_ms is None else f" since {utc(other.since_ms)}"
    return f"on host {printable(other.host)}, which {'serves' if since == '' else 'has served'} {sites}{since}"


def another_bridge(other: BridgeClaim, broker: str) -> AnotherBridgeError:
    """Return the error with which the later of two bridges ends."""
    return AnotherBridgeError(
        f"Another bridge is at {broker} ({describe(other)}): this one ends, lest surveys be split between two "
        "databases; stop the other one first, or give each its own sites with --site."
    )


def shared_keys(folder: Path, broker: str) -> AnotherBridgeError:
    """Return the error for a bridge that has a copy of another one's keys, and so its name."""
    return AnotherBridgeError(
        f"A bridge with a copy of the keys in {folder} is at {broker} under the same name: delete bridge.session from "
        "the copy's folder, so that each has a name of its own, then start this bridge again."
    )


def session_name(store: Store) -> str:
    """Return the client id of the bridge's session at the broker, which is kept among the keys.

    Whoever knows it can cut the bridge off at a broker that lets clients choose their ids. So it moves out of the
    database, where it once was, into a file that only the bridge's user may read; a copy of the database alone
    thus gets a session of its own.
    """
    keyring = Keyring(store.path)
    inherited = consoles.identity(store)
    session = keyring.bridge_session()
    if session is None:
        session = keyring.issue_bridge_session(f"trivox-bridge-{inherited or secrets.token_hex(ID_BYTES)}")
    if inherited:
        try:
            with store.transaction(store.now_ms):
                consoles.forget_identity(store)
        except apsw.Error as error:
            if write_error(error) is None:
                raise  # else the next start does it
    return session


def file_name(session: str, database: Path) -> str:
    """Return what names the database's file in claims: its lock on this machine, which only one process can hold."""
    machine = MACHINE_ID.read_text("utf-8").strip() if MACHINE_ID.exists() else ""
    return _digest(session, f"{machine} {lock_place(database)}")


def _digest(session: str, what: str) -> str:
    return hmac.new(session.encode(), what.encode(), hashlib.sha256).hexdigest()[: 2 * ID_BYTES]
