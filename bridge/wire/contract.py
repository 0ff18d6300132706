"""Read the messages of the wire, version 1, as typed events, and say why one is invalid. No I/O, no clock.

schema/README.md holds the contract. Times are integers in milliseconds: `up_ms` since the console's start, `at_ms`
since 1970-01-01 UTC.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from bridge.text import printable, valid_id

MAX_MESSAGE_BYTES = 65_536
MAX_EVENTS = 256
EPOCH_DIGITS = 8
LEAVES_TO_BRIDGE = ("events", "status", "health", "reply", "counts")
RETAINED_LEAVES = ("status", "health", "settings")

_TOPIC = re.compile(r"trivox/v1/([a-z0-9][a-z0-9_-]{0,31})/([a-z0-9][a-z0-9_-]{0,31})/([a-z]+)", re.ASCII)

MAX_NUMBER = 2**53
MAX_AT_MS = 253_402_300_799_999  # the end of the year 9999
Natural = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Positive = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
REVISION_MAX = 2**31 - 1
Revision = Annotated[int, Meta(ge=1, le=REVISION_MAX)]
Word = Annotated[str, Meta(max_length=256)]  # known or not, it is kept
HardwareId = Annotated[str, Meta(min_length=1, max_length=256)]
Step = Annotated[int, Meta(ge=-MAX_AT_MS, le=MAX_AT_MS)]
AtMs = Annotated[int, Meta(ge=0, le=MAX_AT_MS)]
QuestionId = str  # see _check_question_id
EPOCH = re.compile(r"^[0-9a-f]{8}\Z")
Epoch = Annotated[str, Meta(pattern=EPOCH.pattern)]
Button = Literal["yes", "no", "cant_say", "seller"]
Buttons = Annotated[list[Button], Meta(max_length=64)]
Outcome = Literal["yes", "no", "cant_say", "silent", "error"]

# The outcomes that each known cause can have; an unknown cause can have any.
ANSWERS = ("yes", "no", "cant_say")
OUTCOMES_OF_CAUSE = {"answered": ANSWERS, "expired": ("silent",), "superseded": ("silent",), "fault": ("error",)}


class Unreadable(ValueError):  # noqa: N818 - it says what the message is
    """A message that cannot be read as a whole; `str()` is the reason."""


class Impossible(ValueError):  # noqa: N818 - it says what the event is
    """A single event that is invalid; `str()` is the reason."""


class Event(Struct, tag_field="type", gc=False):
    """The fields of every event; `at_ms` is null while the console does not know the time."""

    boot: Natural
    up_ms: Natural
    at_ms: AtMs | None


class Booted(Event, tag="booted"):
    """The console started."""

    reset: Word
    firmware: Word
    board: Word
    hardware_id: HardwareId


class ClockSet(Event, tag="clock_set"):
    """The console learned the time; `step_ms` is new minus old, null at the first of a boot."""

    source: Literal["ntp", "bridge"]
    step_ms: Step | None


class SettingsApplied(Event, tag="settings_applied"):
    """The console uses these settings from its next survey on."""

    revision: Revision


class SurveyOpened(Event, tag="survey_opened"):
    """The seller asked a customer; the survey is named by this event's number."""

    question_id: QuestionId
    question_revision: Revision


class SurveyClosed(Event, tag="survey_closed"):
    """A survey ended; this event describes the whole survey, even if its opening is missing."""

    survey: Positive
    opened_up_ms: Natural
    question_id: QuestionId
    question_revision: Revision
    outcome: Outcome
    cause: Word
    response_ms: Natural | UnsetType | None = UNSET


class ForceMajeureDeclared(Event, tag="force_majeure_declared"):
    """The seller flagged force majeure; `survey` is the open survey, if any."""

    survey: Positive | None
    question_id: QuestionId
    question_revision: Revision


class StrayPressed(Event, tag="stray_pressed"):
    """A button was pressed without effect; `reason` says why."""

    button: Button
    reason: Literal["no_survey", "already_answered", "guard", "together"]


class ButtonStuck(Event, tag="button_stuck"):
    """A button has been down for too long."""

    button: Button


class ButtonFreed(Event, tag="button_freed"):
    """A stuck button is free again."""

    button: Button


class SelfTested(Event, tag="self_tested"):
    """A technician led the console through its self-test."""

    passed: bool
    buttons: Buttons
    lamps: Buttons


AnyEvent = (
    Booted
    | ClockSet
    | SettingsApplied
    | SurveyOpened
    | SurveyClosed
    | ForceMajeureDeclared
    | StrayPressed
    | ButtonStuck
    | ButtonFreed
    | SelfTested
)


E = TypeVar("E", bound=Event)


