"""Operations on what was received: recorded messages taken in, everything made anew, open surveys called lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from bridge.service.operations import OPERATIONS
from bridge.surveys import fold
from bridge.surveys.ingest import Intake
from bridge.surveys.rebuild import rebuild
from bridge.text import plain
from bridge.wire.contract import AtMs

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store import Store
    from bridge.surveys.ingest import Tally

    Progress = Callable[[int, int], None]


class RecordedMessage(Struct):
    """A line of a file of recorded messages; the payload as JSON, or as a string where it was none."""

    topic: Annotated[str, Meta(max_length=65_535)]
    payload: Raw
    received_at_ms: AtMs


_decoder = msgspec.json.Decoder(RecordedMessage)


def execute(
    store: Store,
    operation: str,
    args: dict[str, Any],
    now_ms: int,
    progress: Progress | None = None,
    note: Callable[[Tally], None] | None = None,
) -> dict[str, Any]:
    """Do an operation by its name, inside the transaction; its result. Raises TrivoxError.

    What became of messages is told to `note`, true once the transaction is committed.
    """
    if operation == "ingest":
        tally = ingest(store, args)
        if note is not None:
            note(tally)
        return dict(tally.figures())
    if operation == "rebuild":
        return rebuild(store, progress)
    if operation == "sweep":
        return {"surveys": fold.sweep(store)}
    return OPERATIONS[operation](store, args, now_ms)


def ingest(store: Store, args: dict[str, Any]) -> Tally:
    """Take in recorded messages as if they had come by MQTT: args `lines`, bytes each, or a text by the socket."""
    intake = Intake(store)
    for line in args["lines"]:
        raw = line if type(line) is bytes else line.encode("utf-8", "surrogateescape")
        take_line(intake, raw, store.now_ms)
    return intake.finish()


def take_line(intake: Intake, line: bytes, now_ms: int) -> None:
    """Take in one recorded message; a line that is none is kept among the rejects."""
    try:
        message = _decoder.decode(line)
        payload = bytes(message.payload)
        if payload.startswith(b'"'):
            payload = msgspec.json.decode(payload, type=str).encode()
        topic = message.topic
        topic.encode()
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        intake.reject("", line, f"recorded line: {plain(str(error))}", now_ms)
        return
    intake.take(topic, payload, message.received_at_ms)
