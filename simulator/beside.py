"""What is written beside a scenario's messages: shifts, the commands that prepare a database, the expected KPIs."""

import csv
import json
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulator.filling import GROUPINGS, Order
from simulator.scenario import Scenario
from simulator.sites import QUESTIONS, days_of, on_shift
from simulator.totals import Totals
from simulator.truth import ForceMajeure

WAYS: tuple[ForceMajeure, ...] = ("with", "without", "only")
BY_CONSOLE = ("console",)


def shifts(file: Path, order: Order) -> None:
    """Every shift, as `trivox shift import` takes it."""
    with file.open("w", encoding="utf-8", newline="") as output:
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(["site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at"])
        for place in order.places:
            for post in place.posts:
                for day in days_of(order.first_day, order.days):
                    for shift in on_shift(post, place.zone, day):
                        seller = shift.seller
                        times = [_iso(shift.from_ms), _iso(shift.to_ms)]
                        rows.writerow([post.site_id, post.console_id, seller.seller_id, seller.name, *times])


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()


def commands(scenario: Scenario, order: Order) -> list[list[str]]:
    """The words after `trivox` of every command that the reports need before the messages come."""
    made = [["question", "set", name, *_question_words(name, scenario)] for name in scenario.questions]
    settings = scenario.settings
    names = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "stuck_ms")
    of_the_bridge = ("force_majeure_scope_s", "force_majeure_level_max")
    made.append(["settings", "set", "--all", *(f"{name}={getattr(settings, name)}" for name in names + of_the_bridge)])
    for place in order.places:
        if place.zone.key != "UTC":
            made.append(["site", "set", place.site_id, "--timezone", place.zone.key])
        for post in place.posts:
            own = [] if post.question_id == "staff" else [f"question_id={post.question_id}"]
            own += [] if post.rules.ask_every == 1 else [f"ask_every={post.rules.ask_every}"]
            name = f"{post.site_id}/{post.console_id}"
            if own:
                made.append(["settings", "set", "--console", name, *own])
            made.append(["checkout-point", "set", post.site_id, post.checkout_point_id, "--console", post.console_id])
    return made


def _question_words(name: str, scenario: Scenario) -> Iterator[str]:
    question = scenario.questions[name]
    if name not in QUESTIONS:
        yield from ("--kind", question.kind, "--text", f"en={question.text or name}")
    yield from ("--silent-weight", f"{question.silent_weight:g}", "--silent-weight-origin", "the scenario")


def script(file: Path, scenario: Scenario, order: Order) -> None:
    """A shell script that prepares a database: questions, settings, sites, checkout points, shifts."""
    lines = [
        "#!/bin/sh",
        f"# {scenario.title}: prepares the database that is named as the only argument.",
        "# TRIVOX names the command, if it is not on the path.",
        "set -eu",
        'database="$1"',
        'folder="$(dirname "$0")"',
        'trivox() { "${TRIVOX:-trivox}" "$@" --database "$database"; }',
    ]
    lines += ["trivox " + " ".join(shlex.quote(word) for word in words) for words in commands(scenario, order)]
    lines += ['trivox shift import "$folder/shifts.csv"', ""]
    file.write_text("\n".join(lines), encoding="utf-8")
    file.chmod(0o755)


def expected(file: Path, scenario: Scenario, order: Order, totals: Totals) -> None:
    """The KPIs that any honest bridge must report, with the report that is to be asked for each."""
    reports: list[dict[str, Any]] = [_report(totals, grouping, "default") for grouping in GROUPINGS]
    reports += [_report(totals, BY_CONSOLE, way) for way in WAYS]
    last = order.first_day + timedelta(days=order.days)
    whole = {
        "title": scenario.title,
        "seed": order.seed,
        "from": str(order.first_day - timedelta(days=1)),
        "to": str(last + timedelta(days=1)),
        "reports": reports,
    }
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def _report(totals: Totals, grouping: Sequence[str], force_majeure: ForceMajeure) -> dict[str, Any]:
    rows = totals.rows(grouping, force_majeure)
    return {"by": ",".join(grouping), "force_majeure": force_majeure, "rows": rows}
