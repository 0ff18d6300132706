"""The indices of a seller's month with and without the surveys that a flag concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.reports import kpi
from bridge.reports.report_query import RULE_OF_KIND
from bridge.store import flag_queries
from bridge.store import settings as settings_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store import Store
    from bridge.store.flag_queries import OutcomeCount


def with_and_without(store: Store, seller_id: str, month: str, surveys: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return, for each key question that has an index, its value with all surveys and without those given.

    `with` and `without` are null below 30 surveys. Surveys affected by force majeure count as they do in reports.
    """
    kinds, questions = settings_table.kinds(store), settings_table.questions(store)
    every = _by_question(flag_queries.outcomes_of_seller(store, seller_id, month), kinds)
    some = _by_question(flag_queries.outcomes_of_surveys(store, surveys), kinds)
    found = []
    for question_id, kind in sorted(every):
        weight = questions[question_id].silent_weight if question_id in questions else 0.0
        all_answers, none = every[question_id, kind], kpi.Answers()
        without = _minus(all_answers, some.get((question_id, kind), none))
        found.append(
            {
                "question_id": question_id,
                "kind": kind,
                "silent_weight": weight,
                "surveys_with": all_answers.surveys,
                "index_with": _index(kind, all_answers, weight),
                "surveys_without": without.surveys,
                "index_without": _index(kind, without, weight),
            }
        )
    return found


def _by_question(
    counts: Iterable[OutcomeCount], kinds: dict[str, dict[int, str]]
) -> dict[tuple[str, str], kpi.Answers]:
    """Return the answers that count for a question's index, by (question_id, kind)."""
    sums: dict[tuple[str, str], list[int]] = {}
    for question_id, revision, affected, *answers in counts:
        defined = kinds.get(question_id)
        if not defined:
            continue
        kind = defined[max((known for known in defined if known <= revision), default=min(defined))]
        if affected and RULE_OF_KIND[kind] == "without":
            continue
        total = sums.setdefault((question_id, kind), [0, 0, 0, 0])
        sums[question_id, kind] = [a + b for a, b in zip(total, answers, strict=True)]
    return {key: kpi.Answers(*total) for key, total in sums.items()}


def _minus(answers: kpi.Answers, taken: kpi.Answers) -> kpi.Answers:
    names = ("yes", "no", "cant_say", "silent")
    return kpi.Answers(*(getattr(answers, name) - getattr(taken, name) for name in names))


def _index(kind: str, answers: kpi.Answers, silent_weight: float) -> float | None:
    if answers.surveys < kpi.TOO_FEW:
        return None
    formula = kpi.emotional_loyalty_index if kind == "loyalty" else kpi.dissatisfaction_index
    index = formula(answers, silent_weight)
    return round(index.value, 6) if index else None
