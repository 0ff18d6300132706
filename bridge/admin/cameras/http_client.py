"""Ask a video archive over HTTP: bounded in time and size, following no redirect, with the login in a header alone."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from base64 import b64encode
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from bridge.errors import TrivoxError
from bridge.model.camera import PORTS, origin_of
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.admin.cameras.logins import ArchiveLogin

ANSWER_S = 10.0  # without a byte
WHOLE_S = 30.0  # for an answer of JSON
CLIP_S = 180.0
MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_CLIP_BYTES = 512 * 1024 * 1024
_PIECE = 64 * 1024
_REDIRECTS = range(300, 400)
_REFUSED = {401, 403}
MAX_TOLD = 120


class ArchiveError(TrivoxError):
    """An archive cannot be asked, or does not give what it was asked for."""


class NoFootageError(ArchiveError):
    """An archive has no video of that time."""


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
        except ValueError:
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
        with self._answering(method, path, body, headers) as response:
            data = b"".join(_pieces(response, self.origin, MAX_JSON_BYTES, WHOLE_S))
            return ArchiveAnswer(response.status, response.headers, data)

    def save(self, path: str, out: IO[bytes], headers: Mapping[str, str] | None = None) -> ArchiveAnswer:
        """Ask for a clip, and write it to a file if the answer is one. Raises ArchiveError."""
        with self._answering("GET", path, None, headers or {}) as response:
            if response.status != http.client.OK:
                data = b"".join(_pieces(response, self.origin, MAX_JSON_BYTES, WHOLE_S))
                return ArchiveAnswer(response.status, response.headers, data)
            for piece in _pieces(response, self.origin, MAX_CLIP_BYTES, CLIP_S):
                out.write(piece)
            return ArchiveAnswer(response.status, response.headers, b"")

    @contextmanager
    def _answering(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        try:
            with closing(self._connection()) as connection:
                connection.request(method, self._prefix + path, body, {"Accept": "*/*", **headers})
                with connection.getresponse() as response:
                    if response.status in _REDIRECTS:
                        raise ArchiveError(
                            f"{self.origin} sends elsewhere ({response.status}), and redirects are not followed: give "
                            "the address that it leads to, or a login that it takes."
                        )
                    yield response
        except ssl.SSLCertVerificationError as error:
            raise ArchiveError(
                f"The certificate of {self.origin} is not trusted ({error.verify_message}): give the certificate of "
                f"its authority, or its own, with `trivox camera login {self.origin} --ca-file FILE`."
            ) from error
        except TimeoutError as error:
            raise ArchiveError(f"{self.origin} does not answer within {ANSWER_S:g} s: see whether it runs.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ArchiveError(
                f"{self.origin} cannot be asked ({printable(why, MAX_TOLD)}): see whether it runs, and whether the "
                "address is right."
            ) from error

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port or PORTS[self._parts.scheme]
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=ANSWER_S)
        ca_file = self.login.ca_file if self.login else None
        context = ssl.create_default_context(cadata=ca_file)
        return http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=context)


def _pieces(response: http.client.HTTPResponse, origin: str, max_bytes: int, max_s: float) -> Iterator[bytes]:
    """Yield an answer's content. Raises ArchiveError where it is too large, takes too long, or ends too early."""
    end_s, count = time.monotonic() + max_s, 0
    while piece := response.read1(_PIECE):
        count += len(piece)
        if count > max_bytes or time.monotonic() > end_s:
            what = f"is larger than {max_bytes >> 20} MiB" if count > max_bytes else f"takes longer than {max_s:g} s"
            raise ArchiveError(f"What {origin} sends {what}: it is given up.")
        yield piece
    if response.length:
        raise ArchiveError(f"{origin} ended the connection before all was sent: try again.")


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


def read_json(client: HttpClient, answer: ArchiveAnswer, what: str) -> Any:
    """Return the JSON of an answer. Raises ArchiveError."""
    if not answer.is_ok:
        raise refuse_status(client, answer, what)
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(
            f"{client.origin} did not give {what}, but something else: see whether the address is right."
        ) from error
