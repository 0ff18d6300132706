"""Strict stand-ins for the servers that alarms are sent to: they refuse whatever a real one might.

Each listens on loopback until it is closed, and keeps what it took in `taken`. `failures` are answers to give first,
in place of taking anything, one for each attempt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.schema import schemas

MAX_LINE = 998  # RFC 5321, section 4.5.3.1.6, without CRLF
PATH = re.compile(r"<([^<>@\s]+@[^<>@\s]+)>")
ONCE = ("From", "To", "Date", "Message-ID", "Subject")
MAX_AGE_S = 300
TOPIC = re.compile(r"/[-_A-Za-z0-9]{1,64}")
PRIORITIES = {"1", "2", "3", "4", "5", "min", "low", "default", "high", "max", "urgent"}
ACTION = re.compile(r'view, [^,;]+, "https?://[^"]+"(, clear=true)?')
NTFY_BYTES = 4_096
END_S = 60
TEST_SECRET = "open-sesame"  # noqa: S105 - of the stand-ins alone


class Taken(NamedTuple):
    """A message that a server took: its headers, its text or JSON, and how it was named by its sender."""

    headers: dict[str, str]
    content: Any
    name: str


class StandIn:
    """A server in a thread of its own."""

    def __init__(self, server: socketserver.BaseServer) -> None:
        self.taken: list[Taken] = []
        self.refused: list[str] = []  # why, for each message that it did not take
        self.failures: list[str] = []
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        """The port of loopback."""
        return int(self._server.server_address[1])  # type: ignore[index]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


# Mail -------------------------------------------------------------------------------------------------------------


class SmtpRefusalError(Exception):
    """What the server answers to a command that it does not accept: `args[0]`."""


class SmtpServer(StandIn):
    """A mail server as RFC 5321 has it, with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954), or with TLS at once.

    `certificates` is a folder with server.pem and server.key; `account` is (user, password), without which it takes
    nothing if there is one.
    """

    def __init__(
        self, certificates: Path | None = None, account: tuple[str, str] | None = None, *, tls_at_once: bool = False
    ) -> None:
        self.account = account
        self.tls: ssl.SSLContext | None = None
        if certificates is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self.tls_at_once = tls_at_once
        handler = type("BoundConversation", (SmtpConversation,), {"owner": self})
        super().__init__(socketserver.TCPServer(("127.0.0.1", 0), handler))


class SmtpConversation(socketserver.BaseRequestHandler):
    """One connection of a client."""

    owner: SmtpServer

    def handle(self) -> None:
        """Answer commands until the client quits or breaks a rule."""
        self.connection: Any = self.request
        self.connection.settimeout(END_S)
        self.is_encrypted = False
        self.greeted = self.logged_in = False
        self.sender, self.recipients = "", list[str]()
        try:
            if self.owner.tls_at_once:
                self._encrypt()
            self.lines = self.connection.makefile("rb")
            self._say("220 stand-in ESMTP")
            while self._answer():
                pass
        except (ssl.SSLError, ConnectionError) as error:
            self.owner.refused.append(type(error).__name__)
        finally:
            self.connection.close()

    def _say(self, *lines: str) -> None:
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _line(self) -> str:
        line = bytes(self.lines.readline(MAX_LINE + 2))
        if line and (not line.endswith(b"\r\n") or b"\n" in line[:-2] or b"\r" in line[:-2]):
            raise SmtpRefusalError("500 lines end with CRLF, and are not that long")
        return line[:-2].decode("ascii") if line else "QUIT"

    def _answer(self) -> bool:
        """Answer one command; return whether to go on."""
        try:
            word, _, rest = self._line().partition(" ")
            if word.upper() == "QUIT":
                self._say("221 bye")
                return False
            getattr(self, f"_{word.lower()}", self._unknown)(rest)
        except (SmtpRefusalError, UnicodeDecodeError) as error:
            self.owner.refused.append(str(error.args[0]))
            self._say(str(error.args[0]))
        return True

    def _unknown(self, _rest: str) -> None:
        raise SmtpRefusalError("500 unknown command")

    def _ehlo(self, name: str) -> None:
        if not name.strip():
            raise SmtpRefusalError("501 who are you")
        self.greeted, self.sender, self.recipients = True, "", []
        offers = ["stand-in", "SIZE 100000"]
        if self.owner.tls and not self.is_encrypted:
            offers.append("STARTTLS")
        if self.owner.account and self.is_encrypted:
            offers.append("AUTH PLAIN")
        self._say(*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}")

    def _starttls(self, rest: str) -> None:
        if rest or self.is_encrypted or self.owner.tls is None or not self.greeted:
            raise SmtpRefusalError("503 not now")
        self._say("220 go ahead")
        self.lines.close()
        self._encrypt()
        self.lines = self.connection.makefile("rb")
        self.greeted = self.logged_in = False  # RFC 3207, section 4.2: everything is forgotten

    def _encrypt(self) -> None:
        assert self.owner.tls is not None
        self.connection = self.owner.tls.wrap_socket(self.connection, server_side=True)
        self.is_encrypted = True

    def _auth(self, rest: str) -> None:
        word, _, given = rest.partition(" ")
        if not self.greeted or not self.is_encrypted or self.owner.account is None or word != "PLAIN" or not given:
            raise SmtpRefusalError("503 not now, and not so")
        _, user, password = base64.b64decode(given, validate=True).decode().split("\0")
        if (user, password) != self.owner.account:
            raise SmtpRefusalError("535 wrong user or password")
        self.logged_in = True
        self._say("235 welcome")

    def _mail(self, rest: str) -> None:
        if not self.greeted or (self.owner.account and not self.logged_in):
            raise SmtpRefusalError("530 log in first")
        if self.owner.failures:
            raise SmtpRefusalError(self.owner.failures.pop(0))
        self.sender = self._path(rest, "FROM:")
        self._say("250 ok")

    def _rcpt(self, rest: str) -> None:
        if not self.sender:
            raise SmtpRefusalError("503 from whom")
        recipient = self._path(rest, "TO:")
        if recipient.startswith("nobody@"):
            raise SmtpRefusalError("550 there is nobody of that name")
        self.recipients.append(recipient)
        self._say("250 ok")

    def _path(self, rest: str, word: str) -> str:
        found = PATH.match(rest[len(word) :]) if rest.upper().startswith(word) else None
        if found is None:
            raise SmtpRefusalError("501 that is no path")
        return found[1]

    def _rset(self, _rest: str) -> None:
        self.sender, self.recipients = "", []
        self._say("250 ok")

    def _data(self, rest: str) -> None:
        if rest or not self.recipients:
            raise SmtpRefusalError("503 to whom")
        self._say("354 go on")
        body = list[str]()
        while (line := self._line()) != ".":
            body.append(line.removeprefix("."))
        self._take("\r\n".join(body).encode() + b"\r\n")
        self._say("250 taken")

    def _take(self, data: bytes) -> None:
        message = message_from_bytes(data, policy=policy.default)
        assert isinstance(message, EmailMessage)
        wrong = [name for name in ONCE if len(message.get_all(name, [])) != 1]
        if wrong or message.defects or message["To"] != ", ".join(self.recipients):
            raise SmtpRefusalError(f"554 headers: {wrong or message.defects or message['To']}")
        headers = {name: str(message[name]) for name in (*ONCE, "Auto-Submitted")}
        self.owner.taken.append(Taken(headers, message.get_content(), headers["Message-ID"]))


# The web ----------------------------------------------------------------------------------------------------------


class WebRefusalError(Exception):
    """What the server answers to a request that it does not accept: `args` are status and reason."""


class QuietWebServer(HTTPServer):
    """A web server that does not print what clients did wrong, such as breaking a TLS handshake off."""

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""


class WebServer(StandIn):
    """A web server that takes what its `check` takes: that gets path, headers in lower case, and body."""

    def __init__(self, check: Callable[[str, dict[str, str], bytes], Taken], certificates: Path | None = None) -> None:
        self.check = check
        handler = type("BoundRequest", (WebRequest,), {"owner": self})
        server = QuietWebServer(("127.0.0.1", 0), handler)
        if certificates is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificates / "server.pem", certificates / "server.key")
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        super().__init__(server)


class WebRequest(BaseHTTPRequestHandler):
    """One request."""

    owner: WebServer
    protocol_version = "HTTP/1.1"
    timeout = END_S

    def do_POST(self) -> None:
        """Take the request, or say why not."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        try:
            self._refuse(headers)
            self.owner.taken.append(self.owner.check(self.path, headers, body))
            self._say(200, b"{}")
        except WebRefusalError as error:
            status, reason = error.args
            self.owner.refused.append(reason)
            self._say(int(status), reason.encode())

    def _refuse(self, headers: dict[str, str]) -> None:
        if self.owner.failures:
            raise WebRefusalError(*self.owner.failures.pop(0).split(" ", 1))
        if len(headers) != len(self.headers) or "host" not in headers:
            raise WebRefusalError("400", "a header twice, or no host")

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status // 100 == 3:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def webhook(secret: str, certificates: Path | None = None) -> WebServer:
    """Start a receiver of webhooks that checks signature, age and schema, and takes no delivery twice."""
    judge, known = schemas.validator("alarm"), set[str]()

    def check(_path: str, headers: dict[str, str], body: bytes) -> Taken:
        stamp, given = headers.get("trivox-timestamp", ""), headers.get("trivox-signature", "")
        made = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given, f"sha256={made}"):
            raise WebRefusalError("401", "the signature is wrong")
        if not stamp.isdecimal() or abs(time.time() - int(stamp)) > MAX_AGE_S:
            raise WebRefusalError("401", "that was signed at another time")
        if headers.get("content-type") != "application/json":
            raise WebRefusalError("415", "JSON is wanted")
        content = json.loads(body.decode())
        if errors := [error.message for error in judge.iter_errors(content)]:
            raise WebRefusalError("422", errors[0])
        name = headers.get("trivox-delivery", "")
        if not name or name in known:
            raise WebRefusalError("409", "that came before")
        known.add(name)
        return Taken(headers, content, name)

    return WebServer(check, certificates)


def ntfy(token: str | None = None, certificates: Path | None = None) -> WebServer:
    """Start a server of ntfy that checks what https://docs.ntfy.sh/publish demands, and the token if there is one."""

    def check(path: str, headers: dict[str, str], body: bytes) -> Taken:
        if token is not None and headers.get("authorization") != f"Bearer {token}":
            raise WebRefusalError("403", "forbidden")
        if not TOPIC.fullmatch(path):
            raise WebRefusalError("404", "that is no topic")
        if not 0 < len(body) <= NTFY_BYTES:
            raise WebRefusalError("413", "the message is empty or too large")
        if headers.get("priority", "default") not in PRIORITIES:
            raise WebRefusalError("400", "that is no priority")
        if not headers.get("title", "").isascii() or not re.fullmatch(r"[\w,-]+", headers.get("tags", ""), re.ASCII):
            raise WebRefusalError("400", "the title or the tags are wrong")
        if "actions" in headers and not ACTION.fullmatch(headers["actions"]):
            raise WebRefusalError("400", "the actions are wrong")
        title = str(make_header(decode_header(headers.get("title", ""))))  # as ntfy reads it: RFC 2047
        return Taken({**headers, "title": title}, body.decode(), path)

    return WebServer(check, certificates)
