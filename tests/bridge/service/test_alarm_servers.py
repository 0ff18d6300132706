"""The stand-ins of the servers that alarms are sent to are strict: each refuses what a real one would."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.schema import schemas
from tests.support import alarm_servers
from tests.support.alarm_servers import SmtpServer, WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = alarm_servers.TEST_SECRET
MAIL = b"From: a@b.c\r\nTo: a@b.c\r\nDate: x\r\nMessage-ID: <1@b.c>\r\nSubject: s\r\n\r\n..\r\nHello\r\n.\r\n"
BEGUN = (b"EHLO me\r\n", b"MAIL FROM:<a@b.c>\r\n")


def talk(server: SmtpServer, *lines: bytes) -> list[int]:
    """Say lines to a mail server; return the status of each answer after the greeting."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock, sock.makefile("rb") as answers:
        assert answers.readline().startswith(b"220")
        statuses = []
        for line in lines:
            sock.sendall(line)
            while (answer := answers.readline())[3:4] == b"-":
                pass
            statuses.append(int(answer[:3]))
        return statuses


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        ((b"MAIL FROM:<a@b.c>\r\n",), [530]),
        ((b"EHLO me\n",), [500]),
        ((b"EHLO\r\n", b"NOOP\r\n"), [501, 500]),
        ((b"EHLO me\r\n", b"RCPT TO:<a@b.c>\r\n"), [250, 503]),
        ((b"EHLO me\r\n", b"MAIL FROM:a@b.c\r\n"), [250, 501]),
        ((b"EHLO me\r\n", b"STARTTLS\r\n", b"AUTH PLAIN AGEAYg==\r\n"), [250, 503, 503]),
        ((*BEGUN, b"RCPT TO:<nobody@b.c>\r\n", b"DATA\r\n"), [250, 250, 550, 503]),
        ((*BEGUN, b"RCPT TO:<a@b.c>\r\n", b"DATA\r\n", b"Hi\r\n.\r\n"), [250, 250, 250, 354, 554]),
        ((*BEGUN, b"RCPT TO:<a@b.c>\r\n", b"DATA\r\n", MAIL, b"QUIT\r\n"), [250, 250, 250, 354, 250, 221]),
    ],
)
def test_a_mail_server_takes_only_what_the_rules_allow(lines: tuple[bytes, ...], statuses: list[int]) -> None:
    with SmtpServer() as server:
        assert talk(server, *lines) == statuses
    assert len(server.taken) == (statuses[-1] == 221)
    assert [mail.content for mail in server.taken] in ([], [".\r\nHello\r\n"])


def test_a_mail_server_with_an_account_takes_nothing_without_it() -> None:
    with SmtpServer(account=("me", "secret")) as server, smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.login("me", "secret")  # not without encryption
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("a@b.c", ["a@b.c"], MAIL)
    assert server.taken == []


def post(server: WebServer, path: str, body: bytes, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture
def hook() -> Iterator[WebServer]:
    with alarm_servers.webhook(SECRET) as server:
        yield server


def signed(body: bytes, secret: str = SECRET, at_s: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at_s is None else at_s))
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Trivox_Timestamp": stamp, "Trivox_Signature": f"sha256={mac}", "Content_Type": "application/json"}


def test_a_webhook_takes_a_signed_alarm_once(hook: WebServer) -> None:
    body = next(json.dumps(content).encode() for schema, _, content in schemas.examples("valid") if schema == "alarm")
    good = {**signed(body), "Trivox_Delivery": "1"}
    assert post(hook, "/", body, **good | signed(body, "other")) == 401
    assert post(hook, "/", body + b" ", **good) == 401
    assert post(hook, "/", body, **good | signed(body, at_s=time.time() - 3600)) == 401
    assert post(hook, "/", body, **good | {"Content_Type": "text/plain"}) == 415
    assert post(hook, "/", b"{}", **good | signed(b"{}")) == 422
    assert post(hook, "/", body, **signed(body)) == 409, "without a name"
    assert post(hook, "/", body, **good) == 200
    assert post(hook, "/", body, **good) == 409
    assert len(hook.taken) == 1


def test_ntfy_takes_only_what_its_documentation_allows() -> None:
    good = {"Authorization": "Bearer t", "Title": "Alarm", "Priority": "high", "Tags": "a,b"}
    with alarm_servers.ntfy("t") as server:
        assert post(server, "/topic", b"x", **good | {"Authorization": "Bearer u"}) == 403
        assert post(server, "/topic/more", b"x", **good) == 404
        assert post(server, "/topic", b"", **good) == 413
        assert post(server, "/topic", b"x", **good | {"Priority": "very high"}) == 400
        assert post(server, "/topic", b"x", **good | {"Tags": "a b"}) == 400
        assert post(server, "/topic", b"x", **good, Actions="view, Open, https://a.b/;c") == 400
        assert post(server, "/topic", b"x", **good, Actions='view, Open, "https://a.b/c"') == 200
    assert len(server.taken) == 1
