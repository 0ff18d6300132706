"""What the bridge accepts apart from events, and what it writes, agrees with the schemas."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.admin.commands import Scope, SetQuestion, SetSettings
from bridge.admin.questions import set_question
from bridge.admin.settings import set_settings
from bridge.cli import main
from bridge.errors import UsageError
from bridge.store import Store, open_store
from bridge.store import settings as settings_table
from bridge.surveys.counts import CountsIntake
from bridge.wire.contract import Unreadable
from bridge.wire.settings import RANGES
from tests.schema import schemas
from tests.support.intake import take_messages

NOW_MS = 1763780009100
SURVEYS = 40


def of(kind: str, schema: str) -> list[Any]:
    return [pytest.param(content, id=name) for other, name, content in schemas.examples(kind) if other == schema]


def trivox(*words: str) -> tuple[int, str, str]:
    """Run a command; return its exit status, output and errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main.run(list(words))
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "trivox.db", writing=True)
    yield made
    made.close()


@pytest.mark.parametrize("content", of("valid", "counts"))
def test_it_accepts_valid_counts_and_acknowledges_them(store: Store, content: Any) -> None:
    with store.transaction(NOW_MS):
        ack = CountsIntake(store).take("sofia-1", "pos", json.dumps(content).encode())
    schemas.validator("ack").validate(ack)
    assert ack == {"id": content["id"]}


@pytest.mark.parametrize("content", of("invalid", "counts"))
def test_it_refuses_invalid_counts(store: Store, content: Any) -> None:
    with store.transaction(NOW_MS), pytest.raises(Unreadable):
        CountsIntake(store).take("sofia-1", "pos", json.dumps(content).encode())


def test_its_ranges_and_defaults_are_those_of_the_schema() -> None:
    properties = schemas.read(schemas.path_of("settings"))["properties"]
    for name, given in RANGES.items():
        if name in properties:
            field = properties[name]
            assert tuple(given) == (field["minimum"], field["maximum"], field["default"])
    assert {name for name, field in properties.items() if "default" in field} == {*RANGES, "prompt"} & {*properties}


def test_the_settings_that_it_makes_are_valid(store: Store) -> None:
    batch = {"epoch": "9f2c1ab0", "first": 1, "base": 1, "events": [event("button_stuck", 9, button="yes")]}
    take_messages(store, [("trivox/v1/sofia-1/till-2/events", json.dumps(batch).encode(), NOW_MS)], NOW_MS)
    scope = Scope("sofia-1", "till-2")
    with store.transaction(NOW_MS):
        for values in ({"ask_every": "10"}, {"prompt": "track:255", "question_id": "loyalty"}):
            set_settings(store, SetSettings(scope=scope, values=values))
            sent = settings_table.last_sent(store, "sofia-1", "till-2")
            assert sent is not None
            schemas.validator("settings").validate(sent.payload)
    assert sent.payload["ask_every"] == 10
    assert sent.payload["question"]["kind"] == "loyalty"


def event(event_type: str, up_ms: int, **more: Any) -> dict[str, Any]:
    return {"boot": 1, "up_ms": up_ms, "at_ms": NOW_MS + up_ms, "type": event_type, **more}


