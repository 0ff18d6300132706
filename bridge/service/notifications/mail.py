"""Send an alarm by mail: over TLS, by a server that takes it on."""

from __future__ import annotations

import ipaddress
import smtplib
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from bridge.connection_limit import limited
from bridge.errors import TrivoxError
from bridge.model.alarm_recipient import mail_server
from bridge.service.notifications import web
from bridge.service.notifications.web import REASON_BYTES, WAIT_S, explained, tls_context
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.service.notifications.notice import Notice
    from bridge.service.notifications.recipient_login import RecipientLogin


def send(notice: Notice, login: RecipientLogin) -> None:
    """Hand the alarm to the mail server. Raises TrivoxError, with what the server says."""
    scheme, host, port = mail_server(notice.recipient.server)
    where = f"{scheme}://{host}"
    with explained(where), _refusals_explained(where):
        _send(notice, login, (scheme, host, port))


@contextmanager
def _refusals_explained(where: str) -> Iterator[None]:
    """Turn what the server says into TrivoxError."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refused(where, "the address", code, said) from error
    except smtplib.SMTPAuthenticationError as error:
        raise _refused(where, "the login", error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(where, "the message", error.smtp_code, error.smtp_error) from error


def _send(notice: Notice, login: RecipientLogin, server: tuple[str, str, int]) -> None:
    scheme, host, port = server
    client: smtplib.SMTP
    if scheme == "smtps":
        client = smtplib.SMTP_SSL(timeout=WAIT_S, context=tls_context(login.ca_file))
    else:
        client = smtplib.SMTP(timeout=WAIT_S)
    client._host = host  # type: ignore[attr-defined]  # noqa: SLF001 - the name that the certificate must have
    with limited(lambda: client.sock, web.LIMIT_S):
        client.connect(host, port)
        with client:
            client.ehlo()
            if scheme == "smtp":
                _start_tls(client, host, login)
            if login.user:
                client.login(login.user, login.password)
            client.send_message(_message(notice))


def _start_tls(client: smtplib.SMTP, host: str, login: RecipientLogin) -> None:
    """Encrypt the rest; a server on this very machine may do without, if nobody logs in."""
    if client.has_extn("starttls"):
        client.starttls(context=tls_context(login.ca_file))
        client.ehlo()
    elif login.user or not _is_this_machine(host):
        raise TrivoxError(f"The mail server {host} offers no encryption (STARTTLS): use another, or smtps://.")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _message(notice: Notice) -> EmailMessage:
    recipient = notice.recipient
    message = EmailMessage()
    message["From"] = recipient.sender or recipient.address
    message["To"] = recipient.address
    message["Subject"] = notice.title()
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{notice.name}@trivox.invalid>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    message.set_content(notice.text())
    return message


def _refused(where: str, what: str, code: int, said: bytes | str) -> TrivoxError:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return TrivoxError(f"{where} refuses {what} ({code} {printable(' '.join(text.split()), REASON_BYTES)}).")
