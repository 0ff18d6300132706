"""Find out, once no session with a broker would begin, whether its port speaks TLS where the URL says plain MQTT."""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.broker_login import BrokerLogin

_LIMIT_S = 3.0
_CONNACK = 0x20
_TLS_RECORDS = (0x15, 0x16)  # an alert or a handshake (RFC 8446, section 5.1)
_CLEAN_SESSION = 0x02


def wrong_scheme(broker: BrokerLogin, error: OSError | None = None) -> str:
    """Return which URL the broker needs instead, if its port speaks the other protocol; else an empty string.

    `error` is what ended the attempt to connect, if anything was raised. Call this for failed attempts only: it
    connects to the broker once more.
    """
    if isinstance(error, ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError):
        return ""  # nobody listens there, or the broker does speak TLS
    try:
        with socket.create_connection((broker.host, broker.port), _LIMIT_S) as connection:
            connection.sendall(_connect_packet() if broker.tls else _client_hello(broker.host))
            answer = connection.recv(1)
    except OSError:
        return ""
    if broker.tls and answer[:1] == bytes((_CONNACK,)):
        return (
            f"port {broker.port} speaks MQTT without TLS: give its port for TLS, usually 8883, or "
            f"mqtt://{broker.host}:{broker.port} to do without TLS"
        )
    if not broker.tls and answer and answer[0] in _TLS_RECORDS:
        return f"port {broker.port} speaks TLS: give mqtts://{broker.host}:{broker.port}, with --ca-file"
    return ""


def _connect_packet() -> bytes:
    """Return a CONNECT of MQTT 3.1.1 without a login; a broker answers it even if it refuses it."""
    client_id = f"trivox-{secrets.token_hex(8)}".encode()
    body = b"\x00\x04MQTT\x04" + struct.pack(">BHH", _CLEAN_SESSION, 10, len(client_id)) + client_id
    return bytes((0x10, len(body))) + body


def _client_hello(host: str) -> bytes:
    """Return the first message of a TLS client."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing more is sent, so nothing is trusted
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    with suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()