def recorded() -> Iterator[dict[str, Any]]:
    """Yield recorded messages: surveys with all outcomes and a force majeure, a message for each event, and a count."""
    question = {"question_id": "staff", "question_revision": 1}
    for place in range(SURVEYS):
        seq, up_ms = 2 * place + 1, 60_000 * place
        outcome = ("yes", "no", "cant_say", "silent")[place % 4]
        close = {"survey": seq, "opened_up_ms": up_ms, **question, "outcome": outcome, "cause": "expired"}
        if outcome != "silent":
            close |= {"cause": "answered", "response_ms": 900}
        for number, made in (
            (seq, event("survey_opened", up_ms, **question)),
            (seq + 1, event("survey_closed", up_ms + 900, **close)),
        ):
            batch = {"epoch": "9f2c1ab0", "first": 1, "base": number, "events": [made]}
            yield {"topic": "trivox/v1/sofia-1/till-2/events", "payload": batch, "received_at_ms": NOW_MS}
    declared = event("force_majeure_declared", 60_000 * SURVEYS, survey=None, **question)
    batch = {"epoch": "9f2c1ab0", "first": 1, "base": 2 * SURVEYS + 1, "events": [declared]}
    yield {"topic": "trivox/v1/sofia-1/till-2/events", "payload": batch, "received_at_ms": NOW_MS}
    count = {"id": "1", "kind": "transactions", "from_ms": NOW_MS, "to_ms": NOW_MS + 1, "count": 640}
    yield {"topic": "trivox/v1/sofia-1/pos/counts", "payload": count, "received_at_ms": NOW_MS}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database made from recorded messages that obey their schema."""
    folder = tmp_path_factory.mktemp("recorded")
    judge = schemas.validator("recorded_message")
    lines = []
    for message in recorded():
        judge.validate(message)
        lines.append(json.dumps(message) + "\n")
    (folder / "recorded.ndjson").write_text("".join(lines), "utf-8")
    status, out, err = trivox("ingest", str(folder / "recorded.ndjson"), "--database", str(folder / "trivox.db"))
    assert status == 0, err
    assert f"{2 * SURVEYS + 1} events stored" in out
    return folder / "trivox.db"


@pytest.mark.parametrize(
    "by", ["site", "console", "seller", "checkout_point", "question", "hour", "day", "week", "month", "site,day,seller"]
)
@pytest.mark.parametrize("more", [[], ["--merge-revisions", "--force-majeure", "only"]])
def test_the_rows_of_a_report_are_valid(database: Path, by: str, more: list[str]) -> None:
    words = ["report", "--database", str(database), "--from", "2025-11-01", "--to", "2025-12-01", "--by", by]
    status, out, err = trivox(*words, "--format", "json", *more)
    assert status == 0, err
    rows = json.loads(out)
    assert rows
    judge = schemas.validator("report_row")
    known = schemas.read(schemas.path_of("report_row"))["properties"]
    for row in rows:
        judge.validate(row)
        assert set(row) <= set(known)
    if by == "site" and not more:
        assert (rows[0]["surveys"], rows[0]["force_majeures"], rows[0]["transactions"]) == (SURVEYS, 1, 640)


@pytest.mark.parametrize("content", of("valid", "recorded_message"))
def test_it_accepts_recorded_messages(tmp_path: Path, content: Any) -> None:
    output = ingest_one(tmp_path, content)
    assert ("1 message could not be read" in output) == isinstance(content["payload"], str)


@pytest.mark.parametrize("content", of("invalid", "recorded_message"))
def test_it_sets_aside_what_is_not_a_recorded_message(tmp_path: Path, content: Any) -> None:
    assert "1 message could not be read" in ingest_one(tmp_path, next(iter(recorded())), content)


def ingest_one(folder: Path, *messages: Any) -> str:
    (folder / "one.ndjson").write_text("".join(json.dumps(message) + "\n" for message in messages), "utf-8")
    status, out, err = trivox("ingest", str(folder / "one.ndjson"), "--database", str(folder / "trivox.db"))
    assert status == 0, err
    return out


TEXTS = schemas.read(schemas.path_of("settings"))["properties"]["question"]["properties"]["text"]
LONGEST, MANY = TEXTS["additionalProperties"]["maxLength"], TEXTS["maxProperties"]
LONGEST_TAG = TEXTS["propertyNames"]["maxLength"]


def ask(store: Store, texts: dict[str, str]) -> None:
    with store.transaction(NOW_MS):
        set_question(store, SetQuestion(question_id="menu", kind="office", texts=texts))


def test_a_key_question_may_be_as_long_as_in_the_schema(store: Store) -> None:
    ask(store, {f"en-{place}".ljust(LONGEST_TAG, "x"): "x" * LONGEST for place in range(MANY)})


@pytest.mark.parametrize(
    "texts",
    [
        {"en": "x" * (LONGEST + 1)},
        {"en": ""},
        {"": "Hello?"},
        {"e" * (LONGEST_TAG + 1): "Hello?"},
        {f"en-{place}": "Hello?" for place in range(MANY + 1)},
    ],
    ids=["long text", "empty text", "empty language", "long language", "many languages"],
)
def test_a_key_question_may_not_be_longer(store: Store, texts: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        ask(store, texts)
