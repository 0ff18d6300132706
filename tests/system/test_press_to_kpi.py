"""From presses to KPIs with only the hardware simulated: MicroPython consoles, mosquitto, the bridge, the report."""

import csv
import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal, Self

import paho.mqtt.client as paho
import pytest

from simulator.oracle.expected import expected_rows
from simulator.oracle.facts import QuestionSpec, ReportSetup, TrueCount
from simulator.oracle.kpis import Row
from simulator.oracle.surveys import strays, transactions, visitors
from simulator.people.diary import Diary, DiaryEntry
from simulator.people.hands import People, Post
from simulator.people.shop_plan import CHANGE_MS, Rules, ShopTraffic, plan
from tests.support import facts
from tests.support.bridge import RunningBridge
from tests.support.command import output_of as trivox
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.seeds import seeded
from tests.system.own_time import OwnTime

HEARTBEAT_MS = 10_000

RULES = Rules(survey_window_ms=8000, long_press_ms=4000, reopen_guard_ms=2000, force_majeure_scope_s=30)
TRAFFIC = ShopTraffic(
    yes=0.40, no=0.20, cant_say=0.12, silent=0.28, superseding=0.75, force_majeure=0.03, power_cut=0.03
)


@dataclass(frozen=True)
class BusyTill:
    site_id: str
    console_id: str
    question_id: str
    board: str = "unix"
    architecture: Literal["amd64", "i386"] = "amd64"
    interrupts: Literal["hard", "soft"] = "hard"
    ask_every: int = 1
    surveys: int = 52

    @property
    def point(self) -> str:
        return f"{self.console_id}-point"

    @property
    def rules(self) -> Rules:
        return replace(RULES, ask_every=self.ask_every)


TILLS = (
    BusyTill("shop", "till-1", "staff"),
    BusyTill("shop", "till-2", "staff", architecture="i386"),
    BusyTill("shop", "till-3", "office", interrupts="soft", ask_every=2, surveys=40),
    BusyTill("bank", "desk-1", "loyalty", board="esp32"),
    BusyTill("bank", "desk-2", "loyalty", board="pico_w", architecture="i386"),
    BusyTill("bank", "desk-3", "staff", interrupts="soft"),
)
SURVEYS = sum(till.surveys for till in TILLS)
ZONES = {"shop": "Europe/Sofia", "bank": "Asia/Kathmandu"}
SETUP = ReportSetup(
    rules=RULES,
    questions={
        "staff": QuestionSpec("personnel"),
        "office": QuestionSpec("office", 0.3),
        "loyalty": QuestionSpec("loyalty"),
    },
    zones=ZONES,
    checkout_points={(till.site_id, till.console_id): till.point for till in TILLS},
)


@pytest.mark.long
def test_the_report_equals_the_oracle(tmp_path: Path, mosquitto: Mosquitto) -> None:
    seed = seeded("from press to KPI").getrandbits(32)
    diary, stop = Diary(), Event()
    with RunningBridge(tmp_path, mosquitto.url()) as bridge:
        database = bridge.database
        configure(database)
        with consoles(tmp_path, mosquitto, database, stop) as running, ShopCrowd(running, diary, seed, stop) as crowd:
            live(crowd, bridge, diary)
        counts = [*transactions(diary.entries()), *visitors(diary.entries())]
        import_shifts(tmp_path, database, diary.entries())
        publish_transactions(mosquitto.port, diary.entries())
        import_visitors(tmp_path, database, diary.entries())
        compare(database, diary.entries(), counts)
        check_facts(database, diary.entries())
        check_rebuild(database)


def live(crowd: "ShopCrowd", bridge: RunningBridge, diary: Diary) -> None:
    """Let people come twice; kill the bridge in the first half, and change a question between the halves."""
    database = bridge.database
    wait_until("settings are applied", lambda: all_applied(database))
    crowd.come()
    wait_until("some surveys are made", lambda: asked(diary) > SURVEYS // 4)
    bridge.end(signal.SIGKILL)
    bridge.start()
    wait_until("people have gone home", crowd.has_gone)
    trivox("question", "set", "loyalty", "--text", "en=Will you tell your friends?", "--database", str(database))
    wait_until("the new question is applied", lambda: all_applied(database))
    crowd.come(loyalty_revision=2)
    wait_until("people have gone home", crowd.has_gone)
    wait_until("all surveys are stored", lambda: surveys_closed(database) == SURVEYS)
    crowd.wait(HEARTBEAT_MS)
    wait_until("the outboxes are empty", lambda: all_empty(database))


def configure(database: Path) -> None:
    """Set settings, questions, sites and checkout points by the usual commands while the bridge runs."""
    where = ("--database", str(database))
    settings = {
        "survey_window_ms": RULES.survey_window_ms,
        "long_press_ms": RULES.long_press_ms,
        "reopen_guard_ms": RULES.reopen_guard_ms,
        "heartbeat_ms": HEARTBEAT_MS,
        "force_majeure_scope_s": RULES.force_majeure_scope_s,
    }
    trivox("settings", "set", "--all", *(f"{name}={value}" for name, value in settings.items()), *where)
    trivox("question", "set", "office", "--silent-weight", "0.3", "--silent-weight-origin", "a guess", *where)
    for site_id, zone in ZONES.items():
        trivox("site", "set", site_id, "--timezone", zone, *where)
    for till in TILLS:
        console = f"{till.site_id}/{till.console_id}"
        values = (f"question_id={till.question_id}", f"ask_every={till.ask_every}")
        trivox("settings", "set", "--console", console, *values, "--new", *where)
        trivox("checkout-point", "set", till.site_id, till.point, "--console", till.console_id, *where)


@contextmanager
def consoles(folder: Path, mosquitto: Mosquitto, database: Path, stop: Event) -> Iterator[list[OwnTime]]:
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                closing(
                    OwnTime(
                        folder / till.console_id,
                        database,
                        stop,
                        site_id=till.site_id,
                        console_id=till.console_id,
                        board=till.board,
                        architecture=till.architecture,
                        interrupts=till.interrupts,
                        broker=mosquitto.url(),
                    )
                )
            )
            for till in TILLS
        ]
        for console in running:
            console.power_on()
        yield running


