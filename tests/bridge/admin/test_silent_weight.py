"""Test `trivox question weight` and what reports make of it, against figures computed here by the method's formulas."""

import csv
import io
import json
import random
from collections.abc import Callable
from math import isclose, sqrt
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.office import MINUTE_MS, CommandResult, Office, OfficeTill, at
from tests.schema import schemas
from tests.support import facts, planted
from tests.support.seeds import seeded

NINE = at("2026-11-02T09:00+00:00")
DAYS = ("--from", "2026-11-01", "--to", "2026-12-01")
Z = 1.959963984540054


@pytest.fixture
def asked(office: Office) -> Office:
    """Have Anna, Bob and, in December, Carl ask; in between nobody asks the loyalty question."""
    till = OfficeTill()
    for day, hour in ((2, 9), (3, 9)):
        till.surveys(at(f"2026-11-0{day}T0{hour}:00+00:00"), yes=30, no=6, cant_say=4, silent=60)
    till.surveys(at("2026-11-10T09:00+00:00"), "loyalty", yes=20, no=10, silent=70)
    till.surveys(at("2026-12-05T09:00+00:00"), yes=30, no=10, silent=60)
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "UTC")
    shifts = ("anna,Anna,2026-11-02", "bob,Bob,2026-11-03", "carl,Carl,2026-12-05")
    assert office.shifts(*(f"demo,till-1,{s}T08:00,{s.split(',')[2]}T20:00" for s in shifts)).status == 0
    return office


def draw(office: Office, question: str = "staff", sample: int = 60, *more: object) -> Path:
    """Draw silents; return the file."""
    file = office.folder / f"drawn-{len(list(office.folder.glob('drawn-*')))}.csv"
    office.do("question", "weight", "draw", "--question", question, "--sample", sample, *DAYS, "--out", file, *more)
    return file


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))


def answered(file: Path, answer: Callable[[int], str]) -> Path:
    """Write an answer into each row of a drawn file."""
    rows = rows_of(file)
    lines = ["survey_id,answer", *(f"{row['survey_id']},{answer(number)}" for number, row in enumerate(rows))]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def estimate(office: Office, file: Path, question: str = "staff", *more: object) -> CommandResult:
    return office.run("question", "weight", "estimate", file, "--question", question, *more)


def estimates(office: Office) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(office.do("question", "weight", "list", "--format", "json"))
    return found


def twenty_no_ten_silent(number: int) -> str:
    """Answer as twenty dissatisfied, ten unreachable and thirty satisfied silents do."""
    return "no" if number < 20 else "" if number < 30 else "yes"


def test_silents_are_drawn_by_the_seed_that_is_kept(asked: Office) -> None:
    seed = seeded("draw silents").getrandbits(31)
    files = [draw(asked, "staff", 60, "--seed", given) for given in (seed, seed, seed + 1)]
    drawn = [[row["survey_id"] for row in rows_of(file)] for file in files]
    assert drawn[0] == drawn[1] != drawn[2]
    silents = sorted((at_ms, f"demo/till-1/0000abcd/{number}") for number, at_ms in _silents(asked, "staff"))
    assert len(silents) == 120
    positions = sorted(random.Random(seed).sample(range(120), 60))
    assert drawn[0] == [silents[position][1] for position in positions]
    first = estimates(asked)[0]
    assert (first["seed"], first["population"], first["sample"], first["draw"]) == (seed, 120, 60, 1)
    assert (first["from"], first["to"], first["silent_weight"]) == ("2026-11-01", "2026-12-01", None)
    assert first["drawn_by"]


def _silents(office: Office, question: str) -> list[tuple[int, int]]:
    names = ("survey", "opened_at_ms", "outcome", "question_id")
    rows = [row for row in facts.surveys(office.database, *names) if row[2:] == ("silent", question)]
    return [(number, at_ms) for number, at_ms, *_ in rows if at_ms < at("2026-12-01T00:00+00:00")]


def test_the_file_names_each_drawn_survey(asked: Office) -> None:
    asked.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    row = rows_of(draw(asked, "staff", 120))[0]
    assert row == {
        "survey_id": "demo/till-1/0000abcd/81",
        "site_id": "demo",
        "console_id": "till-1",
        "checkout_point_id": "",
        "seller_id": "anna",
        "opened_at": "2026-11-02T11:20+02:00",
        "answer": "",
    }


def test_of_a_personnel_question_only_silents_that_its_index_counts_are_drawn(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, silent=60)
    till.force_majeure(NINE + 60 * MINUTE_MS)
    till.surveys(NINE + 61 * MINUTE_MS, silent=10)
    office.take(till)
    draw(office, "staff", 50)
    assert estimates(office)[0]["population"] == office.rows("site")[0]["silent"] == 60


