"""Ask a video archive over HTTP: bounded in time and size, following no redirect, with the login in a header alone."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from base64 import b64encode
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from bridge.connection_limit import TookTooLongError, limited
from bridge.errors import TrivoxError
from bridge.model.camera import PORTS, origin_of
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from threading import Event

    from bridge.admin.cameras.logins import ArchiveLogin

ANSWER_S = 10.0  # without a byte
WHOLE_S = 30.0  # for an answer of JSON
CLIP_S = 180.0
MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_CLIP_BYTES = 512 * 1024 * 1024
_PIECE = 64 * 1024
_REDIRECTS = range(300, 400)
_REFUSED = {401, 403}
_OUT_OF_DATE, _OF_ANOTHER_HOST = {9, 10}, {62, 64}  # codes of OpenSSL, x509_vfy.h
_NO_VIDEO = re.compile(r"text/|image/|.*[/+](json|xml)$")  # a page to log in, an error told with status 200
MAX_TOLD = 120


class ArchiveError(TrivoxError):
    """An archive cannot be asked, or does not give what it was asked for."""


class NoAnswerError(ArchiveError):
    """An archive cannot be reached, or is too slow: it is no use to ask it for another clip now."""


class NoFootageError(ArchiveError):
    """An archive has no video of that time."""


class _CutShortError(ConnectionError):
    """An answer ended too early."""


class ArchiveAnswer(NamedTuple):
    """An answer of an archive, whatever its status."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the archive did what it was asked for."""
        return http.client.OK <= self.status < http.client.MULTIPLE_CHOICES

    def said(self) -> str:
        """Return what the archive said about an error, for people."""
        text = self.body[:1000].decode("utf-8", "replace").strip()
        try:
            content = json.loads(self.body)
            text = str(content.get("message") or content.get("detail") or text) if isinstance(content, dict) else text
        except (ValueError, RecursionError):
            pass
        return printable(text, MAX_TOLD) if text else "nothing"


class HttpClient:
    """Asks one archive; `base` is its address, whose path goes before each path that is asked for."""

    def __init__(self, base: str, login: ArchiveLogin | None = None) -> None:
        self._parts = urlsplit(base)
        self.origin = origin_of(base)
        self._prefix = self._parts.path.rstrip("/")
        self.login = login

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> ArchiveAnswer:
        """Ask for a path. Raises ArchiveError."""
        return self._ask("GET", path, None, headers or {})

    def post(self, path: str, content: Any, headers: Mapping[str, str] | None = None) -> ArchiveAnswer:
        """Post JSON. Raises ArchiveError."""
        given = {"Content-Type": "application/json", **(headers or {})}
        return self._ask("POST", path, json.dumps(content).encode(), given)

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> ArchiveAnswer:
        with self._answering(method, path, body, headers, WHOLE_S) as response:
            data = b"".join(_pieces(response, self.origin, MAX_JSON_BYTES))
            return ArchiveAnswer(response.status, response.headers, data)

    def save(self, path: str, out: IO[bytes], headers: Mapping[str, str] | None = None) -> ArchiveAnswer:
        """Ask for a clip, and write it to a file if the answer is one. Raises ArchiveError."""
        with self._answering("GET", path, None, headers or {}, CLIP_S) as response:
            if response.status != http.client.OK:
                data = b"".join(_pieces(response, self.origin, MAX_JSON_BYTES))
                return ArchiveAnswer(response.status, response.headers, data)
            if _NO_VIDEO.match(response.headers.get_content_type()) and response.headers["Content-Type"]:
                what = printable(response.headers.get_content_type(), MAX_TOLD)
                raise ArchiveError(f"{self.origin} sends no video, but {what}: see whether the address is right.")
            count = sum(out.write(piece) for piece in _pieces(response, self.origin, MAX_CLIP_BYTES))
        if not count:
            raise NoFootageError(f"{self.origin} sends an empty clip: it has no footage of that time.")
        return ArchiveAnswer(response.status, response.headers, b"")

    @contextmanager
    def _answering(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], limit_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        try:
            with closing(self._connection()) as connection:
                connection.connect()
                used = connection.sock  # which the connection forgets once it knows that the answer ends with it
                with limited(lambda: used, limit_s) as is_over:
                    connection.request(method, self._prefix + path, body, {"Accept": "*/*", **headers})
                    with connection.getresponse() as response:
                        self._refuse_redirect(response.status)
                        yield response
                    _check_whole(is_over)
        except ssl.SSLCertVerificationError as error:
            raise NoAnswerError(
                f"The certificate of {self.origin} is not trusted ({error.verify_message}): {self._remedy(error)}."
            ) from error
        except TookTooLongError as error:
            raise NoAnswerError(f"{self.origin} takes longer than {limit_s:g} s to answer: it is given up.") from error
        except TimeoutError as error:
            raise NoAnswerError(f"{self.origin} does not answer within {ANSWER_S:g} s: see whether it runs.") from error
        except _CutShortError as error:
            raise NoAnswerError(f"{self.origin} ended the connection before all was sent: try again.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NoAnswerError(
                f"{self.origin} cannot be asked ({printable(why, MAX_TOLD)}): see whether it runs, and whether the "
                "address is right."
            ) from error

    def _remedy(self, error: ssl.SSLCertVerificationError) -> str:
        if error.verify_code in _OUT_OF_DATE:
            return "renew it there, and see whether the clock of this machine is right"
        if error.verify_code in _OF_ANOTHER_HOST:
            return "give an address whose host it names"
        return (
            "give the certificate of its authority, or its own, with `trivox camera login "
            f"{self.origin} --ca-file FILE`"
        )

    def _refuse_redirect(self, status: int) -> None:
        if status in _REDIRECTS:
            raise ArchiveError(
                f"{self.origin} sends elsewhere ({status}), and redirects are not followed: give the address that it "
                "leads to, or a login that it takes."
            )

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port or PORTS[self._parts.scheme]
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=ANSWER_S)
        ca_file = self.login.ca_file if self.login else None
        context = ssl.create_default_context(cadata=ca_file)
        return http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=context)


