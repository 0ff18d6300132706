"""Measure the flags' false alarms and power: play worlds of honest and gaming sellers, and compare with the truth.

Each world is a hundred sellers' three months, taken in by `trivox ingest` and judged by `trivox flags`. A month of a
cheat is found if the rule that is made for his cheat watches or flags it.

    python -m tests.benchmarks flags
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.scenario.scenario import Scenario
from tests.benchmarks._gaming_worlds import CHEATS, MONTHS, Cheat, world
from tests.benchmarks.figure import Figure
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 2
HONEST = "honest"
DOSES = (HONEST, "small", "large")
WATCHED_MAX, FLAGGED_MAX = 4.6, 2.2
FOUND_MIN = 75
NAMED = ("presses", "ghosts", "excuses")
"""The cheats to be found in small doses, too: a tenth of the silents, a twentieth of sales, a fifth of the no's."""
CROWDS = {"lively": "60 %", "quiet": "10 %"}
RULE_OF = {cheat.name: cheat.rule for cheat in CHEATS}


class JudgedMonth(NamedTuple):
    """A month of a seller: the world's dose, his temperament, his customers, and the level that each rule gave him."""

    dose: str
    temperament: str
    crowd: str
    levels: dict[str, str]

    @property
    def is_honest(self) -> bool:
        """Whether he does not cheat."""
        return self.temperament not in RULE_OF

    def is_found(self, *levels: str) -> bool:
        """Return whether he is found at one of these levels: a cheat by the rule for his cheat, others by any rule."""
        if self.is_honest:
            return any(level in levels for level in self.levels.values())
        return self.levels.get(RULE_OF[self.temperament]) in levels


def judged(seed: int, dose: str) -> list[JudgedMonth]:
    """Play a world, and let `trivox` judge it."""
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "world.db"
        tables = world(seed, None if dose == HONEST else dose)
        run = Scenario.of(tables).write(Path(name) / "run", database=database)
        _trivox("ingest", str(run.messages), "--database", str(database))
        rows = json.loads(_trivox("flags", "--all", "--format", "json", "--database", str(database)))
        return list(_compared(dose, run.truth(), rows))


def _trivox(*words: str) -> str:
    environment = {**os.environ, "TRIVOX": TRIVOX}
    done = subprocess.run([TRIVOX, *words], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise AssertionError(f"trivox {words[0]}: {done.stderr}")
    return done.stdout


def _compared(dose: str, sellers: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Iterator[JudgedMonth]:
    levels: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        levels.setdefault((row["seller_id"], row["month"]), {})[row["rule"]] = row["level"]
    for seller in sellers:
        crowd = seller["site_id"].partition("-")[0]
        for month in MONTHS:
            yield JudgedMonth(dose, seller["temperament"], crowd, levels.get((seller["seller_id"], month), {}))


def figures() -> Iterator[Figure]:
    """Print how often each cheat is found, then give false alarms and power."""
    plays = list(
        enumerate(DOSES * ROUNDS, 1)
    )  # each with a seed of its own, so that no two worlds have the same sellers
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        months = [month for several in pool.map(judged, *zip(*plays, strict=True)) for month in several]
    _print_power(months)
    yield from _false_alarms([month for month in months if month.is_honest])
    for cheat in CHEATS:
        dose = "small" if cheat.name in NAMED else "large"
        yield _power(cheat, dose, [month for month in months if (month.temperament, month.dose) == (cheat.name, dose)])


def _power(cheat: Cheat, dose: str, months: list[JudgedMonth]) -> Figure:
    """Return how many months of a cheat are found: where most answer and, for the NAMED, also where few do."""
    found = {crowd: _percent([month for month in months if month.crowd == crowd], "watch", "flag") for crowd in CROWDS}
    worst = min(found.values()) if cheat.name in NAMED else found["lively"]
    note = ", ".join(f"{found[crowd]:.0f} % at {answering} response" for crowd, answering in CROWDS.items())
    name = f"{cheat.rule}: months found, {cheat.in_words(dose)}"
    return Figure(name, worst, "%", FOUND_MIN, at_most=False, note=note)


def _false_alarms(honest: list[JudgedMonth]) -> Iterator[Figure]:
    rules = Counter(rule for month in honest for rule in month.levels)
    note = f"of {len(honest):,} months; " + ", ".join(f"{rule} {count}" for rule, count in rules.most_common())
    yield Figure(
        "honest months watched by any rule",
        _percent(honest, "watch", "flag"),
        "%",
        WATCHED_MAX,
        at_most=True,
        note=note,
    )
    yield Figure("honest months flagged by any rule", _percent(honest, "flag"), "%", FLAGGED_MAX, at_most=True)


def _percent(months: list[JudgedMonth], *levels: str) -> float:
    found = [month.is_found(*levels) for month in months]
    return 100 * sum(found) / len(found)


def _print_power(months: list[JudgedMonth]) -> None:
    sys.stdout.write(f"  {'cheat':42} {'rule':24} {'response':>8} {'found':>7} {'flagged':>8}\n")
    for cheat in CHEATS:
        for dose in DOSES[1:]:
            for crowd, answering in CROWDS.items():
                some = [month for month in months if month[:3] == (dose, cheat.name, crowd)]
                shares = f"{_percent(some, 'watch', 'flag'):5.0f} % {_percent(some, 'flag'):6.0f} %"
                sys.stdout.write(f"  {cheat.in_words(dose):42} {cheat.rule:24} {answering:>8} {shares}\n")
