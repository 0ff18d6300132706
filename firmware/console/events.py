"""Make and read the events and messages of the wire (schema/README.md). Pure, no I/O.

Only this module spells the JSON names. Everywhere else an event is a fact: a tuple `(type, up_ms, values …)` with the
values in the order of `FIELDS`, and with codes (`YES`, `ANSWERED` …) in place of words.
"""

from micropython import const

BUTTONS = ("yes", "no", "cant_say", "seller")
YES, NO, CANT_SAY, SELLER = range(4)

OUTCOMES = ("yes", "no", "cant_say", "silent", "error")  # an answer and its button have the same code
SILENT, ERROR = 3, 4

CAUSES = ("answered", "expired", "superseded", "fault")
ANSWERED, EXPIRED, SUPERSEDED, FAULT = range(4)

STRAY_REASONS = ("no_survey", "already_answered", "guard", "together")
NO_SURVEY, ALREADY_ANSWERED, GUARD, TOGETHER = range(4)

RESETS = ("power_on", "hard", "soft", "watchdog", "brownout", "unknown")
POWER_ON, HARD, SOFT, WATCHDOG, BROWNOUT, UNKNOWN = range(6)

SOURCES = ("ntp", "bridge")
NTP, BRIDGE = range(2)

# Kinds of value; a tuple of words in their place means one of these words.
_NUMBER = const(0)
_STEP = const(1)  # a signed number, or None
_BACK = const(2)  # an up_ms before the event's own; in flash, the difference
_TEXT = const(3)
_SURVEY = const(4)  # the number of the open survey, or None
_FLAG = const(5)
_SEEN = const(6)  # names of buttons; in a fact and in flash, as bits

# An event's type is its position in this table, and its first byte in flash: append new types, never reorder them.
FIELDS = (
    ("booted", (("reset", RESETS), ("firmware", _TEXT), ("board", _TEXT), ("hardware_id", _TEXT))),
    ("clock_set", (("source", SOURCES), ("step_ms", _STEP))),
    ("settings_applied", (("revision", _NUMBER),)),
    ("survey_opened", (("question_id", _TEXT), ("question_revision", _NUMBER))),
    (
        "survey_closed",
        (
            ("survey", _SURVEY),
            ("opened_up_ms", _BACK),
            ("question_id", _TEXT),
            ("question_revision", _NUMBER),
            ("outcome", OUTCOMES),
            ("cause", CAUSES),
        ),
    ),
    ("force_majeure_declared", (("survey", _SURVEY), ("question_id", _TEXT), ("question_revision", _NUMBER))),
    ("stray_pressed", (("button", BUTTONS), ("reason", STRAY_REASONS))),
    ("button_stuck", (("button", BUTTONS),)),
    ("button_freed", (("button", BUTTONS),)),
    ("self_tested", (("passed", _FLAG), ("buttons", _SEEN), ("lamps", _SEEN))),
)
BOOTED, CLOCK_SET, SETTINGS_APPLIED, SURVEY_OPENED, SURVEY_CLOSED = range(5)
FORCE_MAJEURE_DECLARED, STRAY_PRESSED, BUTTON_STUCK, BUTTON_FREED, SELF_TESTED = range(5, 10)

# Positions in a fact.
TYPE = const(0)
UP_MS = const(1)
_VALUES = const(2)  # the first of the values
BUTTON = const(2)  # of stray_pressed, button_stuck, button_freed, and survey.PRESS_TESTED
OPENED_UP_MS = const(3)  # of survey_closed, as the next two
OUTCOME = const(6)
CAUSE = const(7)

BATCH_EVENTS_MAX = 32
_RECORD_MAX = const(255)  # bytes of an encoded event
_SEVEN_BITS = const(0x7F)
_MORE = const(0x80)
_BITS_MAX = const(63)
_COMMAND_ID_MAX = const(64)


def event(fact, boot, at_ms, survey=None):
    """Return the event of `fact`, as it is sent.

    `at_ms` is ms since 1970 UTC, or None. `survey` is the number of the last `survey_opened`; it is used if the fact
    refers to the open survey. A fact of a self-test has `buttons` and `lamps` as bits, 1 << button.
    """
    name, fields = FIELDS[fact[TYPE]]
    made = {"boot": boot, "up_ms": fact[UP_MS], "at_ms": at_ms, "type": name}
    for (field, kind), value in zip(fields, fact[_VALUES:]):
        if isinstance(kind, tuple):
            made[field] = kind[value]
        elif kind == _SURVEY:
            made[field] = survey if value else None
        elif kind == _SEEN:
            made[field] = _button_names(value)
        else:
            made[field] = value
    if fact[TYPE] == SURVEY_CLOSED and fact[CAUSE] == ANSWERED:
        made["response_ms"] = fact[UP_MS] - fact[OPENED_UP_MS]
    return made


def _button_names(bits):
    return [name for button, name in enumerate(BUTTONS) if bits >> button & 1]


# In flash: type, boot, up_ms, at_ms + 1 (0 for null), then the fields. Numbers are LEB128, words are numbers, and a
# text has its length in bytes before it.


def encode(event):
    """Return the event as bytes for flash (survey_opened takes 18, survey_closed 23).

    Raises ValueError for an event that the console never makes.
    """
    code = _code(event["type"])
    out = bytearray((code,))
    _put(out, event["boot"])
    _put(out, event["up_ms"])
    _put(out, 0 if event["at_ms"] is None else event["at_ms"] + 1)
    for field, kind in FIELDS[code][1]:
        _put_value(out, kind, event[field], event["up_ms"])
    if event.get("response_ms") != _response_ms(event):
        raise ValueError("response_ms does not follow from the event")
    if len(out) > _RECORD_MAX:
        raise ValueError("event too long")
    return bytes(out)