def _check_whole(is_over: Event) -> None:
    """Raise TookTooLongError if an answer was cut off: it may look as if it had ended."""
    if is_over.is_set():
        raise TookTooLongError


def _pieces(response: http.client.HTTPResponse, origin: str, max_bytes: int) -> Iterator[bytes]:
    """Yield an answer's content. Raises ArchiveError if it is too large, _CutShortError if it ends too early."""
    count = 0
    while piece := response.read1(_PIECE):
        count += len(piece)
        if count > max_bytes:
            raise ArchiveError(f"What {origin} sends is larger than {max_bytes >> 20} MiB: it is given up.")
        yield piece
    if response.length:
        raise _CutShortError


def basic_login(login: ArchiveLogin | None) -> dict[str, str]:
    """Return the header that carries a login."""
    if login is None or login.user is None:
        return {}
    return {"Authorization": f"Basic {b64encode(f'{login.user}:{login.password or str()}'.encode()).decode()}"}


def refuse_status(client: HttpClient, answer: ArchiveAnswer, what: str) -> ArchiveError:
    """Make the error for an answer that is not what was asked for."""
    if answer.status in _REFUSED:
        if client.login is None or client.login.user is None:
            return ArchiveError(
                f"{client.origin} wants a login: give it one with `trivox camera login {client.origin}`."
            )
        return ArchiveError(
            f"{client.origin} refuses {printable(client.login.user)} {what}: correct the login with `trivox camera "
            f"login {client.origin}`, or give that user the right."
        )
    return ArchiveError(f"{client.origin} did not give {what} ({answer.status}): it said {answer.said()!r}.")


def read_list(client: HttpClient, answer: ArchiveAnswer, what: str) -> list[Any]:
    """Return the list that an answer holds as JSON. Raises ArchiveError: nothing else may count as an empty one."""
    content = read_json(client, answer, what)
    if not isinstance(content, list):
        raise ArchiveError(
            f"{client.origin} did not give {what}, but something else: see whether the address is right."
        )
    return content


def read_json(client: HttpClient, answer: ArchiveAnswer, what: str) -> Any:
    """Return the JSON of an answer. Raises ArchiveError."""
    if not answer.is_ok:
        raise refuse_status(client, answer, what)
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _something_else(client, what) from error


def _something_else(client: HttpClient, what: str) -> ArchiveError:
    return ArchiveError(f"{client.origin} did not give {what}, but something else: see whether the address is right.")
