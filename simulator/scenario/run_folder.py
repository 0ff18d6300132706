"""What a scenario's run left in its folder: the true diary, and what any honest bridge must report."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simulator.oracle import comparison
from simulator.oracle.facts import ForceMajeure
from simulator.oracle.kpis import Row
from simulator.people.diary import Entry
from simulator.scenario.file import ScenarioError


class Run:
    """A run, read from its folder; raises ScenarioError where there is none, or none that came to its end.

    Attributes:
        folder: where its files lie (README.md, "Scenarios and fleets").
        title: what the scenario says of itself.
        events: how many events its consoles had; of a live run, how many were acknowledged.
        from_on: the first day of the reports that it expects, as 2026-11-01.
        to_on: the first day that they do not count.
        reports: the groupings and ways that it expects reports of, as (by, force majeure).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            whole = json.loads((self.folder / "expected.json").read_text("utf-8"))
            self.title: str = whole["title"]
            self.events: int = whole["events"]
            self.from_on: str = whole["from"]
            self.to_on: str = whole["to"]
            self._rows: dict[tuple[str, ForceMajeure], list[Row]] = {
                (report["by"], report["force_majeure"]): report["rows"] for report in whole["reports"]
            }
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ScenarioError(
                f"{self.folder} holds no scenario's run that came to its end: expected.json is not there, or is not "
                "as it was written."
            ) from error
        self.reports = list(self._rows)

    @property
    def messages(self) -> Path:
        """What consoles, tills and people counters sent, as `trivox ingest` takes it; a live run has none."""
        return self.folder / "messages.ndjson"

    def diary(self) -> Iterator[Entry]:
        """What people truly did and wanted, one happening after the other."""
        with (self.folder / "diary.ndjson").open(encoding="utf-8") as lines:
            for line in lines:
                yield Entry.read(line)

    def expected(self, by: str, force_majeure: ForceMajeure = "default") -> list[Row]:
        """The rows of `trivox report --by … --format json` that must come, less intervals, settings and notes.

        Raises ScenarioError for a report that was not summed up.
        """
        rows = self._rows.get((by, force_majeure))
        if rows is None:
            known = ", ".join(name for name, way in self._rows if way == force_majeure)
            raise ScenarioError(f"A run expects no report by {by} ({force_majeure}); there are {known or 'none such'}.")
        return rows

    def differences(
        self, reported: Sequence[dict[str, Any]], by: str, force_majeure: ForceMajeure = "default"
    ) -> list[str]:
        """A sentence for each figure of that report which is not as expected; none if all are."""
        return comparison.differences(reported, self.expected(by, force_majeure))
