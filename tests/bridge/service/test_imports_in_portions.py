"""Test imports, and a new time zone, on a running bridge: in portions between messages, and yet all or nothing.

The writer's steps are taken one by one here, and after each one reports are made, messages come, or the bridge is
killed. What comes of it is compared with the same import into a database that nothing else was done to.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from bridge.admin import counts_import, imports, shifts
from bridge.admin.commands import BridgeCommand, ImportCounts, ImportShifts, IngestMessages, SetQuestion, SetSite
from bridge.errors import TrivoxError
from bridge.reports.days import given_days
from bridge.reports.report_query import ReportQuery
from bridge.reports.rows import report_rows
from bridge.service.jobs import Job
from bridge.service.long_job import LongJob
from bridge.service.subscribers import subscribers
from bridge.service.writer import ReceivedMessage, Writer
from bridge.store import imports as imports_table
from bridge.store import open_store
from bridge.surveys import counts as counts_of_surveys
from bridge.surveys import recorded_messages, refold
from bridge.wire import contract
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.support import facts
from tests.support.intake import execute, take_messages
from tests.support.writing import writing as running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

Message = tuple[str, bytes, int]

NOW_MS = at("2026-11-20T12:00+00:00")
DAY = at("2026-11-03T00:00+00:00")
TILLS = ("till-1", "till-2", "till-3")
SURVEYS = 35  # of each till


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each import take many steps."""
    for module in (imports, shifts, counts_import):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr(imports, "MESSAGES_AT_ONCE", 2)
    monkeypatch.setattr(recorded_messages, "LINES_AT_ONCE", 3)
    monkeypatch.setattr(refold, "SURVEYS_AT_ONCE", 10)
    monkeypatch.setattr(counts_of_surveys, "ASSIGNED_AT_ONCE", 3)


def till(console_id: str, day_ms: int = DAY) -> OfficeTill:
    """Record a console's surveys of a morning and an afternoon."""
    found = OfficeTill(console_id=console_id, epoch="000000" + console_id[-2:].replace("-", "0"))
    found.surveys(day_ms + 9 * 60 * MINUTE_MS, yes=20)
    found.force_majeure(day_ms + 15 * 60 * MINUTE_MS)
    found.surveys(day_ms + 15 * 60 * MINUTE_MS + MINUTE_MS, no=10, silent=5)
    return found


def as_lines(*tills: OfficeTill) -> str:
    return "".join(json.dumps(message) + "\n" for each in tills for message in each.messages())


def shift_lines(*names: str) -> str:
    lines = ["site_id,console_id,seller_id,seller_name,started_at,ended_at"]
    for console_id in TILLS:
        for seller, hours in zip(names, ("08:00:00 12:00:00", "12:00:00 20:00:00"), strict=True):
            started, ended = hours.split()
            lines.append(f"demo,{console_id},{seller},{seller.title()},2026-11-03T{started},2026-11-03T{ended}")
    return "\n".join(lines) + "\n"


def count_lines(count: int) -> str:
    head = "site_id,source_id,kind,from,to,count,checkout_point_id\n"
    hours = (f"2026-11-03T{hour:02}:00,2026-11-03T{hour + 1:02}:00" for hour in range(8, 20))
    return head + "".join(f"demo,door,transactions,{hours_},{count},p1\n" for hours_ in hours)


NAMES = ("ingest", "shifts", "counts", "zone")


class Import:
    """An import, and the database that it is to be made into."""

    def __init__(self, folder: Path, name: str) -> None:
        self.office = Office(folder)
        self.database = self.office.database
        self.recording = folder / "imported.ndjson"
        self.recording.touch()
        self.command: BridgeCommand
        open_store(self.database, writing=True).close()
        if name == "ingest":
            self.recording.write_text(as_lines(*map(till, TILLS)))
            self.command = IngestMessages(name="imported.ndjson")
            return
        self.office.take(*map(till, TILLS))
        self.office.do("checkout-point", "set", "demo", "p1", "--console", "till-1", "--from", "2026-11-01")
        self.office.do("counts", "import", self.office.file("counts.csv", count_lines(5)))
        self.office.do("shift", "import", self.office.file("shifts.csv", shift_lines("anna", "boris")))
        if name == "shifts":
            self.command = ImportShifts(name="a.csv", text=shift_lines("vera", "gleb"))
        elif name == "zone":
            self.command = SetSite(site_id="demo", timezone="Europe/Sofia")
        else:
            self.command = ImportCounts(name="a.csv", text=count_lines(7))

    def whole(self) -> Path:
        """Make the import into a copy of the database, in one transaction; return the copy."""
        copy = copied(self.database, self.office.folder / "whole.db")
        with writing(copy) as store, self.recording.open("rb") as file, store.transaction(NOW_MS):
            execute(store, self.command, file)
        return copy

    def steps(self, store: Store) -> Iterator[LongJob]:
        """Make the import in steps, each in its transaction; yield after each one."""
        with self.recording.open("rb") as file:
            yield from steps(store, LongJob(store, Job(self.command, file), subscribers(store)))


