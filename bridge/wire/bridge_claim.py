"""Read and write what bridges tell each other at the broker: which sites each of them serves.

The messages lie on `trivox/v1/bridge/{identity}`: retained while a bridge serves, so that a later one finds them.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bridge.wire.contract import MAX_AT_MS, Unreadable

ALL_CLAIMS = "trivox/v1/bridge/+"
MAX_CLAIM_BYTES = 256 * 1024  # a chain names a few thousand sites
_TOPIC = re.compile(r"trivox/v1/bridge/[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)

SiteId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]


class BridgeClaim(Struct, frozen=True, omit_defaults=True):
    """One run of a bridge serves these sites, or asks whether another one does; `sites` None means all.

    `instance` names the run. `file` names the database's file on its machine to those who have its keys.
    """

    state: Literal["asking", "serving"]
    instance: Annotated[str, Meta(min_length=1, max_length=64)]
    file: Annotated[str, Meta(min_length=1, max_length=64)]
    host: Annotated[str, Meta(max_length=255)]
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
    return f"trivox/v1/bridge/{identity}"


def is_claim_topic(topic: str) -> bool:
    """Return whether claims lie on this topic."""
    return _TOPIC.fullmatch(topic) is not None


def read_claim(payload: bytes) -> BridgeClaim | None:
    """Read a claim; None if the bridge took it back. Raises Unreadable."""
    if not payload:
        return None
    if len(payload) > MAX_CLAIM_BYTES:
        raise Unreadable(f"size: more than {MAX_CLAIM_BYTES} bytes")
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