class ShopCrowd:
    """People around every console, who come twice, each time with the other seller."""

    def __init__(self, running: Sequence[OwnTime], diary: Diary, seed: int, stop: Event) -> None:
        self._running, self._seed, self._stop = running, seed, stop
        self._failures: list[BaseException] = []
        self._threads: list[Thread] = []
        self._visits = 0
        self._posts = [
            Post(
                console,
                till.site_id,
                till.console_id,
                till.rules,
                till.question_id,
                sellers=(f"{till.console_id}-ann", f"{till.console_id}-bob"),
            )
            for console, till in zip(running, TILLS, strict=True)
        ]
        self._people = [People(post, diary, console) for post, console in zip(self._posts, running, strict=True)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def come(self, loyalty_revision: int = 1) -> None:
        """Begin half of the surveys; shifts begin and end while nothing happens, so the second half waits first."""
        self.wait(CHANGE_MS)
        self._visits += 1
        for post in self._posts:
            post.question_revision = loyalty_revision if post.question_id == "loyalty" else 1
        self._threads = [Thread(target=self._serve, args=pair) for pair in zip(self._people, TILLS, strict=True)]
        for thread in self._threads:
            thread.start()

    def has_gone(self) -> bool:
        """Return whether everybody has finished; raise what went wrong with one of them."""
        for failure in self._failures:
            raise failure
        return not any(thread.is_alive() for thread in self._threads)

    def wait(self, ms: int) -> None:
        """Let some milliseconds pass at each console."""
        for console in self._running:
            console.wait(ms)

    def _serve(self, people: People, till: BusyTill) -> None:
        name = f"{self._seed}/{till.console_id}/{self._visits}"
        try:
            people.perform(plan(name, till.rules, till.surveys // 2, TRAFFIC))
        except BaseException as failure:  # noqa: BLE001  # raised by `has_gone`
            self._failures.append(failure)


# What the database holds ------------------------------------------------------------------------------------------


def all_applied(database: Path) -> bool:
    """Return whether every console has applied its newest settings."""
    sent = dict(facts.settings_sent(database, "console_id", "revision"))  # the newest last
    events = facts.events(database, "console_id", "raw", type="settings_applied")
    applied = {console_id: json.loads(raw)["revision"] for console_id, raw in events}
    return len(applied) == len(TILLS) and applied == sent


def asked(diary: Diary) -> int:
    return sum(entry.kind == "customer" and entry.ends != "not_asked" for entry in diary.entries())


def surveys_closed(database: Path) -> int:
    return sum(outcome != "open" for outcome in facts.surveys(database, "outcome"))


def all_empty(database: Path) -> bool:
    return all(health["outbox"]["first"] == health["outbox"]["next"] for health in facts.healths(database))


# Shifts and counts ------------------------------------------------------------------------------------------------


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def write_csv(file: Path, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(columns.split(","))
        writer.writerows(rows)


def import_shifts(folder: Path, database: Path, diary: Sequence[DiaryEntry]) -> None:
    rows = [
        (
            entry.site_id,
            entry.console_id,
            entry.seller_id,
            entry.seller_id.title(),
            iso(entry.at_ms),
            iso(entry.until_ms),
        )
        for entry in diary
        if entry.kind == "shift"
    ]
    file = folder / "shifts.csv"
    write_csv(file, "site_id,console_id,seller_id,seller_name,started_at,ended_at", rows)
    trivox("shift", "import", str(file), "--database", str(database))


def import_visitors(folder: Path, database: Path, diary: Sequence[DiaryEntry]) -> None:
    """Import a count for each entry with visitors, as a people counter's export would have it."""
    rows = [
        (
            entry.site_id,
            "door",
            "visitors",
            iso(entry.at_ms),
            iso(entry.at_ms + 1000),
            entry.visitors,
            f"visit-{number}",
        )
        for number, entry in enumerate(diary)
        if entry.kind == "customer" and entry.visitors
    ]
    file = folder / "visitors.csv"
    write_csv(file, "site_id,source_id,kind,from,to,count,id", rows)
    trivox("counts", "import", str(file), "--database", str(database))


def publish_transactions(port: int, diary: Sequence[DiaryEntry]) -> None:
    """Publish each sale by MQTT as tills do; wait until the bridge has acknowledged each on the source's `ack`."""
    acked: set[str] = set()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="tills")
    client.on_message = lambda _client, _data, message: acked.add(json.loads(message.payload).get("id", ""))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        subscribed, _ = client.subscribe("trivox/v1/+/tills/ack", qos=1)
        assert subscribed == paho.MQTT_ERR_SUCCESS
        sent: set[str] = set()
        points = SETUP.checkout_points
        for number, entry in enumerate(diary):
            if entry.kind != "customer" or not entry.bought:
                continue
            sale = {"id": f"sale:{number}", "kind": "transactions", "from_ms": entry.at_ms, "to_ms": entry.at_ms + 1}
            sale |= {"count": 1, "checkout_point_id": points[entry.site_id, entry.console_id]}
            client.publish(f"trivox/v1/{entry.site_id}/tills/counts", json.dumps(sale), qos=1)
            sent.add(f"sale:{number}")
        wait_until("every sale is stored", lambda: acked >= sent)
    finally:
        client.disconnect()
        client.loop_stop()


# The comparison ---------------------------------------------------------------------------------------------------


GROUPS = ("question", "console", "seller", "checkout_point", "hour", "site,day,week,month")


def report(database: Path, by: str, *more: str) -> list[Row]:
    first = datetime.now(UTC).date() - timedelta(days=2)
    dates = ("--from", str(first), "--to", str(first + timedelta(days=5)))
    rows: list[Row] = json.loads(
        trivox("report", "--database", str(database), *dates, "--by", by, "--format", "json", *more)
    )
    return rows


def compare(database: Path, diary: Sequence[DiaryEntry], counts: Sequence[TrueCount]) -> None:
    for by in GROUPS:
        equal(report(database, by), expected_rows(diary, SETUP, by.split(","), counts), f"by {by}")
    every = report(database, "question", "--force-majeure", "with")
    assert sum(row["surveys"] + row["error"] for row in every) == SURVEYS
    assert all(row["force_majeure_level"]["value"] > 0 for row in every if row["question_id"] == "staff")
    assert {row["question_revision"] for row in every if row["question_id"] == "loyalty"} == {1, 2}
    assert all(row["dissatisfaction_index"] or row["emotional_loyalty_index"] for row in every)
    assert all(row["exact_conversion"] for row in every)
    for which in ("with", "without", "only"):
        rows = report(database, "console", "--force-majeure", which)
        equal(rows, expected_rows(diary, SETUP, ["console"], counts, force_majeure=which), f"force majeure {which}")


def equal(reported: Sequence[Row], true: Sequence[Row], where: str) -> None:
    """Check that each expected_rows row is reported with the same figures, and that no other row has surveys."""
    columns = [name for name in true[0] if name in {*KEYS}]
    by_key = {tuple(row[name] for name in columns): row for row in reported}
    assert len(by_key) == len(reported), where
    for row in true:
        other = by_key.pop(tuple(row[name] for name in columns), None)
        assert other is not None, f"{where}: no row for {row}"
        for name, value in row.items():
            same(other[name], value, f"{where}: {name} of {[row[key] for key in columns]}")
    assert not [row for row in by_key.values() if row["surveys"] or row["force_majeures"]], where


KEYS = (
    *("site_id", "console_id", "seller_id", "checkout_point_id", "day", "hour", "week", "month"),
    *("question_id", "question_revision"),
)


def same(reported: Any, true: Any, where: str) -> None:
    if isinstance(true, dict):
        assert reported is not None, where
        for name, value in true.items():
            assert reported[name] == pytest.approx(value, abs=1e-9), f"{where}.{name}"
        if reported["low"] is not None:
            assert reported["low"] <= reported["value"] <= reported["high"], where
    else:
        assert reported == true, where


def check_facts(database: Path, diary: Sequence[DiaryEntry]) -> None:
    """Check that nothing is lost, rejected or stored twice, and that every stray press is stored with its reason."""
    assert facts.rejects(database) == []
    whole = [(console_id, 1, through) for console_id, through in facts.epochs(database, "console_id", "through")]
    assert sorted(facts.received(database, "console_id", "low", "high")) == sorted(whole)
    assert len(whole) == len(TILLS)
    sent = facts.sent_events(database, type="stray_pressed")
    assert Counter((event["button"], event["reason"]) for event in sent) == strays(diary, RULES)
    fates = {entry.ends for entry in diary} | {entry.wanted for entry in diary}
    assert fates >= {"answered", "expired", "superseded", "cut_off", "yes", "no", "cant_say", "silent"}


def check_rebuild(database: Path) -> None:
    before = facts.derived(database)
    trivox("rebuild", "--database", str(database))
    assert facts.derived(database) == before