class Batch(Struct, forbid_unknown_fields=True):
    """The envelope of events numbered `base`, `base` + 1 …; `extra` is a JSON object of its unknown fields."""

    epoch: str  # see _is_epoch
    first: Positive
    base: Positive
    events: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_EVENTS)]
    mac: Any = UNSET
    extra: str | UnsetType = UNSET


class Status(Struct):
    """A console is online or offline, as it says itself, or as the broker says for it."""

    state: Literal["online", "offline"]
    epoch: Epoch | None = None
    hardware_id: HardwareId | None = None
    mac: Any = UNSET


class Health(Struct):
    """The fields of a health message that the bridge acts on; `bridge.wire.health` reads those that are only shown."""

    epoch: Epoch | None = None
    hardware_id: Word | None = None
    settings_revision: Natural = 0
    mac: Any = UNSET


class FetchRequest(Struct, rename={"from_": "from", "bytes_": "bytes"}):
    """The bytes of an update that a console asks for; with `nonce` it asks for the manifest's MAC, too."""

    from_: Natural
    bytes_: Positive
    nonce: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class Reply(Struct):
    """A console's answer to a command, or to the offer of an update."""

    id: str
    ok: bool
    reason: str = ""
    fetch: FetchRequest | None = None
    trial_failed: bool = False
    mac: Any = UNSET


ConsoleWord = Status | Health | Reply
"""What a console says about itself."""


class Stamp(Struct):
    """When a console said a word: in which epoch (None: that of its last word), boot, and how long after its start."""

    boot: Natural
    up_ms: Natural
    epoch: Epoch | None = None


class Ack(Struct):
    """Every event of `epoch` up to `through` is durable (or gone from the console for good)."""

    epoch: str
    through: int
    at_ms: int


_event_decoder = msgspec.json.Decoder(AnyEvent)
_kind_decoders = {kind: msgspec.json.Decoder(kind) for kind in get_args(AnyEvent)}
_batch_decoder = msgspec.json.Decoder(Batch)
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])
_decoders: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Status, Health, Reply, Stamp)
}
_WORDS: dict[str, type] = {"status": Status, "health": Health, "reply": Reply}
_encoder = msgspec.json.Encoder()
_CHOICES = ("button", "buttons", "lamps", "outcome", "reason", "source")  # fields whose value is one of a few words


@lru_cache(maxsize=65_536)
def read_topic(topic: str) -> tuple[str, str, str]:
    """Split a topic into (site_id, console_id, leaf). Raises Unreadable."""
    match = _TOPIC.fullmatch(topic)
    if match is None or match[3] not in LEAVES_TO_BRIDGE:
        raise Unreadable("topic: no console or source writes to it")
    return match[1], match[2], match[3]


def read_batch(payload: bytes) -> Batch:
    """Read a batch of events; the events themselves are left for `parse_event`. Raises Unreadable."""
    _check_text(payload)
    try:
        try:
            batch = _batch_decoder.decode(payload)
            if batch.extra is not UNSET:
                batch = _read_batch_with_unknown_fields(payload)
        except msgspec.ValidationError:
            batch = _read_batch_with_unknown_fields(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        lenient = _read_batch_leniently(payload)
        if lenient is None:
            raise Unreadable(f"envelope: {_error_text(error)}") from error
        batch = lenient
    if len(batch.epoch) != EPOCH_DIGITS or not _is_epoch(batch.epoch):
        raise Unreadable("envelope: epoch is not of eight lowercase hexadecimal digits")
    if batch.first > batch.base:
        raise Unreadable("envelope: first is above base")
    return batch


@lru_cache(maxsize=65_536)
def _is_epoch(text: str) -> bool:
    """Return whether a text has the form of `Epoch`; msgspec takes for that as long as for all else in a message."""
    return EPOCH.match(text) is not None


def _read_batch_leniently(payload: bytes) -> Batch | None:
    """Read an envelope with a more lenient reader, so that an event with half a surrogate pair fails by itself."""
    try:
        fields = json.loads(payload)
        events = [Raw(json.dumps(event).encode()) for event in fields.pop("events")]
        batch = _read_batch_with_unknown_fields(_encoder.encode({**fields, "events": [{}] * len(events)}))
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, msgspec.MsgspecError):
        return None
    batch.events = events
    return batch


def _read_batch_with_unknown_fields(payload: bytes) -> Batch:
    """Read an envelope that has unknown fields, and keep them as sent."""
    fields = _fields_decoder.decode(payload)
    known = {name: fields.pop(name) for name in ("epoch", "first", "base", "events", "mac") if name in fields}
    batch = _batch_decoder.decode(_encoder.encode(known))
    batch.extra = _encoder.encode(fields).decode()
    return batch


