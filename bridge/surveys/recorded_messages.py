"""Read files of recorded messages, and take the messages in as if they had come by MQTT.

A line that is no recorded message is an error of the file, of which nothing is taken then. What the message itself
holds is judged like that of any other: it may end among the rejects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from bridge.errors import TrivoxError
from bridge.input_file import BOM, called, cannot_read, refuse_other_format
from bridge.surveys.ingest import Intake
from bridge.text import printable
from bridge.wire.contract import AtMs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from bridge.store import Store
    from bridge.surveys.facts import Emit
    from bridge.surveys.ingest import IntakeResult

MAX_LINE_BYTES = 8 * 1024 * 1024
LINES_AT_ONCE = 500
BYTES_AT_ONCE = 256 * 1024  # taken in one transaction: some thousand events, a tenth of a second


class RecordedMessage(Struct):
    """A line of a file of recorded messages; the payload is JSON, or a string where it was not JSON."""

    topic: Annotated[str, Meta(max_length=65_535)]
    payload: Raw
    received_at_ms: AtMs


_decoder = msgspec.json.Decoder(RecordedMessage)


def read_message(line: bytes) -> tuple[str, bytes, int]:
    """Return the topic, the payload and the time of arrival of a recorded message. Raises ValueError."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"it is longer than {MAX_LINE_BYTES >> 20} MiB")
    try:
        line.decode()  # the decoder does not look into the payload
        message = _decode(line)
        payload = bytes(message.payload)
        if payload.startswith(b'"'):
            payload = json.loads(payload).encode("utf-8", "replace")
        message.topic.encode()
    except UnicodeError as error:
        raise ValueError("it is not UTF-8") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except msgspec.MsgspecError as error:
        raise ValueError(printable(str(error))) from error
    return message.topic, payload, message.received_at_ms


def _decode(line: bytes) -> RecordedMessage:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:
        if b"\\ud" not in line.lower():
            raise
        # Half a surrogate pair is an error to this decoder, though not in JSON: the message is judged by what it holds.
        try:
            fields = json.loads(line)
            fields["payload"] = Raw(json.dumps(fields["payload"]).encode())
            return msgspec.convert(fields, RecordedMessage)
        except (LookupError, TypeError, ValueError):
            pass
        raise


def checked_lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, all of them recorded messages, without blank lines and the BOM.

    Raises TrivoxError for a line that is none, with its number, and for a file without messages.
    """
    number = messages = 0
    for number, line in enumerate(_lines(file, path), 1):
        text = line.removeprefix(BOM).strip() if number == 1 else line.strip()
        if not text:
            continue
        if not messages:
            refuse_other_format(path, line)
        try:
            read_message(text)
        except ValueError as error:
            raise TrivoxError(_refusal(path, number, text, error, is_cut=not line.endswith(b"\n"))) from error
        messages += 1
        yield text
    if not messages:
        empty = "holds nothing but blank lines" if number else "is empty"
        raise TrivoxError(f"{called(path)} {empty}: give a file of recorded messages, one per line.")


def _lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    try:
        while line := file.readline(MAX_LINE_BYTES + 1):
            yield line
    except OSError as error:
        raise cannot_read(path, error) from error


def _refusal(path: Path, number: int, text: bytes, error: ValueError, *, is_cut: bool) -> str:
    """Say what is wrong with a line, and what to do."""
    if is_cut and number > 1:
        todo = "the file seems to be cut off in its last line: get the whole file, or remove that line"
    elif number == 1 and (text.startswith(b"[") or text == b"{"):
        todo = "give one message per line, which `jq -c .` writes (`jq -c '.[]'` of a list)"
    else:
        todo = "correct that line, or give a file of recorded messages, one per line"
    return f"{called(path)}: nothing was taken in, as line {number} is not a recorded message ({error}); {todo}."


def ingest(store: Store, lines: list[bytes], emit: Emit) -> IntakeResult:
    """Take in recorded messages, a line each; return what became of them."""
    intake = Intake(store, emit)
    for line in lines:
        intake.take(*read_message(line))
    return intake.finish()


def reject(store: Store, line: bytes, reason: str, emit: Emit) -> IntakeResult:
    """Put a recorded message among the rejects."""
    intake = Intake(store, emit)
    topic, payload, received_at_ms = read_message(line)
    intake.reject(topic, payload, reason, received_at_ms)
    return intake.finish()


def in_portions(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield lines in lists that are each taken in by one transaction."""
    portion: list[bytes] = []
    size = 0
    for line in lines:
        portion.append(line)
        size += len(line)
        if len(portion) >= LINES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
