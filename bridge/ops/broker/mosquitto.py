"""Make the text of mosquitto's files: its configuration, who may log in, and who may read and write what."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING

from bridge.wire.bridge_claim import ALL_CLAIMS
from bridge.wire.contract import MAX_MESSAGE_BYTES, RETAINED_LEAVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bridge.keyring import Account, Credentials

_ITERATIONS = 101  # mosquitto_passwd's default; random passwords need no stretching
_SALT_BYTES = 12
MAX_PACKET_BYTES = MAX_MESSAGE_BYTES + 4 * 1024  # the longest message of all, with its topic
MAX_CONNECTIONS = 20_000
SESSION_DAYS = 14
OLDEST = (2, 0, 11)  # the version from which on these files are known to hold

CONSOLE_WRITES = ("events", "status", "health", "reply")
CONSOLE_READS = ("ack", "settings", "command", "firmware")
SOURCE_WRITES = ("counts",)
SOURCE_READS = ("ack",)
SYSTEM = "$SYS/#"  # what `trivox doctor` reads

# The files of the two listeners: who may log in there, and who may read and write what.
PASSWORDS, ACCESS = "passwords", "acl"
BRIDGE_PASSWORDS, BRIDGE_ACCESS = "bridge-passwords", "bridge-acl"
LOOPBACK = "127.0.0.1"


def settings(folder: Path, port: int, bridge_port: int, *, log_denied: bool) -> str:
    """Return mosquitto.conf for the files in `folder`. Its limits were measured (bridge/service/README.md)."""
    debug = "" if log_denied else "# "
    return f"""\
# Written by `trivox broker-config`, which will overwrite it: put changes of your own into another file.

per_listener_settings true

# The way in for consoles, tills, people counters and viewers: TLS, with a login. Whatever client id somebody gives, the
# broker takes the user's name for it. So nobody can cut another one off by taking its id, or delete what waits for it.
listener {port}
use_username_as_clientid true
{_listener(folder, PASSWORDS, ACCESS)}
# The way in for the bridge and for `trivox doctor`, on this machine only. The bridge's client id is a secret here: its
# login may be used by several clients at once, and no other login is let in.
listener {bridge_port} {LOOPBACK}
{_listener(folder, BRIDGE_PASSWORDS, BRIDGE_ACCESS)}
# Messages that wait for the bridge survive a restart. They are stored in mosquitto's working directory.
persistence true
autosave_interval 300

# Sessions of clients that left are kept in memory with what waits for them, so those that do not come back end. That is
# safe for the bridge: consoles keep their events until it has stored them, and send them again. Counts that a till does
# not send again would be lost if the bridge were away for so long.
persistent_client_expiration {SESSION_DAYS}d

# More messages in flight or in the queue would be dropped silently; consoles would send them again.
max_inflight_messages 1000
max_queued_messages 1000000
max_queued_bytes 1073741824
set_tcp_nodelay true

# A client that sends a larger packet is disconnected.
max_packet_size {MAX_PACKET_BYTES}

log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
log_type error
log_type warning
log_type notice
log_type information
# Only this logs who tried to write or read without the right to ("Denied PUBLISH …"). It also logs every message: a
# shop's journal can take that; with hundreds of consoles leave it out (`trivox broker-config --no-log-denied`).
{debug}log_type debug
connection_messages true
"""


def _listener(folder: Path, passwords_file: str, access_file: str) -> str:
    return f"""\
certfile {folder}/server.pem
keyfile {folder}/server.key
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/{passwords_file}
acl_file {folder}/{access_file}
max_connections {MAX_CONNECTIONS}
"""


def passwords(accounts: Iterable[Account | Credentials]) -> str:
    """Return the password file, with passwords hashed as by mosquitto 2."""
    return "".join(f"{account.user}:{hash_password(account.password)}\n" for account in accounts)


def hash_password(password: str) -> str:
    """Return a password as mosquitto stores it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def bridge_access(user: str) -> str:
    """Return the access list of the bridge's listener; nobody may do what it does not allow."""
    lines = [
        "# Written by `trivox broker-config`.",
        *_rights(user, "trivox/v1/+/+", CONSOLE_READS, (*CONSOLE_WRITES, *SOURCE_WRITES)),
        f"topic readwrite {ALL_CLAIMS}",
        # `trivox doctor` logs in as the bridge, and checks that the broker holds the newest settings.
        "topic read trivox/v1/+/+/settings",
        # The bridge clears what the broker retains of consoles that are gone.
        *(f"topic write trivox/v1/+/+/{leaf}" for leaf in CONSOLE_WRITES if leaf in RETAINED_LEAVES),
        f"topic read {SYSTEM}",
    ]
    return "\n".join(lines) + "\n"


def access(consoles: Iterable[tuple[str, str]], sources: Iterable[str], viewers: Iterable[str]) -> str:
    """Return the access list of all others; nobody may do what it does not allow.

    Consoles are (site id, console id); sources are SITE/SOURCE.
    """
    lines = ["# Written by `trivox broker-config`. Patterns with %u cannot do this, as a user name holds no slash."]
    for site_id, console_id in consoles:
        lines += _rights(f"{site_id}.{console_id}", f"trivox/v1/{site_id}/{console_id}", CONSOLE_WRITES, CONSOLE_READS)
    for source in sources:
        lines += _rights(source.replace("/", "."), f"trivox/v1/{source}", SOURCE_WRITES, SOURCE_READS)
    for viewer in viewers:
        lines += ["", f"user {viewer}", "topic read trivox/v1/#"]
    return "\n".join(lines) + "\n"


def _rights(user: str, prefix: str, writes: Iterable[str], reads: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"user {user}"
    for leaf in writes:
        yield f"topic write {prefix}/{leaf}"
    for leaf in reads:
        yield f"topic read {prefix}/{leaf}"
