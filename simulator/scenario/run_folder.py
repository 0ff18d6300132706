"""Read a run's folder: the true diary, and the reports that any honest bridge must give."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simulator.oracle import comparison
from simulator.oracle.facts import ForceMajeure
from simulator.oracle.kpis import Row
from simulator.people.diary import DiaryEntry
from simulator.scenario.file import ScenarioError


class Run:
    """A finished run, read from its folder; raises ScenarioError if the folder holds none.

    Attributes:
        folder: the folder with its files (README.md, "Scenarios and fleets").
        title: the scenario's title.
        events: the number of its consoles' events; in a live run, of those that were acknowledged.
        from_on: the first day of the expected reports, such as 2026-11-01.
        to_on: the day after their last day.
        reports: the expected reports, as (by, force_majeure).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            contents = json.loads((self.folder / "expected.json").read_text("utf-8"))
            self.title: str = contents["title"]
            self.events: int = contents["events"]
            self.from_on: str = contents["from"]
            self.to_on: str = contents["to"]
            self._rows: dict[tuple[str, ForceMajeure], list[Row]] = {
                (report["by"], report["force_majeure"]): report["rows"] for report in contents["reports"]
            }
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ScenarioError(
                f"{self.folder} does not hold a finished run: its expected.json is missing or damaged. "
                "Run the scenario again into a new folder."
            ) from error
        self.reports = list(self._rows)

    @property
    def messages(self) -> Path:
        """The file for `trivox ingest`: the messages of consoles, tills and people counters; a live run has none."""
        return self.folder / "messages.ndjson"

    def diary(self) -> Iterator[DiaryEntry]:
        """Yield what people truly did and wanted, entry by entry."""
        with (self.folder / "diary.ndjson").open(encoding="utf-8") as lines:
            for line in lines:
                yield DiaryEntry.read(line)

    def truth(self) -> list[dict[str, Any]]:
        """Return each seller with what is his own and his `cheats`: acts and opportunities, in all and by month."""
        sellers: list[dict[str, Any]] = json.loads((self.folder / "truth.json").read_text("utf-8"))["sellers"]
        return sellers

    def expected(self, by: str, force_majeure: ForceMajeure = "default") -> list[Row]:
        """Return the rows that `trivox report --by … --format json` must give, without intervals, settings and notes.

        Raises ScenarioError if the run expects no such report.
        """
        rows = self._rows.get((by, force_majeure))
        if rows is None:
            known = ", ".join(name for name, way in self._rows if way == force_majeure)
            raise ScenarioError(
                f"A run expects no report by {by} ({force_majeure}); for {force_majeure} it expects: {known or 'none'}."
            )
        return rows

    def differences(
        self, reported: Sequence[dict[str, Any]], by: str, force_majeure: ForceMajeure = "default"
    ) -> list[str]:
        """Return a sentence for each figure of that report that differs from what is expected."""
        return comparison.differences(reported, self.expected(by, force_majeure))
