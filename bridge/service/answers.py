"""Read what the process at the other end of the local socket answers: it may be another version, or another user's.

Root asks a bridge that runs with fewer rights, so nothing in an answer is used before it is checked.
"""

from __future__ import annotations

import json
from typing import IO, Annotated, Any, TypedDict

import msgspec

from bridge.errors import TrivoxError
from bridge.wire.contract import Natural, Step

MAX_ANSWER_BYTES = 64 * 1024 * 1024
STOPPED = "The bridge stopped before the command was done: start it and try again."
UNREADABLE = "The bridge gave an answer that cannot be read: is it another version?"


class UnreadableAnswerError(TrivoxError):
    """An answer is not of the form that this version knows."""

    def __init__(self) -> None:
        super().__init__(UNREADABLE)


class Result(dict[str, Any]):
    """The result of a command; a value that is not in it is told as an answer that cannot be read."""

    def __missing__(self, name: str) -> Any:
        raise UnreadableAnswerError


class Answer(msgspec.Struct):
    """A line that answers: how far the command is, its result, or the error that it ended with."""

    progress: tuple[Natural, Natural] | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    exit_status: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    lines: tuple[str, ...] = ()


class Condition(TypedDict, total=False):
    """What a bridge says about itself to `trivox doctor`; see `Vitals.snapshot`."""

    started_at_ms: Natural
    broker: str
    is_connected: bool
    refused: str
    instance: str
    sites: list[str]
    can_claim: bool
    signed_only: bool
    write_error: str | None
    failing_s: Natural
    backlog: Natural
    clock_steps: Natural
    clock_step_ms: Step
    clock_stepped_at_ms: Natural
    flooding: list[str]


def read_answer(lines: IO[bytes]) -> Answer:
    """Read the next answer. Raises TrivoxError if none comes, or one that cannot be read; OSError."""
    line = lines.readline(MAX_ANSWER_BYTES)
    if len(line) < MAX_ANSWER_BYTES and not line.endswith(b"\n"):
        raise TrivoxError(STOPPED)
    try:
        # `json` also decodes text that is not valid UTF-8, as a command may have named it.
        answer = msgspec.convert(json.loads(line), Answer)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswerError from error
    if (answer.progress, answer.result, answer.error) == (None, None, None):
        raise UnreadableAnswerError
    return answer


def read_condition(result: dict[str, Any]) -> Result:
    """Check what a bridge says about itself. Raises TrivoxError."""
    try:
        return Result(msgspec.convert(result, Condition))
    except ValueError as error:
        raise UnreadableAnswerError from error
