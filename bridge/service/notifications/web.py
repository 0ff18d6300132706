"""Post to a web server, as webhooks and ntfy need it: whole, within a time, and without following redirects."""

from __future__ import annotations

import base64
import http.client
import smtplib
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.connection_limit import limited
from bridge.errors import TrivoxError, UsageError
from bridge.model.alarm_recipient import check_url
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.service.notifications.recipient_login import RecipientLogin

WAIT_S = 10.0  # for each answer of a server
LIMIT_S = 30.0  # for all of an attempt, however slowly the server goes on
REASON_BYTES = 200
OK, REDIRECT = range(200, 300), range(300, 400)


def post(address: str, body: bytes, headers: Mapping[str, str], login: RecipientLogin) -> None:
    """Post a body to the address, or to the login's. Raises TrivoxError, with what the server says, if it refuses."""
    parts = urlsplit(_checked(login.url) if login.url else address)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, login.ca_file)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    where = f"{parts.scheme}://{parts.hostname}"
    try:
        with explained(where):
            connection.connect()
            used = connection.sock  # which the connection forgets once it knows that the answer ends with it
            with limited(lambda: used, LIMIT_S):
                connection.request("POST", path, body, {"User-Agent": "trivox", **_authorization(login), **headers})
                response = connection.getresponse()
                said = response.read(REASON_BYTES)
    finally:
        connection.close()
    if response.status not in OK:
        raise TrivoxError(f"{where} has answered {_answer(response, said)}.")


def _checked(url: str) -> str:
    """Return the URL of a file of secrets, if it is one; it is not told, as it may hold some."""
    try:
        check_url("url", url, may_have_query=True)
    except UsageError:
        raise TrivoxError("The url in the file of --login is not a web address: give https://HOST/PATH.") from None
    return url


def _authorization(login: RecipientLogin) -> dict[str, str]:
    if login.token:
        return {"Authorization": f"Bearer {login.token}"}
    if login.user:
        pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}
    return {}


def _connection(scheme: str, host: str, port: int | None, ca_file: str) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=WAIT_S, context=tls_context(ca_file))
    return http.client.HTTPConnection(host, port, timeout=WAIT_S)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return how certificates are checked: by an authority of one's own, or by the system's. Raises TrivoxError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise TrivoxError(f"{ca_file} holds no certificate that can be read ({error}): correct ca_file.") from error


def _answer(response: http.client.HTTPResponse, said: bytes) -> str:
    if response.status in REDIRECT:
        return f"{response.status}, which leads elsewhere: give the address itself"
    text = printable(said.decode("utf-8", "replace").strip(), REASON_BYTES)
    return f"{response.status} {printable(response.reason)}" + (f": {text}" if text else "")


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn errors of the network into TrivoxError, with a sentence that holds no secret."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise TrivoxError(
            f"The certificate of {where} is not trusted ({error.verify_message}): if it is valid, name its authority "
            "as ca_file in the file of --login."
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TrivoxError(
            f"{where} cannot be reached ({_reason(error)}): check the address and the network."
        ) from error


def _reason(error: Exception) -> str:
    """Return what went wrong, without quoting what was sent."""
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, http.client.RemoteDisconnected | smtplib.SMTPServerDisconnected):
        return "it has ended the conversation"
    strerror = getattr(error, "strerror", None)
    return printable(str(strerror)) if strerror else type(error).__name__
