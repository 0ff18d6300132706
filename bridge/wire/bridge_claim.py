"""Read and write what bridges tell each other at the broker: which sites each of them serves.

The messages lie on `trivox/v1/bridge/{identity}`: retained while a bridge serves, so that a later one finds them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bridge.wire.contract import MAX_AT_MS, MAX_MESSAGE_BYTES, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOPICS = "trivox/v1/bridge/"
ALL_CLAIMS = f"{_TOPICS}+"
ID_LENGTH = 64
HOST_LENGTH = 255
_TOPIC = re.compile(rf"{_TOPICS}[a-z0-9][a-z0-9_-]{{0,31}}", re.ASCII)

SiteId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]


class BridgeClaim(Struct, frozen=True, omit_defaults=True):
    """One run of a bridge serves these sites, or asks whether another one does; `sites` None means all.

    `instance` names the run. `file` names the database's file on its machine to those who have its keys.
    """

    state: Literal["asking", "serving"]
    instance: Annotated[str, Meta(min_length=1, max_length=ID_LENGTH)]
    file: Annotated[str, Meta(min_length=1, max_length=ID_LENGTH)]
    host: Annotated[str, Meta(max_length=HOST_LENGTH)]
    since_ms: Annotated[int, Meta(ge=0, le=MAX_AT_MS)] | None = None
    sites: Annotated[list[SiteId], Meta(min_length=1)] | None = None

    def overlaps(self, other: BridgeClaim) -> bool:
        """Return whether a console could belong to both."""
        return self.sites is None or other.sites is None or not set(self.sites).isdisjoint(other.sites)

    def precedes(self, other: BridgeClaim) -> bool:
        """Return whether this run served first; each of two bridges answers this in the same way."""
        return self._order() < other._order()

    def _order(self) -> tuple[int, str]:
        return MAX_AT_MS + 1 if self.since_ms is None else self.since_ms, self.instance


_decoder = msgspec.json.Decoder(BridgeClaim)
_encoder = msgspec.json.Encoder()


def claim_topic(identity: str) -> str:
    """Return the topic of a bridge's claim."""
    return f"{_TOPICS}{identity}"


def is_claim_topic(topic: str) -> bool:
    """Return whether claims lie on this topic."""
    return topic.startswith(_TOPICS) and _TOPIC.fullmatch(topic) is not None  # nearly no message is one


def fits_a_claim(sites: Sequence[str]) -> bool:
    """Return whether a claim can name all these sites, whatever else it holds."""
    longest = BridgeClaim("serving", "x" * ID_LENGTH, "x" * ID_LENGTH, "x" * HOST_LENGTH, MAX_AT_MS, list(sites))
    return len(write_claim(longest)) <= MAX_MESSAGE_BYTES


def read_claim(payload: bytes) -> BridgeClaim | None:
    """Read a claim; None if the bridge took it back. Raises Unreadable."""
    if not payload:
        return None
    if len(payload) > MAX_MESSAGE_BYTES:
        raise Unreadable(f"size: more than {MAX_MESSAGE_BYTES} bytes")
    try:
        claim = _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Unreadable(f"payload: {error}") from error
    if claim.state == "serving" and claim.since_ms is None:
        raise Unreadable("payload: serving needs since_ms")
    return claim


def write_claim(claim: BridgeClaim) -> bytes:
    """Return the payload of a claim."""
    return _encoder.encode(claim)
