"""Who is told of alarms, and how: by mail, by a signed webhook, by ntfy or through Apprise. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from bridge.errors import UsageError
from bridge.model.web_address import may_hold_login, secret_parameter, without_parameters
from bridge.text import is_visible, printable

WAYS = ("mail", "webhook", "ntfy", "apprise")
MAIL_PORTS = {"smtp": 587, "smtps": 465}
MAX_ADDRESS = 500
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
IN_THE_FILE = "put it into the file of --login, where nobody else can read it"


class AlarmRecipient(NamedTuple):
    """A recipient; `site_id` is '' for alarms at all sites, and so is each text that does not apply to its way."""

    recipient_id: str
    site_id: str
    way: str
    address: str
    server: str
    sender: str
    login_file: str
    link: str

    def check(self) -> None:
        """Raise UsageError unless all parts are such as its way needs."""
        if self.way == "mail":
            self._check_mail()
        elif self.server or self.sender:
            raise UsageError("--server and --from belong to mail: leave them out.")
        elif self.way == "apprise":
            self._check_apprise()
        elif self.address or not self.login_file:
            check_url("--to", self.address)
        if self.link:
            check_url("--link", self.link, may_have_query=True)
            if secret := secret_parameter(self.link):
                raise UsageError(
                    f"--link holds a secret ({secret}), and everybody who is told would see it: leave it out."
                )

    def _check_mail(self) -> None:
        if not self.server:
            raise UsageError("Mail needs a server: give --server smtps://HOST, or smtp://HOST for STARTTLS.")
        mail_server(self.server)
        for option, address in (("--to", self.address), ("--from", self.sender)):
            is_needed = option == "--to"
            if (address or is_needed) and not (_MAIL.fullmatch(address) and len(address) <= MAX_ADDRESS):
                raise UsageError(
                    f"{option} {printable(address)!r} is not a mail address: give one such as me@shop.com."
                )

    def _check_apprise(self) -> None:
        if self.address:
            raise UsageError(f'The URL of Apprise holds credentials: {IN_THE_FILE}, as url = "…", in place of --to.')
        if not self.login_file:
            raise UsageError('Apprise needs a URL: give --login FILE with url = "…" in it.')


def mail_server(url: str) -> tuple[str, str, int]:
    """Return (scheme, host, port) of a mail server's URL. Raises UsageError."""
    if may_hold_login(url):
        raise UsageError(f"User and password do not belong into --server: {IN_THE_FILE}.")
    invalid = UsageError(
        f"{printable(without_parameters(url))!r} is not a mail server: give smtps://HOST:PORT, or smtp://HOST:PORT."
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise invalid from None
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment)
    if parts.scheme not in MAIL_PORTS or not _is_host(parts.hostname) or port == 0 or not is_plain:
        raise invalid
    return parts.scheme, parts.hostname or "", port or MAIL_PORTS[parts.scheme]


def check_url(name: str, url: str, *, may_have_query: bool = False) -> None:
    """Check the URL of a web server. Raises UsageError."""
    if may_hold_login(url):
        raise UsageError(f"User and password do not belong into {name}: {IN_THE_FILE}. Write another @ as %40.")
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and _is_host(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or len(url) > MAX_ADDRESS or not url.isascii() or not is_visible(url) or " " in url:
        shown = printable(without_parameters(url))
        raise UsageError(f"{name} {shown!r} is not a web address: give https://HOST/PATH.")
    if parts.fragment or (parts.query and not may_have_query):
        raise UsageError(f'{name} has a query, which may hold a secret: {IN_THE_FILE}, as url = "…".')


def _is_host(host: str | None) -> bool:
    return bool(host) and is_visible(host or "") and not any(char.isspace() for char in host or "")
