"""Run the real bridge for a test, with its own database, and read what it made of the messages.

The bridge is a child process. Its commands are run as a user runs them; its tables are read directly, read-only.
"""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from simulator.programs.broker import Broker
from simulator.programs.program import NotSeenError, Program, ProgramError, trivox, wait_until
from simulator.text import plural

WAIT_LIMIT_S = 30.0
COMMAND_LIMIT_S = 60.0

Value = TypeVar("Value")
Row = dict[str, Any]

_EVENTS = """
    SELECT site_id, console_id, epoch, seq, raw, dated_at_ms, dated_by, arrived_at_ms
    FROM event JOIN epoch USING (epoch_key) JOIN console USING (console_key) ORDER BY event_key"""
_SURVEYS = """
    SELECT site_id, console_id, epoch, survey, opened_at_ms, closed_at_ms, question_id, question_revision, outcome,
      cause, response_ms, affected AS force_majeure, seller_id, checkout_point_id
    FROM survey JOIN epoch USING (epoch_key) JOIN console ON console.console_key = survey.console_key
    ORDER BY opened_at_ms, survey"""
_COUNTS = """
    SELECT site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id FROM counts
    ORDER BY from_ms, site_id, source_id, id"""
_ONLINE = "SELECT online FROM console WHERE site_id = ? AND console_id = ?"


class Bridge:
    """A bridge at a broker, with a database in `folder`; nothing runs until `start`."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self._database = folder / "trivox.db"
        self._broker = broker
        self._program = Program("bridge", folder / "bridge.log")

    @property
    def database(self) -> Path:
        """The database's file."""
        return self._database

    def start(self) -> None:
        """Start it, or start it again; return once it is connected to the broker. Raises ProgramError."""
        if not self._program.running:
            options = ["--broker", self._broker.url, "--database", str(self.database), "--metrics-port", "0"]
            self._program.start([trivox(), "bridge", *options], "connected to the broker")

    def stop(self) -> None:
        """End it with SIGTERM, as an operator does."""
        self._program.stop()

    def kill(self) -> None:
        """End it at once, as a power cut does; whatever it acknowledged is in the database."""
        self._program.kill()

    @property
    def pid(self) -> int:
        """The process id, for a test that stops the process itself; raises ProgramError if it was not started."""
        return self._program.pid

    def output(self) -> str:
        """Return everything that it printed."""
        return self._program.output()

    def trivox(self, *words: str) -> str:
        """Run a `trivox` command on this database and return what it prints.

        For example `trivox("site", "set", "shop", "--timezone", "UTC")`. Raises ProgramError with the command's own
        sentence if it fails.
        """
        command = [trivox(), *words, "--database", str(self.database)]
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=COMMAND_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ProgramError(f"`trivox {' '.join(words)}` did not end in {COMMAND_LIMIT_S:g} s.") from error
        if done.returncode:
            raise ProgramError(f"`trivox {' '.join(words)}`: {' '.join(done.stderr.split())}")
        return done.stdout

    def report(self, *, by: str = "question", from_on: str | None = None, to_on: str | None = None) -> list[Row]:
        """Return the rows of `trivox report --format json`; each index comes with its interval.

        Args:
            by: seller, console, checkout_point, site, question, hour, day, week, month, or several, comma-separated.
            from_on: the first day, such as 2026-11-01; by default yesterday.
            to_on: the day after the last; by default in two days, so that today counts in every time zone.
        """
        today = datetime.now(UTC).date()
        period = ["--from", from_on or str(today - timedelta(days=1)), "--to", to_on or str(today + timedelta(days=2))]
        rows: list[Row] = json.loads(self.trivox("report", *period, "--by", by, "--format", "json"))
        return rows

    def events(self, kind: str | None = None) -> list[Row]:
        """Return events in the order in which they arrived, all or those of one type.

        Each has the console's own fields (`type`, `boot`, `up_ms` …), and `site_id`, `console_id`, `epoch`, `seq`,
        `dated_at_ms`, `dated_by`, `arrived_at_ms`.
        """
        rows = [json.loads(row.pop("raw")) | row for row in self._rows(_EVENTS)]
        return [row for row in rows if kind in {None, row["type"]}]

    def surveys(self, outcome: str | None = None) -> list[Row]:
        """Return surveys in the order of their opening, all or those of one outcome; `open` means not closed yet.

        Each has `site_id`, `console_id`, `epoch`, `survey`, `opened_at_ms`, `closed_at_ms`, `question_id`,
        `question_revision`, `outcome`, `cause`, `response_ms`, `force_majeure` (0 or 1), `seller_id`,
        `checkout_point_id`.
        """
        return [row for row in self._rows(_SURVEYS) if outcome in {None, row["outcome"]}]

    def counts(self, kind: str | None = None) -> list[Row]:
        """Return the counts in force from tills and people counters, all or only `transactions` or `visitors`.

        Each has `site_id`, `source_id`, `id`, `kind`, `from_ms`, `to_ms`, `count`, `checkout_point_id`, `seller_id`.
        """
        return [row for row in self._rows(_COUNTS) if kind in {None, row["kind"]}]

    def wait_for(self, condition: Callable[[], Value], what: str, limit_s: float = WAIT_LIMIT_S) -> Value:
        """Wait until `condition()` is true and return its value; `what` describes the condition in words.

        Raises NotSeenError, which says what the bridge has instead, or ProgramError if the bridge has ended by itself.
        """
        __tracebackhide__ = True  # pytest shows the line of the test

        def holds() -> Value:
            self._program.check()
            return condition()

        try:
            return wait_until(holds, what, limit_s)
        except NotSeenError as error:
            raise NotSeenError(f"{error} The bridge has {self._holdings()}.") from None

    def wait_for_console(self, name: str, limit_s: float = WAIT_LIMIT_S) -> None:
        """Wait until the console SITE/CONSOLE is online and its `booted` event is stored; raises NotSeenError."""
        __tracebackhide__ = True
        site_id, _, console_id = name.partition("/")

        def heard() -> bool:
            self._program.check()
            online = self._rows(_ONLINE, site_id, console_id)
            booted = any((row["site_id"], row["console_id"]) == (site_id, console_id) for row in self.events("booted"))
            return booted and bool(online and online[0]["online"])

        try:
            wait_until(heard, name, limit_s)
        except NotSeenError:
            raise NotSeenError(
                f"The bridge has not heard console {name} in {limit_s:g} s: is it switched on, with its Wi-Fi on and "
                f"its broker at {self._broker.url}? Its serial output says what it did."
            ) from None

    def _holdings(self) -> str:
        tables = {"event": self.events(), "survey": self.surveys(), "count": self.counts()}
        return ", ".join(plural(len(rows), name) for name, rows in tables.items())

    def _rows(self, query: str, *values: str) -> list[Row]:
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]