def test_an_estimate_says_what_it_rests_on(asked: Office) -> None:
    result = estimate(asked, answered(draw(asked, "staff", 60, "--seed", 5), twenty_no_ten_silent))
    assert result.status == 0
    assert "0.33 (0.23 to 0.46)" in result.out
    assert "between 0.33 and 0.50" in result.out
    (row,) = estimates(asked)
    assert (row["m"], row["b"], row["unanswered"], row["seed"], row["in_force"]) == (60, 20, 10, 5, True)
    settings = asked.rows("site", "--question", "staff")[0]["settings"]
    assert (settings["silent_weight"], settings["silent_weight_origin"]) == (20 / 60, "estimated")
    told = settings["silent_weight_estimate"]
    assert [told[name] for name in ("m", "b", "unanswered", "from", "to", "seed", "at_best", "at_worst")] == [
        *(60, 20, 10, "2026-11-01", "2026-12-01", 5, 20 / 60, 30 / 60)
    ]
    assert (told["silents"], told["silents_of_sellers_drawn"], told["silents_drawn"]) == (120, 120, 60)
    (change,) = [c for c in json.loads(asked.do("history", "--json")) if c["kind"] == "silent_weight"]
    assert change["after"]["no"] == 20
    assert change["command"] == "question weight estimate"


def test_the_interval_of_a_row_holds_the_error_of_the_weight(asked: Office) -> None:
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    share, k = 22 / 64, 20 / 60
    for row in asked.rows("seller", "--question", "staff"):  # Anna and Bob, from both of whom some were drawn
        _check_interval(row, k, share * (1 - share) / 64)


def test_for_sellers_from_whom_none_were_drawn_the_variance_between_sellers_is_added(asked: Office) -> None:
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    share, k = 22 / 64, 20 / 60
    (carl,) = asked.rows("seller", "--seller", "carl", to_day="2027-01-01")
    told = carl["settings"]["silent_weight_estimate"]
    between = told["variance_between_sellers"]
    assert (told["silents_of_sellers_drawn"], told["silents_drawn"]) == (0, 0)
    assert 0 < between <= share * (1 - share)
    _check_interval(carl, k, share * (1 - share) / 64 + between)
    assert any("60 of 60 silents are of sellers from whom none were drawn" in note for note in carl["notes"])
    (whole,) = asked.rows("question", "--question", "staff", to_day="2027-01-01")
    _check_interval(whole, k, share * (1 - share) / 64 + between * (60 / 180) ** 2)
    assert whole["settings"]["silent_weight_estimate"]["silents_of_sellers_drawn"] == 120


def _check_interval(row: dict[str, Any], k: float, variance: float) -> None:
    n, d, s = row["surveys"], row["no"], row["silent"]
    mean = (d + k * s + 1.5) / (n + 3)
    square = (d + k * k * s + 0.75 + 1.5 * 0.25) / (n + 3)
    half = Z * sqrt((square - mean**2) / (n + 3) + (s / n) ** 2 * variance)
    index = row["dissatisfaction_index"]
    assert isclose(index["value"], (d + k * s) / n)
    assert isclose(index["low"], max(0, mean - half))
    assert isclose(index["high"], mean + half)
    assert row["index_without"] == index


def test_the_value_comes_first_only_where_the_weight_is_estimated(asked: Office) -> None:
    def places() -> list[int]:
        text = asked.do("report", *DAYS, "--by", "site", "--question", "staff")
        return [text.index(heading) for heading in ("none to all", "95 % interval")]

    assert places() == sorted(places())
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    assert places() != sorted(places())
    asked.do("question", "set", "staff", "--silent-weight", 0.4, "--silent-weight-origin", "calls")
    assert places() == sorted(places())


def test_a_weight_set_by_hand_ends_the_estimate_but_keeps_it_in_the_list(asked: Office) -> None:
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    asked.do("question", "set", "staff", "--text", "en=Are you satisfied with us?")
    assert asked.rows("site", "--question", "staff")[0]["settings"]["silent_weight_estimate"] is not None
    result = asked.run("question", "set", "staff", "--silent-weight-origin", "a guess")
    assert (result.status, "was estimated" in result.err) == (2, True)
    asked.do("question", "set", "staff", "--silent-weight", 0.4)
    settings = asked.rows("site", "--question", "staff")[0]["settings"]
    assert (settings["silent_weight"], settings["silent_weight_estimate"]) == (0.4, None)
    (row,) = estimates(asked)
    assert (row["in_force"], row["b"]) == (False, 20)
    result = asked.run("question", "set", "staff", "--silent-weight", 0.4, "--silent-weight-origin", "Estimated ")
    assert (result.status, "at least 50" in result.err) == (2, True)


