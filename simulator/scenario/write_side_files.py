"""What is written beside a scenario's messages: shifts, the commands that prepare a database, the expected KPIs."""

import csv
import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

from simulator.oracle.facts import ForceMajeure
from simulator.oracle.kpis import Totals
from simulator.scenario.file import ScenarioFile
from simulator.scenario.site_day import GROUPINGS, Order
from simulator.scenario.sites import QUESTIONS, Place, Post, days_of, on_shift

SHIFTS_A_FILE = 80_000  # 16 MiB are the most that the command takes
WAYS: tuple[ForceMajeure, ...] = ("with", "without", "only")
BY_CONSOLE = ("console",)


def shifts(folder: Path, order: Order) -> list[str]:
    """Every shift, as `trivox shift import` takes it, in files that it takes; their names."""
    columns = ["site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at"]
    rows = (row for place in order.places for post in place.posts for row in _shifts(order, place, post))
    names = ["shifts.csv"]
    _table(folder / names[0], columns, islice(rows, SHIFTS_A_FILE))
    for row in rows:
        names.append(f"shifts-{len(names) + 1}.csv")
        _table(folder / names[-1], columns, chain([row], islice(rows, SHIFTS_A_FILE - 1)))
    return names


def _shifts(order: Order, place: Place, post: Post) -> Iterator[list[str]]:
    for day in days_of(order.first_day, order.days):
        for shift in on_shift(post, place.zone, day):
            times = [_iso(shift.from_ms), _iso(shift.to_ms)]
            yield [post.site_id, post.console_id, shift.seller.seller_id, shift.seller.name, *times]


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()


def sites(file: Path, order: Order) -> None:
    """Every site, as `trivox site import` takes it."""
    _table(file, ["site_id", "timezone"], ([place.site_id, place.zone.key] for place in order.places))


def checkout_points(file: Path, order: Order) -> None:
    """Every console, as `trivox checkout-point import` takes it."""
    posts = (post for place in order.places for post in place.posts)
    rows = ([post.site_id, post.checkout_point_id, post.console_id] for post in posts)
    _table(file, ["site_id", "checkout_point_id", "console_id"], rows)


def _table(file: Path, names: list[str], values: Iterable[list[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as output:
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(names)
        rows.writerows(values)


def commands(scenario: ScenarioFile, order: Order) -> list[list[str]]:
    """The words after `trivox` of the commands that say what is asked, and how, before the files are imported."""
    made = [["question", "set", name, *_question_words(name, scenario)] for name in scenario.questions]
    settings = scenario.settings
    names = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "stuck_ms")
    of_the_bridge = ("force_majeure_scope_s", "force_majeure_level_max")
    made.append(["settings", "set", "--all", *(f"{name}={getattr(settings, name)}" for name in names + of_the_bridge)])
    for place in order.places:
        for post in place.posts:
            own = [] if post.question_id == "staff" else [f"question_id={post.question_id}"]
            own += [] if post.rules.ask_every == 1 else [f"ask_every={post.rules.ask_every}"]
            if own:
                made.append(["settings", "set", "--console", f"{post.site_id}/{post.console_id}", *own])
    return made


def _question_words(name: str, scenario: ScenarioFile) -> Iterator[str]:
    question = scenario.questions[name]
    if name not in QUESTIONS:
        yield from ("--kind", question.kind, "--text", f"en={question.text or name}")
    yield from ("--silent-weight", f"{question.silent_weight:g}", "--silent-weight-origin", "the scenario")


def script(file: Path, scenario: ScenarioFile, order: Order, tables: Iterable[str]) -> None:
    """A shell script that prepares a database: questions, settings, sites, checkout points, shifts."""
    lines = [
        "#!/bin/sh",
        f"# {_one_line(scenario.title)}: prepares the database that is named as the only argument.",
        "# TRIVOX names the command, if it is not on the path.",
        "set -eu",
        'database="${1:?give the database to be prepared}"',
        'folder="$(dirname "$0")"',
        'command -v "${TRIVOX:-trivox}" > /dev/null || {',
        '  echo "$0: there is no command trivox on the path: name it by TRIVOX=…/.venv/bin/trivox" >&2',
        "  exit 1",
        "}",
        'trivox() { command "${TRIVOX:-trivox}" "$@" --database "$database"; }',
    ]
    lines += ["trivox " + " ".join(shlex.quote(word) for word in words) for words in commands(scenario, order)]
    lines += [
        'trivox site import "$folder/sites.csv"',
        'trivox checkout-point import "$folder/checkout_points.csv"',
        *(f'trivox shift import "$folder/{name}"' for name in tables),
        "",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    file.chmod(0o755)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def preparation(folder: Path, scenario: ScenarioFile, order: Order) -> None:
    """The files that a database needs before the messages."""
    sites(folder / "sites.csv", order)
    checkout_points(folder / "checkout_points.csv", order)
    script(folder / "prepare.sh", scenario, order, shifts(folder, order))


def expected(file: Path, title: str, order: Order, totals: Totals, events: int) -> None:
    """The KPIs that any honest bridge must report, with the report that is to be asked for each."""
    reports: list[dict[str, Any]] = [_report(totals, grouping, "default") for grouping in GROUPINGS]
    reports += [_report(totals, BY_CONSOLE, way) for way in WAYS]
    last = order.first_day + timedelta(days=order.days)
    whole = {
        "title": title,
        "seed": order.seed,
        "events": events,
        "from": str(order.first_day - timedelta(days=1)),
        "to": str(last + timedelta(days=1)),
        "reports": reports,
    }
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def _report(totals: Totals, grouping: Sequence[str], force_majeure: ForceMajeure) -> dict[str, Any]:
    rows = totals.rows(grouping, force_majeure)
    return {"by": ",".join(grouping), "force_majeure": force_majeure, "rows": rows}
