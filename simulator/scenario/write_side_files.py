"""Write a scenario's other files: those that prepare a database, and the expected KPIs."""

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
from simulator.programs.program import trivox
from simulator.scenario.file import ScenarioFile
from simulator.scenario.site_day import GROUPINGS, ScenarioPlan
from simulator.scenario.sites import QUESTIONS, PlannedPost, PlannedSite, days_of, shifts_on

SHIFTS_PER_FILE = 80_000  # `trivox shift import` takes at most 16 MiB
FORCE_MAJEURE_CHOICES: tuple[ForceMajeure, ...] = ("with", "without", "only")
BY_CONSOLE = ("console",)


def write_shifts(folder: Path, plan: ScenarioPlan) -> list[str]:
    """Write every shift for `trivox shift import`, in files no larger than it takes; return their names."""
    columns = ["site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at"]
    rows = (row for site in plan.sites for post in site.posts for row in _shift_rows(plan, site, post))
    names = ["shifts.csv"]
    _write_csv(folder / names[0], columns, islice(rows, SHIFTS_PER_FILE))
    for row in rows:
        names.append(f"shifts-{len(names) + 1}.csv")
        _write_csv(folder / names[-1], columns, chain([row], islice(rows, SHIFTS_PER_FILE - 1)))
    return names


def _shift_rows(plan: ScenarioPlan, site: PlannedSite, post: PlannedPost) -> Iterator[list[str]]:
    for day in days_of(plan.first_day, plan.days):
        for shift in shifts_on(post, site.zone, day):
            times = [_iso(shift.from_ms), _iso(shift.to_ms)]
            yield [post.site_id, post.console_id, shift.seller.seller_id, shift.seller.name, *times]


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()


def write_sites(file: Path, plan: ScenarioPlan) -> None:
    """Write every site for `trivox site import`."""
    _write_csv(file, ["site_id", "timezone"], ([site.site_id, site.zone.key] for site in plan.sites))


def write_checkout_points(file: Path, plan: ScenarioPlan) -> None:
    """Write every checkout point and its console for `trivox checkout-point import`."""
    posts = (post for site in plan.sites for post in site.posts)
    rows = ([post.site_id, post.checkout_point_id, post.console_id] for post in posts)
    _write_csv(file, ["site_id", "checkout_point_id", "console_id"], rows)


def _write_csv(file: Path, columns: list[str], values: Iterable[list[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as output:
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(values)


def setting_commands(scenario: ScenarioFile, plan: ScenarioPlan) -> list[list[str]]:
    """Return the commands, without `trivox`, that set key questions and settings before the files are imported."""
    commands = [["question", "set", name, "--new", *_question_words(name, scenario)] for name in scenario.questions]
    settings = scenario.settings
    console_names = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "stuck_ms")
    report_names = ("force_majeure_scope_s", "force_majeure_level_max")
    values = [f"{name}={getattr(settings, name)}" for name in console_names + report_names]
    commands.append(["settings", "set", "--all", "--new", *values])
    for site in plan.sites:
        for post in site.posts:
            values = [] if post.question_id == "staff" else [f"question_id={post.question_id}"]
            values += [] if post.rules.ask_every == 1 else [f"ask_every={post.rules.ask_every}"]
            if values:
                commands.append(["settings", "set", "--console", f"{post.site_id}/{post.console_id}", "--new", *values])
    return commands


def _question_words(name: str, scenario: ScenarioFile) -> Iterator[str]:
    question = scenario.questions[name]
    if name not in QUESTIONS:
        yield from ("--kind", question.kind, "--text", f"en={question.text or name}")
    yield from ("--silent-weight", f"{question.silent_weight:g}", "--silent-weight-origin", "the scenario")


def write_script(file: Path, scenario: ScenarioFile, plan: ScenarioPlan, shift_files: Iterable[str]) -> None:
    """Write the shell script that prepares a database: questions, settings, sites, checkout points, shifts."""
    lines = [
        "#!/bin/sh",
        f"# {_one_line(scenario.title)}: prepares the database that is named as the only argument.",
        "# It runs the trivox that TRIVOX names, else the one that wrote this script, else the one on the path.",
        "set -eu",
        'database="${1:?give the database to be prepared}"',
        'folder="$(dirname "$0")"',
        f"writer={shlex.quote(trivox())}",
        '[ -n "${TRIVOX:-}" ] || { [ -x "$writer" ] && TRIVOX="$writer"; } || TRIVOX=trivox',
        'command -v "$TRIVOX" > /dev/null || {',
        '  echo "$0: there is no command $TRIVOX: give its path, as in TRIVOX=…/.venv/bin/trivox $0 …" >&2',
        "  exit 1",
        "}",
        'trivox() { command "$TRIVOX" "$@" --database "$database"; }',
    ]
    lines += ["trivox " + " ".join(shlex.quote(word) for word in words) for words in setting_commands(scenario, plan)]
    lines += [
        'trivox site import "$folder/sites.csv"',
        'trivox checkout-point import "$folder/checkout_points.csv" --new',
        *(f'trivox shift import "$folder/{name}" --new' for name in shift_files),
        "",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    file.chmod(0o755)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def write_preparation(folder: Path, scenario: ScenarioFile, plan: ScenarioPlan) -> None:
    """Write the files that a database needs before the messages."""
    write_sites(folder / "sites.csv", plan)
    write_checkout_points(folder / "checkout_points.csv", plan)
    write_script(folder / "prepare.sh", scenario, plan, write_shifts(folder, plan))


def write_expected(file: Path, title: str, plan: ScenarioPlan, totals: Totals, events: int) -> None:
    """Write the KPIs that any honest bridge must report, report by report."""
    reports: list[dict[str, Any]] = [_report(totals, grouping, "default") for grouping in GROUPINGS]
    reports += [_report(totals, BY_CONSOLE, choice) for choice in FORCE_MAJEURE_CHOICES]
    last = plan.first_day + timedelta(days=plan.days)
    contents = {
        "title": title,
        "seed": plan.seed,
        "events": events,
        "from": str(plan.first_day - timedelta(days=1)),
        "to": str(last + timedelta(days=1)),
        "reports": reports,
    }
    file.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")


def _report(totals: Totals, grouping: Sequence[str], force_majeure: ForceMajeure) -> dict[str, Any]:
    rows = totals.rows(grouping, force_majeure)
    return {"by": ",".join(grouping), "force_majeure": force_majeure, "rows": rows}
