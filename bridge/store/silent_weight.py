"""Read and store draws of silents, and the silent weights that were estimated from what they answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.silent_weight import ANSWERS, FollowUp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.store.connection import Row, Store

SurveyName = tuple[int, int]
"""A survey by the key of its epoch and its number."""

Span = tuple[int, int]


class SilentDraw(NamedTuple):
    """Silents drawn at random out of the `population` of a period of local days; `draw` is the draw's number."""

    draw: int
    question_id: str
    kind: str
    from_day: str
    to_day: str
    population: int
    sample: int
    seed: int
    drawn_at_ms: int
    who: str


class DrawnSilent(NamedTuple):
    """A silent survey of a draw, as it is known now; `timezone` is its site's."""

    epoch_key: int
    survey: int
    site_id: str
    console_id: str
    epoch: str
    checkout_point_id: str | None
    seller_id: str | None
    opened_at_ms: int
    timezone: str

    @property
    def survey_id(self) -> str:
        """The name of the survey for people: SITE/CONSOLE/EPOCH/NUMBER."""
        return f"{self.site_id}/{self.console_id}/{self.epoch}/{self.survey}"


class WeightEstimate(NamedTuple):
    """An estimate of a silent weight, with its draw."""

    estimate: int
    found: FollowUp
    between_sellers: float
    estimated_at_ms: int
    who: str
    file: str
    draw: SilentDraw


_SILENT = "outcome = 'silent' AND question_id = ? AND affected <= ?"
_DRAWN = (
    "SELECT epoch_key, survey, site_id, console_id, epoch, checkout_point_id, seller_id, opened_at_ms, timezone"
    " FROM silent_drawn CROSS JOIN survey USING (epoch_key, survey) JOIN epoch USING (epoch_key)"
    " JOIN console ON console.console_key = survey.console_key JOIN site USING (site_id)"
)
_ESTIMATE = (
    "SELECT estimate, yes, no, cant_say, unanswered, between_sellers, estimated_at_ms, weight_estimate.who, file,"
    " silent_draw.* FROM weight_estimate JOIN silent_draw USING (draw)"
)


def consoles_of_sites(store: Store) -> list[Row]:
    """Return (console_key, timezone) of all consoles, by site and id."""
    return store.all("SELECT console_key, timezone FROM console JOIN site USING (site_id) ORDER BY site_id, console_id")


def count_silents(store: Store, question_id: str, console_key: int, span: Span, *, affected: bool) -> int:
    """Count a console's silents of a question that were opened in a span of time; `affected`: also those."""
    sql = f"SELECT count(*) FROM survey WHERE console_key = ? AND opened_at_ms >= ? AND opened_at_ms < ? AND {_SILENT}"  # noqa: S608 - no outside text
    row = store.one(sql, (console_key, *span, question_id, int(affected)))
    return int(row[0]) if row else 0


def silents(store: Store, question_id: str, console_key: int, span: Span, *, affected: bool) -> Iterator[SurveyName]:
    """Yield those silents, by the instant at which they were opened."""
    yield from store.each(
        "SELECT epoch_key, survey FROM survey WHERE console_key = ? AND opened_at_ms >= ? AND opened_at_ms < ?"  # noqa: S608 - no outside text
        f" AND {_SILENT} ORDER BY opened_at_ms, epoch_key, survey",
        (console_key, *span, question_id, int(affected)),
    )


def keep_draw(store: Store, draw: SilentDraw, drawn: Iterable[SurveyName]) -> SilentDraw:
    """Store a draw with its silents; return it with its number."""
    store.run(
        "INSERT INTO silent_draw (question_id, kind, from_day, to_day, population, sample, seed, drawn_at_ms, who)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        draw[1:],
    )
    row = store.one("SELECT max(draw) FROM silent_draw")
    kept = draw._replace(draw=int(row[0]) if row else 0)
    store.insert("INSERT INTO silent_drawn (draw, epoch_key, survey)", [(kept.draw, *name) for name in drawn])
    return kept


def draws(store: Store, question_id: str | None = None) -> list[SilentDraw]:
    """Return all draws, or those of a question, oldest first."""
    rows = store.all(
        "SELECT draw, question_id, kind, from_day, to_day, population, sample, seed, drawn_at_ms, who FROM silent_draw"
        " WHERE ?1 IS NULL OR question_id = ?1 ORDER BY draw",
        (question_id,),
    )
    return [SilentDraw(*row) for row in rows]


def drawn_silents(store: Store, draw: int) -> list[DrawnSilent]:
    """Return the silents of a draw, by site, console and time."""
    rows = store.all(f"{_DRAWN} WHERE draw = ? ORDER BY site_id, console_id, opened_at_ms, epoch, survey", (draw,))
    return [DrawnSilent(*row) for row in rows]


def survey_named(store: Store, site_id: str, console_id: str, epoch: str, survey: int) -> tuple[str, str] | None:
    """Return the key question and the outcome of a survey; None if there is no such survey."""
    row = store.one(
        "SELECT question_id, outcome FROM console JOIN epoch USING (console_key)"
        " JOIN survey ON survey.epoch_key = epoch.epoch_key"
        " WHERE site_id = ? AND console_id = ? AND epoch = ? AND survey = ?",
        (site_id, console_id, epoch, survey),
    )
    return (str(row[0]), str(row[1])) if row else None


def keep_estimate(store: Store, estimate: WeightEstimate, answers: dict[SurveyName, str]) -> WeightEstimate:
    """Store an estimate with the answers it rests on; return it with its number."""
    store.run(
        "INSERT INTO weight_estimate (draw, yes, no, cant_say, unanswered, between_sellers, estimated_at_ms, who, file)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (estimate.draw.draw, *estimate.found, *estimate[2:6]),
    )
    row = store.one("SELECT max(estimate) FROM weight_estimate")
    kept = estimate._replace(estimate=int(row[0]) if row else 0)
    rows: list[tuple[Any, ...]] = [(kept.estimate, *name, answer) for name, answer in answers.items()]
    store.insert(
        "INSERT INTO weight_answer (estimate, epoch_key, survey, answer)", [row for row in rows if row[3] in ANSWERS]
    )
    return kept


def estimates(store: Store, question_id: str | None = None) -> list[WeightEstimate]:
    """Return all estimates, or those of a question, oldest first."""
    rows = store.all(f"{_ESTIMATE} WHERE ?1 IS NULL OR question_id = ?1 ORDER BY estimate", (question_id,))
    return [_read(row) for row in rows]


def estimates_in_force(store: Store) -> dict[str, WeightEstimate]:
    """Return the estimates that silent weights rest on, by question."""
    rows = store.all(f"{_ESTIMATE} JOIN question USING (estimate) ORDER BY estimate")
    return {found.draw.question_id: found for found in map(_read, rows)}


def sellers_drawn(store: Store, draw: int) -> set[str]:
    """Return the sellers from whose silents some were drawn, by who they belong to now; empty for those of nobody."""
    rows = store.all(
        "SELECT DISTINCT coalesce(seller_id, '') FROM silent_drawn CROSS JOIN survey USING (epoch_key, survey)"
        " WHERE draw = ?",
        (draw,),
    )
    return {str(row[0]) for row in rows}


def _read(row: Row) -> WeightEstimate:
    estimate, yes, no, cant_say, unanswered, between, at_ms, who, file, *draw = row
    found = FollowUp(yes, no, cant_say, unanswered)
    return WeightEstimate(estimate, found, between, at_ms, who, file, SilentDraw(*draw))
