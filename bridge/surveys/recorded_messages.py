"""Read files of recorded messages, and take the messages in as if they had come by MQTT.

A line that is no recorded message is an error of the file, of which nothing is taken then. What the message itself
holds is judged like that of any other: it may end among the rejects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from bridge.errors import TrivoxError
from bridge.input_file import BOM, called, cannot_read, refuse_other_format
from bridge.surveys.ingest import Intake
from bridge.text import printable
from bridge.wire.contract import AtMs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from bridge.store import Store
    from bridge.surveys.facts import Emit
    from bridge.surveys.in_transaction import IntakeResult

    Note = Callable[[int, str], None]

MAX_LINE_BYTES = 8 * 1024 * 1024
LINES_AT_ONCE = 500
BYTES_AT_ONCE = 256 * 1024  # taken in one transaction: some thousand events, a tenth of a second
TIMES_ALONE = 4  # so many times as much where nobody else waits for the writer: then rollups are written less often


class RecordedMessage(Struct):
    """A line of a file of recorded messages; the payload is JSON, or a string where it was not JSON."""

    topic: Annotated[str, Meta(max_length=65_535)]
    payload: Raw
    received_at_ms: AtMs


class ReadLine(NamedTuple):
    """A line of a file, read: its text, and (topic, payload, time of arrival) of the message in it, or what is wrong.

    Each line is read once, however many look at it: that takes as long as a tenth of all else that is done with it.
    """

    text: bytes
    message: tuple[str, bytes, int] | None
    fault: str = ""


_decoder = msgspec.json.Decoder(RecordedMessage)


def read_line(text: bytes) -> ReadLine:
    """Read a line, whatever it holds."""
    try:
        return ReadLine(text, _read_message(text))
    except ValueError as error:
        return ReadLine(text, None, str(error))


def _read_message(line: bytes) -> tuple[str, bytes, int]:
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


def checked_lines(file: IO[bytes], path: Path, note: Note | None = None) -> Iterator[ReadLine]:
    """Yield the lines of a file of recorded messages, read, without blank lines and the BOM.

    `note` gets the number of each line that is no recorded message, and what is wrong with it. Raises TrivoxError for a
    file without messages, or that is cut off in its last line.
    """
    number = messages = 0
    refusal = ""
    for number, line in enumerate(_lines(file, path), 1):
        text = line.removeprefix(BOM).strip()  # in any line, as files may have been put together
        if not text:
            continue
        if not messages and not refusal:
            refuse_other_format(path, line)
        read = read_line(text)
        if read.message is not None:
            messages += 1
        else:
            if messages and not line.endswith(b"\n"):
                raise TrivoxError(
                    f"{called(path)}: nothing was taken in, as it is cut off in line {number} ({read.fault}): get the "
                    "whole file, or remove that line."
                )
            refusal = refusal or _refusal(path, number, read)
            if note is not None:
                note(number, read.fault)
        yield read
    if not messages:
        empty = "holds nothing but blank lines" if number else "is empty"
        raise TrivoxError(refusal or f"{called(path)} {empty}: give a file of recorded messages, one per line.")


def _lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield each line; of one that is too long for a message, as much as shows that."""
    try:
        while line := file.readline(MAX_LINE_BYTES + 1):
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
                pass
            yield line if rest is line else line + rest[-1:]
    except OSError as error:
        raise cannot_read(path, error) from error


def _refusal(path: Path, number: int, read: ReadLine) -> str:
    """Say of the first line that is no message what is wrong with it, and what to do."""
    if read.text.startswith(b"[") or read.text == b"{":
        todo = "give one message per line, which `jq -c .` writes (`jq -c '.[]'` of a list)"
    else:
        todo = "give a file of recorded messages, one per line"
    return f"{called(path)} holds no recorded message: line {number} is none ({read.fault}); {todo}."


def ingest(store: Store, lines: Iterable[ReadLine], emit: Emit) -> IntakeResult:
    """Take in recorded messages, a line each, and put other lines among the rejects; return what became of them."""
    intake = Intake(store, emit)
    for text, message, fault in lines:
        if message is None:
            intake.reject("", text, f"recorded line: {fault}", store.now_ms)
        else:
            intake.take(*message)
    return intake.finish()


def reject(store: Store, line: bytes, reason: str, emit: Emit) -> IntakeResult:
    """Put a recorded message among the rejects."""
    intake = Intake(store, emit)
    topic, payload, received_at_ms = _read_message(line)
    intake.reject(topic, payload, reason, received_at_ms)
    return intake.finish()


def in_portions(lines: Iterable[ReadLine], times: int = 1) -> Iterator[list[ReadLine]]:
    """Yield lines in lists that are each taken in at once, `times` as many as usual."""
    portion: list[ReadLine] = []
    size = 0
    for line in lines:
        portion.append(line)
        size += len(line.text)
        if len(portion) >= times * LINES_AT_ONCE or size >= times * BYTES_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