def read_status(payload: bytes) -> Status:
    """Read a status message. Raises Unreadable."""
    status: Status = _read(payload, Status)
    return status


def read_health(payload: bytes) -> Health:
    """Read a health message. Raises Unreadable."""
    health: Health = _read(payload, Health)
    return health


def read_reply(payload: bytes) -> Reply:
    """Read a reply to a command. Raises Unreadable."""
    reply: Reply = _read(payload, Reply)
    return reply


def read_stamp(payload: bytes) -> Stamp | None:
    """Read when a word was said; None if it does not say so."""
    try:
        stamp: Stamp = _read(payload, Stamp)
    except Unreadable:
        return None
    return stamp


def read_word(leaf: str, payload: bytes) -> ConsoleWord:
    """Read a word of a console about itself. Raises Unreadable."""
    word: ConsoleWord = _read(payload, _WORDS[leaf])
    return word


def _read(payload: bytes, kind: type) -> Any:
    _check_text(payload)
    try:
        return _decoders[kind].decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Unreadable(f"payload: {_error_text(error)}") from error


def _check_text(payload: bytes) -> None:
    if len(payload) > MAX_MESSAGE_BYTES:
        raise Unreadable(f"size: more than {MAX_MESSAGE_BYTES} bytes")
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            raise Unreadable("encoding: not UTF-8") from error


def parse_event(raw: bytes | Raw, seq: int) -> AnyEvent:
    """Read and check the event with number `seq`. Raises Impossible with the reason if it is invalid."""
    try:
        event: AnyEvent = _event_decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise Impossible(_reason(error)) from error
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Impossible(f"malformed: {_error_text(error)}") from error
    kind = type(event)
    if kind is SurveyClosed:
        _check_close(event, seq)  # type: ignore[arg-type]
    elif kind is ForceMajeureDeclared:
        _check_force_majeure(event, seq)  # type: ignore[arg-type]
    elif kind is SurveyOpened:
        _check_question_id(event.question_id)  # type: ignore[union-attr]
    return event


def read_event(raw: str, kind: type[E]) -> E:
    """Read an event that `parse_event` accepted before and whose kind is known."""
    event: E = _kind_decoders[kind].decode(raw)
    return event


def _check_question_id(text: str) -> None:
    """Check an id that events of older bridges, which `read_event` still reads, may lack. Raises Impossible."""
    if not _is_known_form(text):
        raise Impossible("impossible value: question_id is not a valid id")


_is_known_form = lru_cache(maxsize=1_000)(valid_id)


def _check_close(event: SurveyClosed, seq: int) -> None:
    if event.survey >= seq:
        raise Impossible("impossible value: survey is not below the number of its close")
    if event.opened_up_ms > event.up_ms:
        raise Impossible("impossible value: closed before it was opened")
    _check_question_id(event.question_id)
    outcome, outcomes = event.outcome, OUTCOMES_OF_CAUSE.get(event.cause)
    if outcomes is not None and outcome not in outcomes:
        raise Impossible(f"impossible value: outcome {outcome} does not go with cause {event.cause}")
    if outcome in ANSWERS and not isinstance(event.response_ms, int):
        raise Impossible("missing field: an answered survey needs response_ms")


def _check_force_majeure(event: ForceMajeureDeclared, seq: int) -> None:
    if event.survey is not None and event.survey >= seq:
        raise Impossible("impossible value: survey is not below the number of the event")
    _check_question_id(event.question_id)


def _error_text(error: Exception) -> str:
    return printable(str(error))


def _reason(error: msgspec.ValidationError) -> str:
    """Return the kind of fault, then msgspec's own text.

    The kind is found only in msgspec's words before and after the value, never in the value, which the sender wrote.
    """
    text, details = str(error), _error_text(error)
    field = re.match(r"[a-z_]*", text.rpartition(" - at `$.")[2])
    if text.startswith("Object missing required field"):
        return f"missing field: {details}"
    if text.startswith("Invalid enum value"):
        return f"unknown {field[0] if field and field[0] in _CHOICES else 'value'}: {details}"
    if text.startswith("Invalid value"):
        return f"unknown type: {details}"
    if re.search(r">=|<=|length|out of range", text):
        return f"impossible value: {details}"
    return f"ill-typed field: {details}"


def ack_payload(epoch: str, through: int, at_ms: int) -> bytes:
    """Return the payload to publish on `ack` after a commit."""
    return _encoder.encode(Ack(epoch, through, at_ms))


def encode(message: Any) -> bytes:
    """Encode a message as JSON."""
    return _encoder.encode(message)
