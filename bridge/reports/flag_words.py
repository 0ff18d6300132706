"""Say in words what a flag or a watch rests on, and what it means. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.model.flags.rules import LEAST_PEERS, RULE_OF, CountRule
from bridge.reports.notation import decimal
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = dict[str, Any]

WHY_LAPSED = {
    "clean_months": "after two clean months",
    "new_version": "with a new version of the rule",
    "confirmed_by_audit": "as all audited surveys were confirmed",
}


def in_words(row: Row) -> str:
    """Return a row of `trivox flags` as a sentence."""
    who = f"{row['seller_name']} ({row['seller_id']})" if row["seller_name"] else row["seller_id"]
    return f"{who}, {row['month']}: {'; '.join([evidence(row), *_indices(row), *_consequences(row)])}."


def evidence(row: Row) -> str:
    """Return the counts that a result rests on, as `yes within a second 34 of 120 (28 %), others 3 %`."""
    rule = RULE_OF.get(row["rule"])
    what, of = (rule.what, f" {rule.of}") if rule else (row["rule"], "")
    others = f"others {percent(row['peers_share'])}"
    statistic = f"p = {row['statistic']:.2g}" if isinstance(rule, CountRule) else f"Z = {row['statistic']:.1f}"
    return f"{what} {row['x']:,} of {row['n']:,}{of} ({percent(row['share'])}), {others}, {statistic}"


def percent(share: float) -> str:
    """Return a share in percent, with as many digits as a small one needs."""
    value = share * 100
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"  # noqa: PLR2004 - from ten on, two digits


def _indices(row: Row) -> Iterator[str]:
    for index in row["indices"]:
        if index["index_with"] is None or index["surveys_with"] == index["surveys_without"]:
            continue
        without = index["index_without"]
        rest = "too few without these" if without is None else f"without these {decimal(without)}"
        yield f"index of {index['question_id']} {decimal(index['index_with'])}, {rest}"


def _consequences(row: Row) -> Iterator[str]:
    if row["set_aside"]:
        yield f"set aside by {row['set_aside']['who']} on {row['set_aside']['at'][:10]}: {row['set_aside']['reason']}"
    elif row["stands"]:
        yield f"flagged since {row['since']}"
    elif row["lapsed"]:
        yield f"flagged since {row['since']}, lapsed in {row['lapsed']['month']} {WHY_LAPSED[row['lapsed']['because']]}"
    elif row["level"] == "flag":
        yield "flagged in this month; it stands if two of three months in a row are"
    else:
        yield "watched, which draws audits and nothing else"
    if row["peers"] < LEAST_PEERS and row["level"] == "watch":
        yield f"only {plural(row['peers'], 'peer')}, so that there is no flag"
    if row["surveys_set_aside"]:
        aside = row["surveys_set_aside"]
        surveys = plural(aside["surveys"], "survey")
        yield f"{surveys} set aside by {aside['who']} on {aside['at'][:10]}: {aside['reason']}"
    if not row["month_is_over"]:
        yield "the month is not over"
