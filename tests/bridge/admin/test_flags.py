"""Flags from a seller's months to the manager who sets them aside, through the commands."""

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.bridge.office import MINUTE_MS, Office
from tests.bridge.selling_chain import FAST, HONEST, NO, YES, SellingChain, at_local
from tests.schema import schemas
from tests.support import facts
from tests.support.other_user import give, service_folder

if TYPE_CHECKING:
    from pathlib import Path

MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04", "2025-05")
ABOUT = ("fast_yes", "cheat")
BECAUSE = ("--reason", "His lamp was broken")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SellingChain:
    """January to March: the cheat cheats in the first and the third month. The flags are computed."""
    chain = SellingChain(Office(tmp_path_factory.mktemp("chain")))
    for month, fast in zip(MONTHS[:3], (FAST, 0, FAST), strict=True):
        chain.month(month, fast)
    chain.flags()
    return chain


@pytest.fixture
def chain(made: SellingChain, tmp_path: Path) -> SellingChain:
    """The same, to be changed."""
    shutil.copy(made.office.database, tmp_path / made.office.database.name)
    chain = copy.deepcopy(made)
    chain.office = Office(tmp_path)
    return chain


def results(database: Path) -> list[object]:
    """Return all that was ever found, but for the instants and keys."""
    columns = "month, seller_id, rule, version, level, evidence, surveys"
    return facts.query(database, f"SELECT {columns} FROM flag_result ORDER BY result_key")


# What is found ------------------------------------------------------------------------------------------------------


def test_one_month_flags_and_two_of_three_stand(made: SellingChain) -> None:
    first, last = sorted(made.flags("--all"), key=lambda row: str(row["month"]))
    for row in (first, last):
        assert (row["seller_id"], row["rule"], row["version"], row["level"]) == ("cheat", "fast_yes", 1, "flag")
        assert (row["x"], row["n"], row["share"]) == (FAST, YES, pytest.approx(FAST / YES, abs=1e-6))
        assert (row["peers"], row["peers_share"], row["surveys_concerned"]) == (HONEST, 0, FAST)
        assert row["statistic"] < 0.001
        assert (row["since"], row["lapsed"], row["stands"]) == ("2025-01", None, True)
        assert row["site_ids"] == ["demo"]
    (index,) = last["indices"]
    assert (index["question_id"], index["surveys_with"], index["surveys_without"]) == ("staff", YES + NO, 24)
    assert index["index_with"] == pytest.approx(NO / (YES + NO), abs=1e-6)
    assert index["index_without"] is None  # below 30 surveys


def test_one_month_alone_does_not_stand(office: Office) -> None:
    chain = SellingChain(office)
    chain.month("2025-01", FAST)
    (row,) = chain.flags()
    assert (row["level"], row["state"], row["stands"], row["since"]) == ("flag", "flag", False, None)
    assert "it stands if two of three months in a row are" in office.do("flags")


def test_it_lapses_after_two_clean_months(chain: SellingChain) -> None:
    chain.month("2025-04")
    assert chain.states() == {"2025-01": "stands", "2025-03": "stands"}
    chain.month("2025-05")
    assert chain.states() == {"2025-01": "lapsed", "2025-03": "lapsed"}
    (row, _) = chain.flags("--all")
    assert row["lapsed"] == {"month": "2025-05", "because": "clean_months"}
    assert chain.flags() == []
    assert "--all shows the past" in chain.office.do("flags")


def test_a_flag_takes_nothing_out_of_the_figures(made: SellingChain) -> None:
    rows = made.office.rows("seller", from_day="2025-03-01", to_day="2025-04-01")
    assert {row["surveys"] for row in rows} == {YES + NO}


# Nothing is deleted -------------------------------------------------------------------------------------------------


def test_computing_again_and_a_rebuild_find_the_same(chain: SellingChain) -> None:
    before = results(chain.office.database)
    chain.flags()
    chain.office.do("rebuild")
    chain.flags()
    assert results(chain.office.database) == before


