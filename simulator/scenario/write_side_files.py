"""Write the files of a scenario that prepare a database."""

import csv
import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from itertools import count, islice
from pathlib import Path

from simulator.programs.program import trivox
from simulator.scenario.file import ScenarioFile
from simulator.scenario.rewritten_shifts import rewritten_shifts_on
from simulator.scenario.site_day import ScenarioPlan
from simulator.scenario.sites import QUESTIONS, PlannedPost, PlannedShift, PlannedSite, days_of, shifts_on

SHIFTS_PER_FILE = 80_000  # `trivox shift import` takes at most 16 MiB
SHIFTS = "shifts"
SHIFT_COLUMNS = ["site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at"]


def write_shifts(folder: Path, plan: ScenarioPlan) -> list[str]:
    """Write shifts for `trivox shift import`, in files no larger than it takes; return their names, in order.

    First come all shifts as they truly were, then, if any are rewritten, what they become.
    """
    return [
        *_write_in_files(folder, SHIFTS, _shift_rows(plan)),
        *_write_in_files(folder, "rewritten_shifts", _rewritten_rows(plan)),
    ]


def _write_in_files(folder: Path, stem: str, rows: Iterator[list[str]]) -> Iterator[str]:
    """Write rows into files of this stem, and yield their names; the first file of shifts is always needed."""
    for number in count(1):
        some = list(islice(rows, SHIFTS_PER_FILE))
        if not some and (number > 1 or stem != SHIFTS):
            return
        name = f"{stem}.csv" if number == 1 else f"{stem}-{number}.csv"
        _write_csv(folder / name, SHIFT_COLUMNS, some)
        yield name


def _shift_rows(plan: ScenarioPlan) -> Iterator[list[str]]:
    for site, post, day in _days_of_posts(plan):
        for shift in shifts_on(post, site.zone, day):
            yield _row(post, shift)


def _rewritten_rows(plan: ScenarioPlan) -> Iterator[list[str]]:
    for site, post, day in _days_of_posts(plan):
        if any(seller.habits.rewrites_shifts for seller in post.sellers):
            for rewritten in rewritten_shifts_on(site, post, day, plan.seed):
                yield from (_row(post, part) for part in rewritten.parts)


def _days_of_posts(plan: ScenarioPlan) -> Iterator[tuple[PlannedSite, PlannedPost, date]]:
    for site in plan.sites:
        for post in site.posts:
            for day in days_of(plan.first_day, plan.days):
                yield site, post, day


def _row(post: PlannedPost, shift: PlannedShift) -> list[str]:
    times = [_iso(shift.from_ms), _iso(shift.to_ms)]
    return [post.site_id, post.console_id, shift.seller.seller_id, shift.seller.name, *times]


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