def test_loyalty_may_have_a_negative_weight_and_other_kinds_not(asked: Office) -> None:
    file = answered(
        draw(asked, "loyalty", 70), lambda number: "yes" if number < 40 else "no" if number < 50 else "cant_say"
    )
    assert estimate(asked, file, "loyalty").status == 0
    (row,) = asked.rows("site", "--question", "loyalty")
    index = row["emotional_loyalty_index"]
    assert isclose(row["settings"]["silent_weight"], -30 / 70)
    assert isclose(index["value"], (20 - 10 + 30) / 100)
    mean, square = (20 - 10 + 30) / 103, (30 + 1.5 + (3 / 7) ** 2 * 70) / 103
    own = ((50 + 1.5) / 73 - (30 / 73) ** 2) / 73
    half = Z * sqrt((square - mean**2) / 103 + 0.7**2 * own)
    assert isclose(index["low"], mean - half)
    assert isclose(index["high"], mean + half)
    assert any("below 0" in note for note in row["notes"])
    assert row["silent_part"] < 0
    asked.do("question", "set", "loyalty", "--silent-weight", -0.25)
    assert isclose(asked.rows("site", "--question", "loyalty")[0]["emotional_loyalty_index"]["value"], 0.1 + 0.25 * 0.7)
    for name, *options in (("staff", "--silent-weight", -0.1), ("loyalty", "--silent-weight", -1.1)):
        assert asked.run("question", "set", name, *options).status == 2
    assert "only questions of kind loyalty" in asked.run("question", "set", "loyalty", "--kind", "office").err


def test_unanswered_silents_move_the_index_beyond_its_interval_only_with_a_note(asked: Office) -> None:
    file = draw(asked)
    estimate(asked, answered(file, lambda number: "no" if number < 5 else "yes" if number < 20 else "unanswered"))
    (row,) = asked.rows("site", "--question", "staff")
    bounds = [(12 + 120 * k) / 200 for k in (5 / 60, 45 / 60)]
    told = f"the index is {bounds[0]:.2f} to {bounds[1]:.2f}"
    assert any("40 of 60 silents did not answer" in note and told in note for note in row["notes"])


def test_silents_that_the_file_leaves_out_count_as_no_answer(asked: Office) -> None:
    file = answered(draw(asked), twenty_no_ten_silent)
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join(lines[:1] + lines[11:]), "utf-8")  # somebody dropped ten who said no
    result = estimate(asked, file)
    assert "10 drawn silents not in the file: counted as no answer" in result.out
    (row,) = estimates(asked)
    assert (row["m"], row["b"], row["unanswered"], row["at_worst"]) == (60, 10, 20, 30 / 60)
    assert json.loads(estimate(asked, file, "staff", "--format", "json").out)["missing"] == 10


def test_below_fifty_nothing_is_estimated(asked: Office) -> None:
    result = estimate(asked, answered(draw(asked, "staff", 49), lambda _: "no"))
    assert (result.status, "at least 50" in result.err) == (2, True)
    assert asked.rows("site", "--question", "staff")[0]["settings"]["silent_weight_origin"] == "not estimated"
    assert estimate(asked, answered(draw(asked, "staff", 50), lambda _: "no")).status == 0


def test_without_a_draw_or_an_answer_nothing_is_estimated(asked: Office) -> None:
    file = asked.file("answers.csv", "survey_id,answer\ndemo/till-1/0000abcd/81,no\n")
    assert "No silents of staff were drawn yet" in estimate(asked, file).err
    assert "nothing is known" in estimate(asked, draw(asked)).err
    assert "its draws are 1" in estimate(asked, file, "staff", "--draw", 2).err