def test_late_data_changes_a_month_and_what_was_said_before_is_kept(chain: SellingChain) -> None:
    before = results(chain.office.database)
    for number in range(6):
        at_ms = at_local("2025-03-20") + number * MINUTE_MS
        chain.tills["cheat"].survey(at_ms, "yes", response_ms=400)
    chain.office.take(chain.tills["cheat"])
    (row,) = chain.flags("--all", "--month", "2025-03")
    assert (row["x"], row["n"], row["surveys_concerned"]) == (FAST + 6, YES + 6, FAST + 6)
    assert [(earlier["x"], earlier["n"], earlier["level"]) for earlier in row["earlier"]] == [(FAST, YES, "flag")]
    after = results(chain.office.database)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1


def test_a_corrected_shift_moves_what_was_found(chain: SellingChain) -> None:
    """In March somebody else stood at the cheat's console, as is found out later."""
    lines = ("demo,till-cheat,cheat,Cheat,2025-01-01,2025-03-01", "demo,till-cheat,other,Other,2025-03-01,2025-04-01")
    assert chain.office.shifts(*lines).status == 0
    found = {(row["seller_id"], row["month"]): row["state"] for row in chain.flags("--all")}
    assert found == {("cheat", "2025-01"): "flag", ("other", "2025-03"): "flag"}
    assert len(results(chain.office.database)) >= 3


# What a manager does ------------------------------------------------------------------------------------------------


def test_a_flag_is_set_aside_and_taken_back(chain: SellingChain) -> None:
    office = chain.office
    assert "2025-01, 2025-03" in office.do("flags", "set-aside", *ABOUT, *BECAUSE)
    assert chain.flags() == []
    rows = chain.flags("--all")
    assert {row["state"] for row in rows} == {"set_aside"}
    assert {row["set_aside"]["reason"] for row in rows} == {BECAUSE[1]}
    assert BECAUSE[1] in office.do("flags", "--all")
    office.do("flags", "take-back", *ABOUT)
    assert chain.states() == {"2025-01": "stands", "2025-03": "stands"}
    history = office.do("history", "--kind", "flag")
    assert history.count("cheat/fast_yes/2025-03") == 2
    assert BECAUSE[1] in history


def test_of_one_month_set_aside_the_other_no_longer_stands(chain: SellingChain) -> None:
    chain.office.do("flags", "set-aside", *ABOUT, "--month", "2025-01", *BECAUSE)
    assert chain.states() == {"2025-01": "set_aside", "2025-03": "flag"}
    chain.office.do("flags", "take-back", *ABOUT, "--month", "2025-01")
    assert chain.states() == {"2025-01": "stands", "2025-03": "stands"}


def test_what_is_set_aside_stays_so_when_it_is_computed_anew(chain: SellingChain) -> None:
    chain.office.do("flags", "set-aside", *ABOUT, *BECAUSE)
    chain.office.do("rebuild")
    assert set(chain.states().values()) == {"set_aside"}


