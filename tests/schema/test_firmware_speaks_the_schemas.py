"""The firmware has the types, fields, words and ranges of the schemas, and judges settings as they do."""

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.schema import schemas

FIRMWARE = Path(__file__).parents[2] / "firmware"
COMMON = schemas.read(schemas.path_of("common"))["$defs"]
SHARED = {"boot", "up_ms", "at_ms", "type"}


@pytest.fixture(scope="module")
def firmware() -> Iterator[Any]:
    """The firmware's `console.events` and `console.settings`, on CPython."""
    patch = pytest.MonkeyPatch()
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "micropython", micropython)
    patch.syspath_prepend(str(FIRMWARE))
    from console import events, settings  # noqa: PLC0415 - its folder is on the path only now

    yield types.SimpleNamespace(events=events, settings=settings)
    for name in [name for name in sys.modules if name.split(".")[0] == "console"]:
        patch.delitem(sys.modules, name)
    patch.undo()


def words_of(field: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the words that a field of a schema may have; None if it is not one of some words."""
    if "$ref" in field:
        field = COMMON[field["$ref"].rpartition("/")[2]]
    words = field.get("enum", field.get("examples"))
    return tuple(words) if words else None


def test_its_events_have_the_types_and_fields_of_the_schemas(firmware: Any) -> None:
    known = {name: {field for field, _ in fields} for name, fields in firmware.events.FIELDS}
    required = {name: set(schemas.read(schemas.path_of(name))["required"]) - SHARED for name in schemas.event_types()}
    assert known == required
    assert [name for name, _ in firmware.events.FIELDS] == schemas.read(schemas.path_of("event"))["properties"]["type"][
        "enum"
    ]


def test_its_words_are_those_of_the_schemas(firmware: Any) -> None:
    for name, fields in firmware.events.FIELDS:
        properties = schemas.read(schemas.path_of(name))["properties"]
        for field, kind in fields:
            assert words_of(properties[field]) == (kind if isinstance(kind, tuple) else None), (name, field)


def test_its_batches_are_as_long_as_the_schema_allows(firmware: Any) -> None:
    assert schemas.read(schemas.path_of("events"))["properties"]["events"]["maxItems"] == (
        firmware.events.BATCH_EVENTS_MAX
    )


def test_its_ranges_and_defaults_are_those_of_the_schema(firmware: Any) -> None:
    properties = schemas.read(schemas.path_of("settings"))["properties"]
    ranges = {}
    for name, field in properties.items():
        known = COMMON[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        if known.get("type") == "integer":
            ranges[name] = (known["minimum"], known["maximum"])
    assert {name: (low, high) for name, low, high in firmware.settings.RANGES} == ranges
    defaults = firmware.settings.Settings()
    for name, field in properties.items():
        if "default" in field:
            assert getattr(defaults, name) == field["default"]


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, content) for schema, name, content in schemas.examples("valid") if schema == "settings"],
)
def test_it_accepts_valid_settings(firmware: Any, name: str, content: Any) -> None:
    settings = firmware.settings.check(content)
    assert isinstance(settings, firmware.settings.Settings), name
    assert firmware.settings.payload(settings) == content


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, content) for schema, name, content in schemas.examples("invalid") if schema == "settings"],
)
def test_it_refuses_invalid_settings_and_says_why(firmware: Any, name: str, content: Any) -> None:
    assert isinstance(firmware.settings.check(content), str), name


@pytest.mark.parametrize(
    ("event_type", "name", "content"),
    [example for example in schemas.examples("valid") if example[0] in schemas.event_types()],
)
def test_an_event_read_from_flash_is_valid(firmware: Any, event_type: str, name: str, content: Any) -> None:
    try:
        record = firmware.events.encode(content)
    except (ValueError, KeyError, TypeError):  # valid, but this firmware never makes it
        assert name in {"unknown_reset", "unknown_cause", "further_fields", "null_response_ms"}
        return
    again = json.loads(json.dumps(firmware.events.decode(record)))
    schemas.validator(event_type).validate(again)
    assert {**content, **again} == content


def test_its_other_messages_are_valid(firmware: Any) -> None:
    events = firmware.events
    for online in (True, False):
        schemas.validator("status").validate(events.status(online, "9f2c1ab0", "240ac4f1e208"))
    schemas.validator("reply").validate(events.reply("c-17"))
    schemas.validator("reply").validate(events.reply("c-17", "expired"))
    schemas.validator("hello").validate(events.hello("sofia-1", "till-2", "e6614103e7452f2f"))
    event = {"boot": 1, "up_ms": 9, "at_ms": None, "type": "button_stuck", "button": "yes"}
    schemas.validator("events").validate({"epoch": "9f2c1ab0", "first": 1, "base": 1, "events": [event]})


@pytest.mark.parametrize(
    "content", [content for schema, name, content in schemas.examples("valid") if schema == "command"]
)
def test_it_reads_valid_commands(firmware: Any, content: Any) -> None:
    assert firmware.events.read_command(content) == (content["id"], content["command"], content["expires_at_ms"])


def test_each_fact_makes_a_valid_event(firmware: Any) -> None:
    events = firmware.events
    facts = [
        (events.BOOTED, 12, events.WATCHDOG, "1.0.0", "esp32", "240ac4f1e208"),
        (events.CLOCK_SET, 900, events.NTP, None),
        (events.CLOCK_SET, 950, events.BRIDGE, -4200),
        (events.SETTINGS_APPLIED, 1000, 12),
        (events.SURVEY_OPENED, 2000, "staff", 3),
        (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.CANT_SAY, events.ANSWERED),
        (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.SILENT, events.EXPIRED),
        (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.SILENT, events.SUPERSEDED),
        (events.SURVEY_CLOSED, 9000, True, 2000, "staff", 3, events.ERROR, events.FAULT),
        (events.FORCE_MAJEURE_DECLARED, 9500, True, "staff", 3),
        (events.FORCE_MAJEURE_DECLARED, 9500, False, "staff", 3),
        (events.STRAY_PRESSED, 9700, events.SELLER, events.GUARD),
        (events.BUTTON_STUCK, 9800, events.NO),
        (events.BUTTON_FREED, 9900, events.NO),
        (events.SELF_TESTED, 9990, False, 0b1011, 0b0111),
    ]
    assert {fact[events.TYPE] for fact in facts} == set(range(len(events.FIELDS)))
    judge = schemas.validator("event")
    for at_ms in (None, 1763780000123):
        for fact in facts:
            made = events.event(fact, 17, at_ms, survey=41)
            judge.validate(made)
            assert events.decode(events.encode(made)) == made
