"""Read the events of a batch that is as usual, and decide how much of an event's text is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store import kept
from bridge.wire import contract, json_content
from bridge.wire.contract import Impossible

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.wire.contract import AnyEvent, Batch

    JudgedEvent = tuple[int, AnyEvent, str]
    """A valid event with its number, and the text of it that is kept."""


def judge_usual(batch: Batch, payload: bytes) -> list[JudgedEvent] | None:
    """Read the events of a batch if all are as usual: valid, and kept as sent. Else (None) each is judged by itself."""
    if json_content.DIGEST in payload:
        return None
    judged: list[JudgedEvent] = []
    try:
        for seq, raw in enumerate(batch.events, batch.base):
            if len(raw) > kept.FREE_BYTES:
                return None
            judged.append((seq, contract.parse_event(raw, seq), str(raw, "utf-8")))
    except Impossible:
        return None
    return judged


def keepable(store: Store, topic: str, event: AnyEvent, raw: bytes) -> bytes:
    """Return the text of an event to keep: as sent, or without unknown fields where these take too much room."""
    if json_content.DIGEST not in raw:
        if len(raw) <= kept.FREE_BYTES:
            return raw
        unknown = json_content.unknown_bytes(event, raw)
        if not unknown or kept.reserve(store, topic, kept.UNKNOWN_FIELDS, unknown):
            return raw
    return json_content.without_unknown_fields(event, raw)
