"""Take in recorded messages as if they had come by MQTT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from bridge.surveys.ingest import Intake
from bridge.text import printable
from bridge.wire.contract import AtMs

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.surveys.facts import Emit
    from bridge.surveys.ingest import IntakeResult


class RecordedMessage(Struct):
    """A line of a file of recorded messages; the payload is JSON, or a string where it was not JSON."""

    topic: Annotated[str, Meta(max_length=65_535)]
    payload: Raw
    received_at_ms: AtMs


_decoder = msgspec.json.Decoder(RecordedMessage)


def ingest(store: Store, lines: list[bytes], emit: Emit) -> IntakeResult:
    """Take in recorded messages, a line of JSON each; return what became of them."""
    intake = Intake(store, emit)
    for line in lines:
        take_line(intake, line, store.now_ms)
    return intake.finish()


def take_line(intake: Intake, line: bytes, now_ms: int) -> None:
    """Take in one recorded message; a line that is not one goes among the rejects."""
    try:
        message = _decoder.decode(line)
        payload = bytes(message.payload)
        if payload.startswith(b'"'):
            payload = msgspec.json.decode(payload, type=str).encode()
        topic = message.topic
        topic.encode()
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        intake.reject("", line, f"recorded line: {printable(str(error))}", now_ms)
        return
    intake.take(topic, payload, message.received_at_ms)
