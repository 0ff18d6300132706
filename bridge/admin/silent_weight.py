"""Draw silents at random, and estimate the silent weight from what they answered when they were asked again."""

from __future__ import annotations

import random
import re
import secrets
from collections import defaultdict
from typing import TYPE_CHECKING

from bridge.admin.csv_file import CsvFile
from bridge.admin.known_names import KnownNames
from bridge.admin.questions import set_estimate
from bridge.errors import TrivoxError, UsageError
from bridge.model.history import HistoryChange
from bridge.model.local_time import day_starts_ms
from bridge.model.silent_weight import (
    ANSWERS,
    ASKED_MIN,
    UNANSWERED,
    FollowUp,
    variance_between_sellers,
)
from bridge.reports.estimated_weights import described
from bridge.reports.report_query import RULE_OF_KIND
from bridge.store import settings as settings_table
from bridge.store import silent_weight as table
from bridge.store.history import record_change
from bridge.store.silent_weight import SilentDraw, WeightEstimate
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import Any

    from bridge.admin.commands import DrawSilents, EstimateWeight
    from bridge.admin.csv_file import Line
    from bridge.admin.imports import Steps
    from bridge.store import Store
    from bridge.store.silent_weight import DrawnSilent, Span, SurveyName

COLUMNS = ("survey_id", "site_id", "console_id", "checkout_point_id", "seller_id", "opened_at", "answer")
SAMPLE_MAX = 100_000
SEED_BITS = 31
_NUMBER = re.compile(r"[0-9]{1,15}")
WRITTEN_OTHERWISE = {"can't_say": "cant_say", "can’t_say": "cant_say", "don't_know": "cant_say", "": UNANSWERED}  # noqa: RUF001


def draw_silents(store: Store, command: DrawSilents) -> Steps:
    """Draw silents of a question, each with the same chance, in steps; return the `draw`, its `population` and `seed`.

    They are those that its index counts: of a personnel question, without those affected by force majeure. Console by
    console in order of their names, and there in order of time, they have positions, of which Python's
    `random.Random(seed).sample(range(population), sample)` chooses. Raises UsageError.
    """
    kind = _kind(store, command.question_id)
    _check_request(command)
    silents = Silents(store, command, affected=RULE_OF_KIND[kind] == "with")
    yield from silents.count()
    if command.sample > silents.population:
        raise UsageError(
            f"Only {plural(silents.population, 'silent')} of {command.question_id} can be drawn from those days: give "
            "a smaller --sample or a longer period."
        )
    seed = secrets.randbits(SEED_BITS) if command.seed is None else command.seed
    chosen = sorted(random.Random(seed).sample(range(silents.population), command.sample))
    drawn = yield from silents.at(chosen)
    days = command.from_day.isoformat(), command.to_day.isoformat()
    by = store.now_ms, store.origin.who
    draw = SilentDraw(0, command.question_id, kind, *days, silents.population, command.sample, seed, *by)
    draw = table.keep_draw(store, draw, drawn)
    named = ("draw", "from_day", "to_day", "population", "sample", "seed")
    told = {name: value for name, value in draw._asdict().items() if name in named}
    record_change(store, HistoryChange("silent_draw", "", command.question_id, None, told, corrects=False))
    return {"draw": draw.draw, "population": draw.population, "seed": seed}


class Silents:
    """The silents of a question in a period, console by console, by their positions."""

    def __init__(self, store: Store, command: DrawSilents, *, affected: bool) -> None:
        """Name a period; `affected`: also those affected by force majeure."""
        self._store = store
        self._question_id = command.question_id
        self._days = command.from_day, command.to_day
        self._affected = affected
        self._consoles: list[tuple[int, Span, int]] = []  # (console_key, span of time, how many silents)
        self.population = 0

    def count(self) -> Iterator[None]:
        """Count them, in steps."""
        for console_key, timezone in table.consoles_of_sites(self._store):
            from_ms, to_ms = (day_starts_ms(day, timezone) for day in self._days)
            wanted = self._question_id, console_key, (from_ms, to_ms)
            count = table.count_silents(self._store, *wanted, affected=self._affected)
            self._consoles.append((console_key, (from_ms, to_ms), count))
            self.population += count
            yield

    def at(self, chosen: list[int]) -> Generator[None, None, list[SurveyName]]:
        """Return those at positions, given in order, in steps. Raises TrivoxError if there are others now."""
        found: list[SurveyName] = []
        first = 0
        for console_key, span, count in self._consoles:
            wanted = {position - first for position in chosen if first <= position < first + count}
            first += count
            if wanted:
                own = table.silents(self._store, self._question_id, console_key, span, affected=self._affected)
                found += [name for position, name in enumerate(own) if position in wanted]
                yield
        if len(found) != len(chosen):
            raise TrivoxError("Surveys of those days arrived meanwhile: draw again.")
        return found


def _kind(store: Store, question_id: str) -> str:
    KnownNames(store).check_defined_question(question_id)
    revision = settings_table.newest_revision(store, question_id)
    return revision.kind if revision else ""


def _check_request(command: DrawSilents) -> None:
    if not 0 < command.sample <= SAMPLE_MAX:
        raise UsageError(f"--sample must be from 1 to {SAMPLE_MAX:,}, not {command.sample}.")
    if command.from_day >= command.to_day:
        raise UsageError("--to is the first day that no longer counts: it must be later than --from.")
    if command.seed is not None and not 0 <= command.seed < 1 << 63:
        raise UsageError("--seed must be a whole number from 0 to 9223372036854775807.")


