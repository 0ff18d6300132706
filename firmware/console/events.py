"""Every event and message of the wire, by the names that contract.md gives them. Pure, no I/O.

This is the only place that spells the JSON names; elsewhere events are facts: tuples `(type, up_ms, values …)` with
the values in the order of `FIELDS`, and codes (`YES`, `ANSWERED` …) where the wire has one word out of a few.
"""

from micropython import const

BUTTONS = ("yes", "no", "cant_say", "seller")
YES, NO, CANT_SAY, SELLER = range(4)

OUTCOMES = ("yes", "no", "cant_say", "silent", "error")  # an answer has the code of its button
SILENT, ERROR = 3, 4

CAUSES = ("answered", "expired", "superseded", "fault")
ANSWERED, EXPIRED, SUPERSEDED, FAULT = range(4)

STRAY_REASONS = ("no_survey", "already_answered", "guard", "together")
NO_SURVEY, ALREADY_ANSWERED, GUARD, TOGETHER = range(4)

RESETS = ("power_on", "hard", "soft", "watchdog", "brownout", "unknown")
POWER_ON, HARD, SOFT, WATCHDOG, BROWNOUT, UNKNOWN = range(6)

SOURCES = ("ntp", "bridge")
NTP, BRIDGE = range(2)

# The kinds of value that are not one word out of a tuple of them.
_NUMBER, _STEP, _BACK, _TEXT, _SURVEY, _FLAG, _SEEN = range(7)

# An event's type is its place in this table (and its first byte in flash: append new ones, never reorder).
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

BATCH_EVENTS_MAX = 32
_RECORD_MAX = const(255)  # bytes of an encoded event
_SEVEN_BITS = const(0x7F)
_MORE = const(0x80)
_BITS_MAX = const(63)
_COMMAND_ID_MAX = const(64)


def event(fact, boot, at_ms, survey=None):
    """The event, as on the wire, that `fact` tells.

    `survey` is the number of the last `survey_opened`; it is used where the fact refers to the open survey.
    `at_ms` is ms since 1970 UTC, or None. `buttons` and `lamps` of a self-test are given as bits, 1 << button.
    """
    name, fields = FIELDS[fact[0]]
    made = {"boot": boot, "up_ms": fact[1], "at_ms": at_ms, "type": name}
    for (field, kind), value in zip(fields, fact[2:]):
        if isinstance(kind, tuple):
            made[field] = kind[value]
        elif kind == _SURVEY:
            made[field] = survey if value else None
        elif kind == _SEEN:
            made[field] = _seen(value)
        else:
            made[field] = value
    if fact[0] == SURVEY_CLOSED and fact[7] == ANSWERED:
        made["response_ms"] = fact[1] - fact[3]
    return made


def _seen(bits):
    return [name for place, name in enumerate(BUTTONS) if bits >> place & 1]


# In flash: type, boot, up_ms, at_ms + 1 (0: null), then the fields. Numbers are LEB128, words are numbers, texts have
# their length in bytes before them.


def encode(event):
    """The event in few bytes (an opening 18, a close 23). ValueError for what the console never says."""
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
    """The event that `encode` was given. ValueError for anything that `encode` does not make."""
    if not 0 < len(record) <= _RECORD_MAX or record[0] >= len(FIELDS):
        raise ValueError("no event")
    name, fields = FIELDS[record[0]]
    boot, at = _get(record, 1)
    up_ms, at = _get(record, at)
    at_ms, at = _get(record, at)
    made = {"boot": boot, "up_ms": up_ms, "at_ms": at_ms - 1 if at_ms else None, "type": name}
    for field, kind in fields:
        made[field], at = _get_value(record, at, kind, up_ms)
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


def _get_value(record, at, kind, up_ms):
    number, at = _get(record, at)
    if kind != _TEXT:
        return _from_number(kind, number, up_ms), at
    if at + number > len(record):
        raise ValueError("event cut short")
    return bytes(record[at : at + number]).decode(), at + number


def _from_number(kind, number, up_ms):
    if isinstance(kind, tuple):
        if number >= len(kind):
            raise ValueError("unknown word")
        return kind[number]
    if kind == _SEEN:
        return _seen(number)
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
    number = shift = 0
    while at < len(record) and shift < _BITS_MAX:
        byte = record[at]
        at += 1
        number |= (byte & _SEVEN_BITS) << shift
        if byte < _MORE:
            return number, at
        shift += 7
    raise ValueError("event cut short")


# The other messages. They are dicts; making JSON of them is the link's work.


def status(online, epoch, hardware_id):
    """What leaf `status` holds, also as last will (`online` False)."""
    return {"state": "online" if online else "offline", "epoch": epoch, "hardware_id": hardware_id}


def reply(command_id, reason=None):
    """The answer to a command: done, or not and why."""
    if reason is None:
        return {"id": command_id, "ok": True}
    return {"id": command_id, "ok": False, "reason": reason}


def hello(site_id, console_id, hardware_id):
    """The first line on a serial line."""
    return {"site_id": site_id, "console_id": console_id, "hardware_id": hardware_id}


def read_ack(message):
    """`(epoch, through, at_ms)` of an `ack`; at_ms None if it has none. ValueError if it is no ack for a console."""
    if not isinstance(message, dict):
        raise ValueError("no ack")
    epoch, through, at_ms = message.get("epoch"), message.get("through"), message.get("at_ms")
    if not isinstance(epoch, str) or not is_int(through) or not (at_ms is None or is_int(at_ms)):
        raise ValueError("no ack")
    return epoch, through, at_ms


def read_command(message):
    """`(id, command, expires_at_ms)` of a `command`. ValueError if it is none."""
    if not isinstance(message, dict):
        raise ValueError("no command")
    command_id, command, expires_at_ms = message.get("id"), message.get("command"), message.get("expires_at_ms")
    if (
        not isinstance(command_id, str)
        or not 1 <= len(command_id) <= _COMMAND_ID_MAX
        or not isinstance(command, str)
        or not is_int(expires_at_ms)
    ):
        raise ValueError("no command")
    return command_id, command, expires_at_ms


def is_int(value):
    """True for a whole number; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