def test_surveys_are_set_aside_and_taken_back(chain: SellingChain) -> None:
    office = chain.office
    said = office.do("flags", "set-surveys-aside", *ABOUT, "--month", "2025-03", *BECAUSE)
    assert said.startswith(f"{FAST} surveys of cheat")
    (row,) = chain.flags("--month", "2025-03")
    assert (row["surveys_set_aside"]["surveys"], row["surveys_set_aside"]["reason"]) == (FAST, BECAUSE[1])
    assert BECAUSE[1] in office.do("flags", "--month", "2025-03")
    assert chain.states() == {"2025-01": "stands", "2025-03": "stands"}
    assert "12 surveys" in office.do("flags", "take-surveys-back", *ABOUT)
    (row,) = chain.flags("--month", "2025-03")
    assert row["surveys_set_aside"] is None
    assert office.do("history", "--kind", "flagged_surveys").count("cheat/fast_yes/2025-03") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--month", "2025-13"), "'2025-13' is not a month: give one such as 2026-11"),
        (("--rule", "fast_yess"), "did you mean fast_yes?"),
        (("--rule", "zzz"), "There is no rule zzz: give one of asks_the_happy"),
        (("--seller", "chaet"), "cheat"),
        (("--site", "nowhere"), "nowhere"),
        (("set-aside", "fast_yes", "nobody", *BECAUSE), "nobody"),
        (("set-aside", "fast_no", "cheat", *BECAUSE), "did you mean"),
        (("set-aside", *ABOUT, "--reason", " "), "Give a reason"),
        (("set-aside", *ABOUT, "--reason", "\u200b\u00a0..."), "Give a reason"),
        (("set-aside", *ABOUT, "--reason", "\x1b[31mred"), "characters that cannot be seen"),
        (("set-aside", *ABOUT, "--reason", "x" * 501), "at most 500 characters"),
        (("set-aside", *ABOUT, "--month", "2025-02", *BECAUSE), "is not watched or flagged in 2025-02, but in 2025-01"),
        (("set-aside", "errors", "cheat", *BECAUSE), "is neither watched nor flagged"),
        (("set-aside", *ABOUT, "--month", "March", *BECAUSE), "is not a month"),
        (("set-surveys-aside", *ABOUT, "--month", "2025-02", *BECAUSE), "in 2025-02"),
        (("take-back", *ABOUT), "No such flag is set aside"),
        (("take-surveys-back", *ABOUT), "No such surveys are set aside"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(made: SellingChain, words: tuple[str, ...], said: str) -> None:
    before = results(made.office.database)
    result = made.office.run("flags", *words)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result
    assert said in result.err
    assert results(made.office.database) == before


# How it is shown ----------------------------------------------------------------------------------------------------


def test_the_formats_say_the_same(made: SellingChain) -> None:
    rows = made.flags("--all")
    judge = schemas.validator("flag")
    for row in rows:
        judge.validate(row)
    table = list(csv.DictReader(io.StringIO(made.office.do("flags", "--all", "--format", "csv"))))
    assert [list(line) for line in table] == [list(row) for row in rows]
    assert [(line["seller_id"], line["month"], float(line["statistic"])) for line in table] == [
        (row["seller_id"], row["month"], row["statistic"]) for row in rows
    ]
    assert [json.loads(line["indices"]) for line in table] == [row["indices"] for row in rows]
    text = made.office.do("flags", "--all")
    for words in ("Cheat", "2025-03", "fast_yes", "12 of 34", "35 %", "flagged since 2025-01"):
        assert words in text


@pytest.mark.parametrize(
    ("options", "months"),
    [
        ((), {"2025-03"}),
        (("--all",), {"2025-01", "2025-03"}),
        (("--month", "2025-01"), {"2025-01"}),
        (("--site", "demo"), {"2025-03"}),
        (("--seller", "honest-01"), set()),
        (("--rule", "errors"), set()),
        (("--rule", "errors", "--rule", "fast_yes", "--seller", "cheat"), {"2025-03"}),
    ],
)
def test_what_is_shown_is_chosen(made: SellingChain, options: tuple[str, ...], months: set[str]) -> None:
    assert {row["month"] for row in made.flags(*options)} == months


def test_months_without_sellers_and_without_surveys(office: Office, made: SellingChain) -> None:
    assert "There are no surveys of sellers in 2024-01" in made.office.do("flags", "--month", "2024-01")
    office.do("site", "set", "demo", "--timezone", "UTC")
    assert "import shifts" in office.do("flags")
    assert json.loads(office.do("flags", "--format", "json")) == []


def test_a_database_that_may_only_be_read(chain: SellingChain) -> None:
    """The flags are shown as they were computed, and what came since is told."""
    with service_folder() as folder:
        office = Office(folder)
        before = chain.flags("--all")
        shutil.copy(chain.office.database, office.database)
        give(office.database)
        folder.chmod(0o500)
        result = office.run("flags", "--all", "--format", "json")
        assert (result.status, result.err) == (0, "")
        assert json.loads(result.out) == before
        folder.chmod(0o700)
        chain.tills["cheat"].survey(at_local("2025-02-20"), "yes")
        office.take(chain.tills["cheat"])
        folder.chmod(0o500)
        result = office.run("flags", "--all", "--format", "json")
        assert (result.status, json.loads(result.out)) == (0, before)
        assert result.err == (
            "trivox: 1 month changed since the flags were computed, 2025-02 first: run this where you may write\n"
        )
        assert office.run("flags", "set-aside", *ABOUT, *BECAUSE).status == 1