WRONG = {
    "demo/till-1/0000abcd/9999,no": "there is no survey",
    "no survey,no": "there is no survey",
    ",no": "it names no survey_id",
    "demo/till-1/0000abcd/1,no": "is no silent",
    "demo/till-1/0000abcd/401,no": "asked loyalty, not staff",
    "{undrawn},no": "was not drawn in draw 1",
    "{drawn},perhaps": "answer 'perhaps' must be yes, no, cant_say, or empty",
    "{drawn},yes\n{drawn},no": "is in line 2, too",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_lines_are_refused_with_a_sentence(asked: Office, line: str) -> None:
    drawn = {row["survey_id"] for row in rows_of(draw(asked))}
    all_ids = sorted(f"demo/till-1/0000abcd/{number}" for number, _ in _silents(asked, "staff"))
    names = {"drawn": min(drawn), "undrawn": next(name for name in all_ids if name not in drawn)}
    file = asked.file("answers.csv", f"survey_id,answer\n{line.format(**names)}\n")
    result = estimate(asked, file)
    assert (result.status, result.out) == (1, "")
    assert WRONG[line] in result.err
    assert "line" in result.err
    assert estimates(asked)[0]["estimate"] is None


def test_a_file_may_be_one_that_a_spreadsheet_saved(asked: Office) -> None:
    rows = rows_of(draw(asked))
    words = ["No", "YES", "can't say", "Cant Say", ""]
    lines = [f"{row['survey_id']};{row['site_id']};{words[number % 5]}" for number, row in enumerate(rows)]
    file = asked.file("answers.csv", "\r\n".join(["Survey ID;Site ID;Answer", *lines]) + "\r\n")
    assert estimate(asked, file).status == 0
    (row,) = estimates(asked)
    assert [row[name] for name in ("yes", "no", "cant_say", "unanswered")] == [12, 12, 24, 12]
    bad = asked.file("sorted.csv", f"survey_id,site_id,answer\n{rows[0]['survey_id']},sofia,no\n")
    assert "sorted in part" in estimate(asked, bad).err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--sample", 500, *DAYS], "Only 120 silents"),
        (["--sample", 0, *DAYS], "--sample must be from 1"),
        (["--sample", 60, "--from", "2026-12-01", "--to", "2026-12-01"], "later than --from"),
        (["--sample", 60, "--seed", -1, *DAYS], "--seed must be"),
        (["--sample", 60], "from which days"),
        (["--again", 7], "There is no draw 7"),
        (["--again", 1, "--sample", 60], "leave out --sample"),
    ],
)
def test_what_cannot_be_drawn_is_refused(asked: Office, options: list[object], sentence: str) -> None:
    result = asked.run("question", "weight", "draw", "--question", "staff", *options)
    assert (result.status, result.out) == (2, "")
    assert sentence in result.err


def test_a_file_is_never_overwritten_and_can_be_written_again(asked: Office) -> None:
    file = draw(asked)
    before = file.read_text("utf-8")
    result = asked.run("question", "weight", "draw", "--question", "staff", "--sample", 60, *DAYS, "--out", file)
    assert (result.status, "is there already" in result.err) == (2, True)
    assert asked.do("question", "weight", "draw", "--question", "staff", "--again", 1) == before
    assert len(estimates(asked)) == 1
    assert asked.do("question", "weight", "list", "--format", "csv").startswith("question_id,kind,draw,")
    assert "60  120" in asked.do("question", "weight", "list")


def test_rows_with_an_estimate_match_the_schema(asked: Office) -> None:
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    for row in asked.rows("seller", to_day="2027-01-01"):
        schemas.validator("report_row").validate(row)


def test_a_chart_says_how_the_weight_was_estimated_and_holds_its_error(asked: Office) -> None:
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    words = ("chart", "--by", "seller", "--question", "staff", "--from", "2026-11-02", "--to", "2026-11-16")
    charts = json.loads(asked.do(*words, "--format", "json"))
    rows = asked.rows("seller", "--question", "staff", from_day="2026-11-02", to_day="2026-11-09")
    for chart, row in zip(charts, rows, strict=True):
        told = chart["settings"]["silent_weight_estimate"]
        assert told == row["settings"]["silent_weight_estimate"]
        first = chart["points"][0]
        assert [first["low"], first["high"]] == [row["dissatisfaction_index"][side] for side in ("low", "high")]
        assert told["silents_drawn"] > 0


def test_estimates_outlive_a_rebuild(asked: Office) -> None:
    estimate(asked, answered(draw(asked), twenty_no_ten_silent))
    before = asked.rows("seller")
    asked.do("rebuild")
    assert asked.rows("seller") == before
    assert facts.damage(asked.database) == []


def test_a_database_of_an_older_version_keeps_its_weights(office: Office) -> None:
    planted.weights_before_estimates(office.database, 0.3, "calls")
    office.do("question", "set", "loyalty", "--silent-weight", -0.5)
    lines = office.do("question", "list")
    assert lines.count("silent weight 0.3 (calls)") == 2
    assert "loyalty, revision 1, loyalty, silent weight -0.5 (origin not stated" in lines
    assert facts.damage(office.database) == []
