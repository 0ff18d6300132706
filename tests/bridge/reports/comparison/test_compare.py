"""What `trivox compare` says of periods, sites and sellers, against an independent computation."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.reports.comparison import independent
from tests.schema import schemas

if TYPE_CHECKING:
    from tests.bridge.office import Office
    from tests.bridge.reports.comparison.conftest import ComparedWorld

NOVEMBER = ("--from", "2026-11-02", "--to", "2026-11-30")
AGAINST = "compared with 5 October to 1 November 2026, each weekday equally often"
OCTOBER = ("--with-from", "2026-10-05", "--with-to", "2026-11-02")


def compare(office: Office, *options: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("compare", *options, "--format", "json"))
    judge = schemas.validator("compare_row")
    for row in rows:
        judge.validate(row)
    return rows


def near(estimate: dict[str, float], expected: tuple[float, float, float]) -> bool:
    return tuple(estimate[name] for name in ("value", "low", "high")) == pytest.approx(expected, abs=1e-9)


def check_difference(row: dict[str, Any], k: float) -> None:
    one, two = independent.counts_of(row["this"]), independent.counts_of(row["with"])
    for name, weight in (("difference", k), ("difference_at_k0", 0.0), ("difference_at_k1", 1.0)):
        sides = independent.dissatisfaction(one, weight), independent.dissatisfaction(two, weight)
        assert near(row[name], independent.difference(*sides)), (name, row)
    answered = [(sum(counts) - counts[3], sum(counts)) for counts in (one, two)]
    shares = [(count / of, *independent.wilson(count, of)) for count, of in answered]
    assert near(row["response_rate_difference"], independent.difference(*shares))


@pytest.mark.parametrize("by", ["question", "site", "seller"])
def test_two_periods_differ_as_an_independent_computation_finds(world: ComparedWorld, by: str) -> None:
    rows = compare(world.office, *NOVEMBER, *OCTOBER, "--by", by)
    assert rows == compare(world.office, *NOVEMBER, "--with", "previous", "--by", by), "28 days before are October's"
    assert len(rows) == {"question": 1, "site": 2, "seller": 10}[by]
    verdicts = set()
    for row in rows:
        if row["verdict"] != "too_few":
            check_difference(row, 0.5)
            sides = (independent.counts_of(row[side]) for side in ("this", "with"))
            assert row["verdict"] == independent.verdict(*sides, 0.5)
            assert row["words"].startswith(row["verdict"].replace("_", " "))
        verdicts.add(row["verdict"])
        assert row["days"] == f"2 to 29 November 2026, {AGAINST}"
        if by == "seller":
            assert independent.counts_of(row["this"]) == world.november[row["seller_id"]].counts
    if by == "seller":
        assert verdicts > {"too_few", "worse"}


def test_sellers_stand_in_groups_as_an_independent_computation_finds(world: ComparedWorld) -> None:
    rows = compare(world.office, *NOVEMBER, "--by", "seller")
    members = {seller: month.counts for seller, month in world.november.items() if sum(month.counts) >= 30}
    expected = independent.groups(members) | {"seller-5": "too_few"}
    assert {row["seller_id"]: row["verdict"] for row in rows} == expected
    assert {expected["seller-2"], expected["seller-7"]} == {"worse_than_most"}
    order = ["better_than_most", "cannot_be_told_apart", "worse_than_most", "too_few"]
    by_name = sorted(rows, key=lambda row: (order.index(row["verdict"]), row["seller_name"]))
    assert rows == by_name, "they stand by name, not by index"
    assert all("sellers of 2 sites are compared (east, west)" in row["notes"][0] for row in rows if row["others"])


def test_sellers_of_each_site_are_compared_within_it(world: ComparedWorld) -> None:
    rows = compare(world.office, *NOVEMBER, "--by", "site,seller")
    assert {row["others"] for row in rows if row["site_id"] == "east"} == {4}
    assert {row["others"] for row in rows if row["site_id"] == "west"} == {3, None}
    assert all(row["notes"] == [] for row in rows)


def test_a_small_group_has_an_empirical_bayes_figure_between_its_own_and_the_others(world: ComparedWorld) -> None:
    rows = compare(world.office, *NOVEMBER, "--by", "seller")
    drawn = {row["seller_id"]: row["empirical_bayes"] for row in rows if row["empirical_bayes"]}
    assert set(drawn) == {"seller-6"}, "the only one with 30 to 59 surveys"
    figure = drawn["seller-6"]
    raw = next(row["this"]["dissatisfaction_index"]["value"] for row in rows if row["seller_id"] == "seller-6")
    mean, weight = figure["others_mean"], figure["own_weight"]
    assert figure["value"] == pytest.approx(weight * raw + (1 - weight) * mean)
    assert figure["low"] < figure["value"] < figure["high"]
    assert 0 < figure["own_weight"] < 1


def test_sites_are_compared_in_pairs_and_when_named(world: ComparedWorld) -> None:
    (pair,) = compare(world.office, *NOVEMBER, "--by", "site")
    assert (pair["site_id"], pair["with_site_id"]) == ("east", "west")
    (named,) = compare(world.office, *NOVEMBER, "--site", "east", "--with-site", "west")
    (back,) = compare(world.office, *NOVEMBER, "--site", "west", "--with-site", "east")
    assert (named["site_ids"], named["with_site_ids"]) == (["east"], ["west"])
    check_difference(pair, 0.5)
    assert pair["difference"] == named["difference"]
    assert back["difference"]["value"] == -named["difference"]["value"]
    assert back["difference"]["low"] == -named["difference"]["high"]
    opposite = {"better": "worse", "worse": "better"}
    assert back["verdict"] == opposite.get(named["verdict"], named["verdict"])


def test_groups_of_sellers_are_compared_when_named(world: ComparedWorld) -> None:
    options = ("--seller", "seller-2", "--seller", "seller-7", "--with-seller", "seller-0", "--with-seller", "seller-1")
    (row,) = compare(world.office, *NOVEMBER, *options)
    assert (row["seller_ids"], row["with_seller_ids"]) == (["seller-2", "seller-7"], ["seller-0", "seller-1"])
    together = [sum(month) for month in zip(*(world.november[f"seller-{n}"].counts for n in (2, 7)), strict=True)]
    assert list(independent.counts_of(row["this"])) == together
    check_difference(row, 0.5)
    assert row["verdict"] == "worse"
    assert "a difference of +" in row["words"]


def test_each_pair_of_sellers_is_better_or_worse_only_by_holm_over_all_pairs(world: ComparedWorld) -> None:
    rows = compare(world.office, *NOVEMBER, "--by", "seller", "--as", "pairs")
    pairs = [row for row in rows if row["with"]]
    assert len(pairs) == 9 * 8 // 2
    for row in pairs:
        check_difference(row, 0.5)
        if row["verdict"] in {"better", "worse"}:
            assert {row["seller_id"], row["with_seller_id"]} & {"seller-2", "seller-7"}
    by_chance = [row for row in pairs if row["words"].endswith("which chance alone may give among 36 pairs")]
    assert all(row["verdict"] == "cannot_be_told_apart" for row in by_chance)


def test_csv_has_the_figures_of_json(world: ComparedWorld) -> None:
    options = (*NOVEMBER, *OCTOBER, "--by", "seller")
    rows = compare(world.office, *options)
    lines = list(csv.DictReader(io.StringIO(world.office.do("compare", *options, "--format", "csv"))))
    assert [line["seller_id"] for line in lines] == [row["seller_id"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert line["verdict"] == row["verdict"]
        assert line["this_surveys"] == str(row["this"]["surveys"])
        assert line["difference_low"] == ("" if row["difference"] is None else str(row["difference"]["low"]))
        index = row["with"]["dissatisfaction_index"] or {"at_k1": ""}
        assert line["with_dissatisfaction_index_at_k1"] == str(index["at_k1"])


def test_the_table_tells_by_sign_and_word_and_how_verdicts_are_found(world: ComparedWorld) -> None:
    table = world.office.do("compare", *NOVEMBER, "--by", "seller")
    assert "▼W clearly worse than most" in table
    assert "…F too few" in table
    assert "too few: 12 surveys, fewer than 30" in table
    assert "at most 5 of 100 tables (Holm)" in table
    assert "silent weight 0.5 (not estimated)" in table
    assert "difference," in world.office.do("compare", *NOVEMBER)


WRONG = {
    ("--by", "day"): "--by day is a time",
    ("--by", "nonsense"): "--by 'nonsense' is not a group",
    ("--by", "site,question"): "Key questions are not compared with each other",
    ("--with", "yesteryear"): "--with 'yesteryear' is not a period",
    ("--with", "previous", "--with-from", "2026-10-01", "--with-to", "2026-10-29"): "not both",
    ("--with-from", "2026-10-01"): "Give both --with-from DATE and --with-to DATE",
    ("--with-from", "2026-10-09", "--with-to", "2026-10-09"): "--with-to 2026-10-09 is not after --with-from",
    ("--with-from", "2026-10-09", "--with-to", "2026-11-09"): "The two periods overlap",
    ("--with-site", "west"): "Say which site to compare with it: --site ID",
    ("--site", "west", "--with-site", "west"): "Site west is on both sides",
    ("--site", "west", "--with-site", "wset"): "did you mean west?",
    ("--seller", "seller-1", "--with-seller", "seller-11"): "There is no seller seller-11",
    ("--site", "west", "--with-site", "east", "--by", "seller"): "nothing else to group by",
    ("--site", "east", "--with-site", "west", "--with-seller", "seller-1"): "One comparison at a time",
    ("--target", "--with", "previous"): "One comparison at a time: give only one of --with and --target",
    ("--question", "stuff"): "did you mean staff?",
    ("--site", "north"): "There is no site north",
}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_wrong_usage_is_told_in_a_sentence(world: ComparedWorld, options: tuple[str, ...]) -> None:
    result = world.office.run("compare", *NOVEMBER, *options)
    assert (result.status, result.out) == (2, "")
    assert WRONG[options] in result.err
    assert result.err.count("\n") == 1


def test_days_without_a_weekday_in_common_are_refused(world: ComparedWorld) -> None:
    other = ("--with-from", "2026-11-03", "--with-to", "2026-11-04")
    result = world.office.run("compare", "--from", "2026-11-02", "--to", "2026-11-03", *other)
    assert result.status == 2
    assert "2 November 2026 and 3 November 2026 have no weekday in common" in result.err


def test_an_empty_period_says_which_days_have_surveys(world: ComparedWorld) -> None:
    summer = ("--from", "2026-06-01", "--to", "2026-07-01")
    some = "there are some on 2026-10-05 to 2026-11-29."
    assert some in world.office.do("compare", *summer, "--by", "seller")
    assert world.office.do("compare", *summer, "--by", "seller", "--format", "json") == "[]\n"
    told = world.office.do("compare", *NOVEMBER, "--with-from", "2026-06-01", "--with-to", "2026-07-01")
    assert "nothing to compare: no surveys in the other period" in told
    assert some in told
