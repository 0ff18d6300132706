"""Check the console's settings, and keep them in a file.

Loaded only while settings are read or written. `Settings` in use have no methods, which would keep this in memory.
"""

import json
import os
from errno import ENODEV, ENOENT

from console.events import is_int
from console.outbox_files import write

# Name, lowest and highest value. Only here in the firmware; a test compares them with schema/settings.json.
RANGES = (
    ("revision", 1, 0x7FFFFFFF),
    ("survey_window_ms", 200, 600000),
    ("long_press_ms", 200, 10000),
    ("reopen_guard_ms", 0, 60000),
    ("debounce_ms", 5, 200),
    ("stuck_ms", 1000, 600000),  # and above long_press_ms
    ("heartbeat_ms", 1000, 3600000),
    ("ask_every", 1, 1000),
)
QUESTION_REVISION_MAX = 0x7FFFFFFF
ID_LENGTH_MAX = 32
ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789_-"  # not beginning with either of the last two
KINDS = ("personnel", "office", "loyalty")
LANGUAGES_MAX = 16
LANGUAGE_LENGTH_MAX = 35
TEXT_LENGTH_MAX = 300
PROMPTS = ("none", "tone")  # or track:1 to track:255
TRACK_MAX = 255


class Settings:
    """Checked settings. A new object has the defaults of schema/settings.json, and revision 0: none came yet."""

    revision = 0
    question_id = "staff"
    question_revision = 1
    kind = "personnel"
    text = None  # language -> text; None if it never came
    survey_window_ms = 20000
    long_press_ms = 1500
    reopen_guard_ms = 1000
    debounce_ms = 20
    stuck_ms = 30000
    heartbeat_ms = 60000
    ask_every = 1
    prompt = "tone"


def payload(settings):
    """Return the settings as a payload of leaf `settings`, without fields that the console does not know."""
    question = {"id": settings.question_id, "revision": settings.question_revision}
    question.update({"kind": settings.kind, "text": settings.text})
    made = {"question": question, "prompt": settings.prompt}
    for name, _, _ in RANGES:
        made[name] = getattr(settings, name)
    return made


def check(message):
    """Return the `Settings` of a decoded `settings` message, or why they can't be used (a str)."""
    if not isinstance(message, dict):
        return "settings is not an object"
    settings = Settings()
    for name, low, high in RANGES:
        value = message.get(name)
        if not _is_within(value, low, high):
            return "{} is not a whole number from {} to {}".format(name, low, high)
        setattr(settings, name, value)
    if settings.stuck_ms <= settings.long_press_ms:
        return "stuck_ms is not above long_press_ms"
    prompt = message.get("prompt")
    if not isinstance(prompt, str) or (prompt not in PROMPTS and track(prompt) is None):
        return "prompt is not none, tone or track:1 to track:{}".format(TRACK_MAX)
    settings.prompt = prompt
    return _check_question(message.get("question"), settings) or settings


def _check_question(question, settings):
    """Put the key question into `settings`; return why it can't be used, or None."""
    if not isinstance(question, dict):
        return "question is not an object"
    settings.question_id = question.get("id")
    settings.question_revision = question.get("revision")
    settings.kind = question.get("kind")
    settings.text = question.get("text")
    if not _is_id(settings.question_id):
        return "question.id is not a valid id"
    if not _is_within(settings.question_revision, 1, QUESTION_REVISION_MAX):
        return "question.revision is not a whole number from 1 to {}".format(QUESTION_REVISION_MAX)
    if settings.kind not in KINDS:
        return "question.kind is not personnel, office or loyalty"
    if not _is_text(settings.text):
        return "question.text does not hold 1 to {} texts by language".format(LANGUAGES_MAX)
    return None


def track(prompt):
    """Return the N of a prompt (a str) `track:N`, or None."""
    if not prompt.startswith("track:"):
        return None
    digits = prompt[6:]
    if not 1 <= len(digits) <= len(str(TRACK_MAX)) or any(digit not in "0123456789" for digit in digits):
        return None
    number = int(digits)
    return number if digits[0] != "0" and number <= TRACK_MAX else None


def _is_within(value, low, high):
    return is_int(value) and low <= value <= high


def _is_id(value):
    if not isinstance(value, str) or not 1 <= len(value) <= ID_LENGTH_MAX or value[0] in "_-":
        return False
    return all(char in ID_ALPHABET for char in value)


def _is_text(value):
    if not isinstance(value, dict) or not 1 <= len(value) <= LANGUAGES_MAX:
        return False
    for language, text in value.items():
        if not isinstance(language, str) or not 1 <= len(language) <= LANGUAGE_LENGTH_MAX:
            return False
        if not isinstance(text, str) or not 1 <= len(text) <= TEXT_LENGTH_MAX:
            return False
    return True


def replaces(settings, used):
    """Return whether checked `settings` replace `used`, the newest ones: they are not older, and not the same."""
    if settings.revision != used.revision:
        return settings.revision > used.revision
    return payload(settings) != payload(used)


def load(path):
    """Return the `Settings` in the file `path`, None if there is no file, or why they can't be used (a str)."""
    try:
        with open(path) as file:
            message = json.load(file)
    except OSError as error:
        if error.errno in (ENOENT, ENODEV):  # no file, or no filesystem
            return None
        return "settings can't be read"
    except ValueError:
        return "settings are not JSON"
    return check(message)


def save(path, settings):
    """Write `settings` to the file `path`; the old ones stay until the new ones are complete. Raises OSError."""
    new = path + ".new"
    write(new, "w", json.dumps(payload(settings)))
    os.rename(new, path)
