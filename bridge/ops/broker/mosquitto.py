"""Make the text of mosquitto's files: its configuration, who may log in, and who may read and write what."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bridge.keyring import Account, Credentials

_ITERATIONS = 101  # mosquitto_passwd's default; random passwords need no stretching
_SALT_BYTES = 12
MAX_PACKET_BYTES = 68 * 1024  # the longest message that the bridge accepts, with its topic
MAX_CONNECTIONS = 20_000

CONSOLE_WRITES = ("events", "status", "health", "reply")
CONSOLE_READS = ("ack", "settings", "command", "firmware")
SOURCE_WRITES = ("counts",)
SOURCE_READS = ("ack",)
SYSTEM = "$SYS/#"  # what `trivox doctor` reads


def settings(folder: Path, port: int, *, log_denied: bool) -> str:
    """Return mosquitto.conf for the files in `folder`. Its limits were measured (bridge/service/README.md)."""
    debug = "" if log_denied else "# "
    return f"""\
# Written by `trivox broker-config`, which will overwrite it: put changes of your own into another file.

# The only way in: TLS, with a login.
listener {port}
certfile {folder}/server.pem
keyfile {folder}/server.key
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
max_connections {MAX_CONNECTIONS}

# Messages that wait for the bridge survive a restart. They are stored in mosquitto's working directory.
persistence true
autosave_interval 300

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


def passwords(accounts: Iterable[Account | Credentials]) -> str:
    """Return the password file, with passwords hashed as by mosquitto 2."""
    return "".join(f"{account.user}:{hash_password(account.password)}\n" for account in accounts)


def hash_password(password: str) -> str:
    """Return a password as mosquitto stores it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def access(bridge: str, consoles: Iterable[tuple[str, str]], sources: Iterable[str], viewers: Iterable[str]) -> str:
    """Return the access list; nobody may do what it does not allow.

    Consoles are (site id, console id); sources are SITE/SOURCE.
    """
    lines = [
        "# Written by `trivox broker-config`. Patterns with %u cannot do this, as a user name holds no slash.",
        *_rights(bridge, "trivox/v1/+/+", CONSOLE_READS, (*CONSOLE_WRITES, *SOURCE_WRITES)),
        # `trivox doctor` logs in as the bridge, and checks that the broker holds the newest settings.
        "topic read trivox/v1/+/+/settings",
        f"topic read {SYSTEM}",
    ]
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