def estimate_silent_weight(store: Store, command: EstimateWeight) -> dict[str, Any]:
    """Estimate a silent weight from a CSV file with columns survey_id and answer, and have its question use it.

    Drawn silents that the file does not name count as `unanswered`, and the result says how many are `missing`. Raises
    TrivoxError for wrong lines and UsageError for what no file can mend.
    """
    draw = _find_draw(store, command, _kind(store, command.question_id))
    drawn = {silent.survey_id: silent for silent in table.drawn_silents(store, draw.draw)}
    answers = _read_answers(store, command, draw, drawn)
    groups = defaultdict(list)
    for survey_id, silent in drawn.items():
        groups[silent.seller_id].append(answers.get(survey_id, UNANSWERED))
    sellers = {seller_id: _counted(group) for seller_id, group in groups.items()}
    found = _counted([answer for group in groups.values() for answer in group])
    if found.unanswered == found.asked:
        raise UsageError(f"{command.name} has no answer of any of the {found.asked} silents: nothing is known of them.")
    of_known = [counted for seller_id, counted in sellers.items() if seller_id is not None]
    between = variance_between_sellers(draw.kind, of_known)
    by = store.now_ms, store.origin.who
    estimate = WeightEstimate(0, found, between, *by, printable(command.name), draw)
    by_name = {(drawn[survey_id].epoch_key, drawn[survey_id].survey): answer for survey_id, answer in answers.items()}
    estimate = table.keep_estimate(store, estimate, by_name)
    corrects = set_estimate(store, estimate)
    return described(estimate) | {"missing": len(drawn) - len(answers), "corrects": corrects}


def _counted(answers: Iterable[str]) -> FollowUp:
    given = list(answers)
    return FollowUp(*(given.count(name) for name in (*ANSWERS, UNANSWERED)))


def _find_draw(store: Store, command: EstimateWeight, kind: str) -> SilentDraw:
    """Return the draw that the command names, or the latest one of its question. Raises UsageError."""
    draws = table.draws(store, command.question_id)
    found = [draw for draw in draws if command.draw in {None, draw.draw}]
    if not draws:
        raise UsageError(
            f"No silents of {command.question_id} were drawn yet: draw some with `trivox question weight draw`."
        )
    if not found:
        known = ", ".join(str(draw.draw) for draw in draws)
        raise UsageError(f"There is no draw {command.draw} of {command.question_id}: its draws are {known}.")
    draw = found[-1]
    if draw.kind != kind:
        raise UsageError(
            f"{command.question_id} was of kind {draw.kind} when draw {draw.draw} was made, and is of kind {kind} now: "
            "draw again."
        )
    if draw.sample < ASKED_MIN:
        raise UsageError(
            f"Draw {draw.draw} has only {plural(draw.sample, 'silent')}: a silent weight is estimated from at least "
            f"{ASKED_MIN}."
        )
    return draw


def _read_answers(
    store: Store, command: EstimateWeight, draw: SilentDraw, drawn: dict[str, DrawnSilent]
) -> dict[str, str]:
    """Return the answers by survey. Raises TrivoxError."""
    file = CsvFile(command.name, command.text, ("survey_id",), COLUMNS[1:])
    if "answer" not in file.header:
        raise TrivoxError(f"{command.name}: column answer is missing; the first line must name survey_id,answer.")
    answers: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line in file:
        with line.reporting():
            survey_id = line["survey_id"]
            if survey_id not in drawn:
                raise ValueError(_why_not_drawn(store, draw, survey_id))
            if survey_id in lines:
                raise ValueError(f"survey {survey_id} is in line {lines[survey_id]}, too: keep one of them")
            _check_place(line, drawn[survey_id])
            lines[survey_id] = line.number
            answers[survey_id] = _answer(line)
    file.check()
    return answers


def _why_not_drawn(store: Store, draw: SilentDraw, survey_id: str) -> str:
    name = printable(survey_id)
    if not survey_id:
        return "it names no survey_id"
    parts = survey_id.split("/")
    known = None
    if len(parts) == len(("site", "console", "epoch", "number")) and _NUMBER.fullmatch(parts[3]):
        known = table.survey_named(store, parts[0], parts[1], parts[2], int(parts[3]))
    if known is None:
        return f"there is no survey {name}: names are SITE/CONSOLE/EPOCH/NUMBER, as the draw wrote them"
    question_id, outcome = known
    if question_id != draw.question_id:
        return f"survey {name} asked {question_id}, not {draw.question_id}"
    if outcome != "silent":
        return f"survey {name} is no silent: it was answered or ended as an error"
    return f"survey {name} was not drawn in draw {draw.draw}"


def _check_place(line: Line, silent: DrawnSilent) -> None:
    """Refuse a line that names another site or console beside the survey. Raises ValueError."""
    for column in ("site_id", "console_id"):
        if line.get(column) and line[column] != getattr(silent, column):
            raise ValueError(
                f"survey {silent.survey_id} is not one of {column} {printable(line[column])}: was the file sorted in "
                "part?"
            )


def _answer(line: Line) -> str:
    word = line["answer"].strip().lower().replace(" ", "_").replace("-", "_")
    answer = WRITTEN_OTHERWISE.get(word, word)
    if answer not in {*ANSWERS, UNANSWERED}:
        raise ValueError(
            f"answer {printable(line['answer'])!r} must be {', '.join(ANSWERS)}, or empty if there was none"
        )
    return answer