def decode(record):
    """Return the event that `encode` was given. Raises ValueError if `encode` can't have made these bytes."""
    if not 0 < len(record) <= _RECORD_MAX or record[0] >= len(FIELDS):
        raise ValueError("not an event")
    name, fields = FIELDS[record[0]]
    boot, at = _get(record, 1)
    up_ms, at = _get(record, at)
    at_ms, at = _get(record, at)
    made = {"boot": boot, "up_ms": up_ms, "at_ms": at_ms - 1 if at_ms else None, "type": name}
    for field, kind in fields:
        number, at = _get(record, at)
        if kind == _TEXT:
            made[field] = _text(record, at, number)
            at += number
        elif kind == _NUMBER:
            made[field] = number
        else:
            made[field] = _from_number(kind, number, up_ms)
    if at != len(record):
        raise ValueError("bytes after the event")
    response_ms = _response_ms(made)
    if response_ms is not None:
        made["response_ms"] = response_ms
    return made


def _code(name):
    for code, row in enumerate(FIELDS):
        if row[0] == name:
            return code
    raise ValueError("unknown event")


def _response_ms(event):
    if event.get("cause") == CAUSES[ANSWERED]:
        return event["up_ms"] - event["opened_up_ms"]
    return None


def _put_value(out, kind, value, up_ms):
    if kind == _TEXT:
        text = value.encode()
        _put(out, len(text))
        out.extend(text)
    else:
        _put(out, _to_number(kind, value, up_ms))


def _to_number(kind, value, up_ms):
    if isinstance(kind, tuple):
        return kind.index(value)
    if kind == _SEEN:
        return sum(1 << BUTTONS.index(name) for name in value)
    if kind == _BACK:
        return up_ms - value
    if kind == _STEP and value is not None:
        return 2 * value + 1 if value >= 0 else -2 * value
    return int(value or 0)


def _text(record, at, size):
    if at + size > len(record):
        raise ValueError("event cut short")
    return str(record[at : at + size], "utf-8")


def _from_number(kind, number, up_ms):
    if isinstance(kind, tuple):
        if number >= len(kind):
            raise ValueError("unknown word")
        return kind[number]
    if kind == _SEEN:
        return _button_names(number)
    if kind == _BACK:
        return up_ms - number
    if kind in (_SURVEY, _STEP) and number == 0:
        return None
    if kind == _STEP:
        return number >> 1 if number & 1 else -(number >> 1)
    return bool(number) if kind == _FLAG else number


def _put(out, number):
    if number < 0 or number >> _BITS_MAX:
        raise ValueError("number out of range")
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | _MORE)
        number >>= 7
    out.append(number)


def _get(record, at):
    if at < len(record) and record[at] < _MORE:  # most numbers take one byte, and this is called for each
        return record[at], at + 1
    number = shift = 0
    while at < len(record) and shift < _BITS_MAX:
        byte = record[at]
        at += 1
        number |= (byte & _SEVEN_BITS) << shift
        if byte < _MORE:
            return number, at
        shift += 7
    raise ValueError("event cut short")


# The other messages, as dicts; the link turns them into JSON.


def status(online, epoch, hardware_id):
    """Return the payload of leaf `status`; with `online` False it is the last will."""
    return {"state": "online" if online else "offline", "epoch": epoch, "hardware_id": hardware_id}


def reply(command_id, reason=None):
    """Return the reply to a command: done, or refused if there is a `reason`."""
    if reason is None:
        return {"id": command_id, "ok": True}
    return {"id": command_id, "ok": False, "reason": reason}


def stamp(message, epoch, boot, up_ms):
    """Write into a console's word about itself (status, health or reply) when it is sent."""
    message["epoch"], message["boot"], message["up_ms"] = epoch, boot, up_ms


def seal(text, mac):
    """Return the JSON text of such a message with its MAC, which is the last member."""
    return text[:-1] + ', "mac": "%s"}' % mac


def hello(site_id, console_id, hardware_id):
    """Return the payload of `hello`, the first line on a serial line."""
    return {"site_id": site_id, "console_id": console_id, "hardware_id": hardware_id}


def read_ack(message):
    """Return `(epoch, through, at_ms)` of an `ack`; at_ms may be None. Raises ValueError if it is not for a console."""
    if not isinstance(message, dict):
        raise ValueError("not an ack")
    epoch, through, at_ms = message.get("epoch"), message.get("through"), message.get("at_ms")
    if not isinstance(epoch, str) or not is_int(through) or not (at_ms is None or is_int(at_ms)):
        raise ValueError("not an ack")
    return epoch, through, at_ms


def read_command(message):
    """Return `(id, command, expires_at_ms)` of a `command`. Raises ValueError if it is not a command."""
    if not isinstance(message, dict):
        raise ValueError("not a command")
    command_id, command, expires_at_ms = message.get("id"), message.get("command"), message.get("expires_at_ms")
    if (
        not isinstance(command_id, str)
        or not 1 <= len(command_id) <= _COMMAND_ID_MAX
        or not isinstance(command, str)
        or not is_int(expires_at_ms)
    ):
        raise ValueError("not a command")
    return command_id, command, expires_at_ms


def is_int(value):
    """Return whether `value` is a whole number; JSON's true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)