def steps(store: Store, job: LongJob) -> Iterator[LongJob]:
    is_last = False
    while not is_last:
        with store.transaction(NOW_MS):
            is_last = job.step()
        job.execution.end_step()
        yield job


@contextmanager
def writing(database: Path) -> Iterator[Store]:
    store = open_store(database, writing=True)
    yield store
    store.close()


def copied(database: Path, copy: Path) -> Path:
    """Copy a database, whoever is using it, as it would be found if its bridge were killed now."""
    with ExitStack() as stack:
        source, target = (stack.enter_context(closing(apsw.Connection(str(path)))) for path in (database, copy))
        stack.enter_context(target.backup("main", source, "main")).step(-1)
    return copy


def reported(database: Path) -> list[dict[str, Any]]:
    """Make a report as another process does."""
    store = open_store(database)
    with store.snapshot():
        rows = report_rows(store, ReportQuery(given_days(date(2026, 11, 1), date(2026, 12, 1)), ("seller", "hour")))
    store.close()
    return rows


def contents(database: Path) -> list[Any]:
    """Return what the database holds, but for the keys and the times of its own."""
    changes = facts.changes(database, "kind", "name", "pending", "after")
    changes = sorted(change for change in changes if change[0] != "silent_weight")  # which is set to have a command
    return [
        *(facts.content(database), facts.shifts(database), facts.sellers(database)),
        *(facts.import_leftovers(database), changes),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_report_sees_all_of_an_import_or_nothing(tmp_path: Path, name: str) -> None:
    given = Import(tmp_path, name)
    before, after = reported(given.database), reported(given.whole())
    assert before != after
    with writing(given.database) as store:
        seen = [reported(given.database) for _ in given.steps(store)]
    turn = seen.index(after)
    assert len(seen) > turn + 3 > 6, "there are several steps both before and after it counts"
    assert seen == [before] * turn + [after] * (len(seen) - turn)
    assert contents(given.database) == contents(given.whole())


@pytest.mark.parametrize("name", NAMES)
def test_a_bridge_killed_in_an_import_leaves_all_of_it_or_nothing(tmp_path: Path, name: str) -> None:
    given = Import(tmp_path, name)
    untouched, whole = contents(given.database), contents(given.whole())
    ends = []
    with writing(given.database) as store:
        for number, _ in enumerate(given.steps(store)):
            killed = copied(given.database, tmp_path / f"killed-{number}.db")
            with writing(killed) as left:
                for _ in steps(left, LongJob(left, Job(), subscribers(left))):
                    pass
            ends.append(contents(killed))
    turn = ends.index(whole)
    assert ends == [untouched] * turn + [whole] * (len(ends) - turn)
    assert turn > 0, "it is staged in steps"
    assert turn < len(ends) - 3


@pytest.mark.parametrize("name", NAMES)
def test_a_command_finishes_the_import_of_a_bridge_that_was_killed(tmp_path: Path, name: str) -> None:
    given = Import(tmp_path, name)
    whole = contents(given.whole())
    with writing(given.database) as store:
        for _ in given.steps(store):
            if imports_table.is_accepted(store):
                break
    given.office.do("question", "set", "staff", "--silent-weight", "0.4")
    assert contents(given.database) == whole


@pytest.mark.parametrize("name", NAMES)
def test_messages_and_commands_between_the_portions_count_as_usual(tmp_path: Path, name: str) -> None:
    given = Import(tmp_path, name)
    other = copied(given.database, tmp_path / "other.db")
    messages, is_later = live_messages(), False
    with writing(given.database) as store:
        for number, _ in enumerate(given.steps(store)):
            take(store, messages[number : number + 1])
            if imports_table.is_accepted(store) and not is_later:
                is_later = True
                do_later(store)
        assert number > len(messages)
    with writing(other) as store:
        take(store, messages)
        with store.transaction(NOW_MS), given.recording.open("rb") as file:
            execute(store, given.command, file)
        do_later(store)
    assert reported(given.database) == reported(other)
    before = facts.derived(given.database)
    given.office.do("rebuild")
    assert facts.derived(given.database) == before


def live_messages() -> list[Message]:
    """Return messages of a later day, in an epoch of their own."""
    tills = [till(console_id, DAY + 24 * 60 * MINUTE_MS) for console_id in TILLS]
    for each in tills:
        each.epoch = "0000beef"
    messages = [message for each in tills for message in each.messages()]
    return [(each["topic"], json.dumps(each["payload"]).encode(), each["received_at_ms"]) for each in messages]


def take(store: Store, messages: list[Message]) -> None:
    take_messages(store, messages, NOW_MS)


def do_later(store: Store) -> None:
    """Correct a count, and change how silents count."""
    from_ms = DAY + 9 * 60 * MINUTE_MS
    count = {"id": f"transactions:{from_ms}", "kind": "transactions", "from_ms": from_ms, "count": 9}
    count |= {"to_ms": from_ms + 60 * MINUTE_MS, "checkout_point_id": "p1"}
    take(store, [("trivox/v1/demo/door/counts", json.dumps(count).encode(), NOW_MS)])
    with store.transaction(NOW_MS):
        execute(store, SetQuestion(question_id="staff", silent_weight=0.3))


@pytest.mark.parametrize("name", ["shifts", "counts"])
def test_an_import_with_a_bad_line_leaves_nothing(tmp_path: Path, name: str) -> None:
    given = Import(tmp_path, name)
    untouched = contents(given.database)
    assert isinstance(given.command, ImportShifts | ImportCounts)
    last = given.command.text.splitlines()[-1]
    given.command = type(given.command)(name="a.csv", text=f"{given.command.text}{last.replace('11-03', '11-31')}\n")
    with writing(given.database) as store:
        job = LongJob(store, Job(given.command), subscribers(store))
        with pytest.raises(TrivoxError, match="nothing was imported; correct line "):
            list(steps(store, job))
        job.drop()
    assert contents(given.database) == untouched


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_acknowledged_between_the_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given = Import(tmp_path, name)
    store, released, waiting = open_store(given.database, writing=True), [0], []
    writer = Writer(store, lambda outgoing: released.extend(mid for mid, _ in outgoing.acknowledgements))
    step = LongJob.step

    def step_after_a_message(job: LongJob) -> bool:
        if job.job.command is not given.command:  # what the bridge does by night goes on by itself
            return step(job)
        waiting.append(len(waiting))
        assert released == waiting, "the message before was acknowledged before this step"
        topic, payload, at_ms = live_messages()[0]
        writer.enqueue([ReceivedMessage(topic, payload, at_ms, len(waiting), 1)])
        return step(job)

    monkeypatch.setattr(LongJob, "step", step_after_a_message)
    writer.start()
    with given.recording.open("rb") as file:
        writer.perform(given.command, file=file)
    writer.stop()
    store.close()
    assert len(waiting) > 6
    assert released == [*waiting, len(waiting)]


def test_a_message_that_makes_the_code_fail_goes_among_the_rejects_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Import(tmp_path, "ingest")
    parse_event = contract.parse_event

    def failing(raw: bytes, seq: int) -> contract.AnyEvent:
        if b"force_majeure_declared" in bytes(raw):
            raise RuntimeError("a fault in the code")
        return parse_event(raw, seq)

    monkeypatch.setattr(contract, "parse_event", failing)
    with given.recording.open("rb") as file, running(given.database) as writer:
        result = writer.perform(given.command, file=file)
    assert (result["messages"], result["unreadable"]) == (6, 3)
    assert facts.rejects(given.database, "reason") == ["failed: RuntimeError('a fault in the code')"] * 3
    assert facts.import_leftovers(given.database) == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_database_that_is_locked_meanwhile_only_delays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Once all is staged; before that, the command ends and nothing was imported."""
    given = Import(tmp_path, name)
    whole, step, failed = contents(given.whole()), LongJob.step, []

    def step_then_locked(job: LongJob) -> bool:
        was_accepted, is_last = imports_table.is_accepted(job._store), step(job)  # noqa: SLF001 - the writer's database
        is_accepted = imports_table.is_accepted(job._store)  # noqa: SLF001
        if (is_accepted and not failed) or (was_accepted and len(failed) < 4):
            failed.append(1)
            raise apsw.BusyError("database is locked")
        return is_last

    monkeypatch.setattr(LongJob, "step", step_then_locked)
    with given.recording.open("rb") as file, running(given.database) as writer:
        with pytest.raises(TrivoxError, match="cannot write its database now"):
            writer.perform(given.command, file=file)
        assert facts.import_leftovers(given.database) == {}
        writer.perform(given.command, file=file)
    assert contents(given.database) == whole
