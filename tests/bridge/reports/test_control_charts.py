"""Control charts through `trivox chart`, held against an independent computation; annotations, targets, plain words."""

import csv
import io
import json
import random
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.reports.control_chart.anhoej import find_runs, least_crossings, most_in_a_row
from bridge.reports.control_chart.chance import _usual_sequences, chance_of_shift, chance_of_signal
from bridge.reports.control_chart.chart_table import as_text
from bridge.reports.control_chart.figures import FIGURES
from bridge.reports.control_chart.judgement import judge, target_words
from bridge.reports.control_chart.laney import ScoreSums, limits_of
from tests.bridge.office import MINUTE_MS, Office, OfficeTill
from tests.bridge.reports import chart_oracle as oracle
from tests.schema import schemas
from tests.support.seeds import seeded

MONDAY = date(2024, 1, 1)
WEEKS = 26
DAYS = ("--from", "2024-01-01", "--to", "2024-07-01")
DAY_MS = 24 * 60 * MINUTE_MS
START_MS = int(datetime(2024, 1, 1, 9, tzinfo=UTC).timestamp() * 1000)
SCHEMA = schemas.validator("chart")
Week = dict[str, int]


def week_of(rng: random.Random, size: int, no: float = 0.2) -> Week:
    outcomes = rng.choices(["yes", "no", "cant_say", "silent"], [0.5 - no, no, 0.1, 0.4], k=size)
    return {outcome: outcomes.count(outcome) for outcome in ("yes", "no", "cant_say", "silent")}


def recorded(site: str, weeks: list[Week], question: str = "staff", epoch: str = "0000abcd") -> OfficeTill:
    """Return a till that asked in each week, on its Monday."""
    till = OfficeTill(site, "till-1", epoch, base_ms=START_MS - DAY_MS)
    for number, week in enumerate(weeks):
        till.surveys(START_MS + number * 7 * DAY_MS, question, **week)
    return till


def charts(office: Office, *options: object) -> list[dict[str, Any]]:
    """Return the charts that a command prints as JSON, each checked against the schema."""
    found: list[dict[str, Any]] = json.loads(office.do("chart", "--format", "json", *options))
    for chart in found:
        SCHEMA.validate(chart)
        assert chart.keys() <= schemas.read(schemas.path_of("chart"))["properties"].keys()
    return found


WORLD: dict[str, list[Week]] = {}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """`east` is stable, `west` gets worse after its 16th week, `south` has had odd weeks; east also asks `loyalty`."""
    rng = seeded("control charts")
    WORLD["east"] = [week_of(rng, rng.randint(30, 44)) for _ in range(WEEKS)]
    WORLD["loyalty"] = [week_of(rng, rng.randint(30, 36)) for _ in range(WEEKS)]
    WORLD["west"] = [{"yes": 30 - no, "no": no} for no in [3, 5, 4, 4, 5, 3, 4, 5] * 2 + [11, 9, 12, 10, 9] * 2]
    WORLD["south"] = [{"yes": 31 - no, "no": no} for no in (6, 6, 10, 5, 3, 0, 8, 7)]
    WORLD["south"][3] = {"yes": 24, "no": 5}
    WORLD["south"][5] = {}
    office = Office(tmp_path_factory.mktemp("charts"))
    south = recorded("south", WORLD["south"])
    for minute in range(4):
        south.force_majeure(START_MS + 7 * DAY_MS + DAY_MS + minute * MINUTE_MS)
    tills = [recorded("east", WORLD["east"]), recorded("east", WORLD["loyalty"], "loyalty", "0000abce")]
    tills[1].console_id = "till-2"
    office.take(*tills, recorded("west", WORLD["west"]), south)
    return office


@pytest.fixture
def own_shops(shops: Office, tmp_path: Path) -> Office:
    """A copy of these shops, for a test that changes them."""
    shutil.copytree(shops.folder, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


@pytest.mark.parametrize("k", ["0", "0.02", "0.5", "1"])
@pytest.mark.parametrize(
    ("question", "kind", "world"), [("staff", "personnel", "east"), ("loyalty", "loyalty", "loyalty")]
)
def test_the_figures_are_those_of_an_independent_computation(
    own_shops: Office, question: str, kind: str, world: str, k: str
) -> None:
    own_shops.do("question", "set", question, "--silent-weight", k)
    (chart,) = charts(own_shops, *DAYS, "--site", "east", "--question", question)
    expected = oracle.expected_chart(WORLD[world], kind, float(k))
    assert chart["centre"] == pytest.approx(expected.centre)
    assert chart["sigma_z"] == pytest.approx(expected.sigma_z)
    assert [point["value"] for point in chart["points"]] == pytest.approx(expected.values)
    limits = [(point["lower_limit"], point["upper_limit"]) for point in chart["points"]]
    assert [low for low, _ in limits] == pytest.approx([low for low, _ in expected.limits])
    assert [high for _, high in limits] == pytest.approx([high for _, high in expected.limits])
    assert [point["surveys"] for point in chart["points"]] == [sum(week.values()) for week in WORLD[world]]
    runs = oracle.expected_runs(expected.values, expected.centre)
    told = chart["runs"]
    assert (told["useful"], told["longest_run"], told["crossings"]) == runs[:3]
    rules = {signal["rule"] for signal in chart["signals"]}
    assert ("long_run" in rules, "few_crossings" in rules) == (runs.is_long, runs.are_few)
    for end, name in (("0", "centre_at_k0"), ("1", "centre_at_k1")):
        assert chart[name] == pytest.approx(oracle.expected_chart(WORLD[world], kind, float(end)).centre)


def test_a_shift_is_told_in_plain_words(shops: Office) -> None:
    (west,) = charts(shops, *DAYS, "--site", "west")
    assert (west["change"]["name"], west["change"]["words"], west["change"]["sign"]) == (
        "worse", "worse than usual", "▼ W"
    )  # fmt: skip
    assert {signal["rule"] for signal in west["signals"]} == {"long_run", "few_crossings"}
    (run,) = [signal for signal in west["signals"] if signal["rule"] == "long_run"]
    assert (run["from"], run["to"], run["side"]) == ("2024-01-01", "2024-04-22", "below")
    (east,) = charts(shops, *DAYS, "--site", "east", "--question", "staff")
    assert (east["change"]["words"], east["signals"]) == ("usual variation", [])


def test_states_of_weeks(shops: Office) -> None:
    (south,) = charts(shops, "--from", "2024-01-01", "--to", "2024-02-29", "--site", "south")
    states = [point["state"] for point in south["points"]]
    assert states == [
        "judged",
        "not_assessable",
        "judged",
        "too_few",
        "judged",
        "no_surveys",
        "judged",
        "judged",
        "part",
    ]
    values = [point["value"] for point in south["points"]]
    assert (values[3], values[5], values[0]) == (None, None, pytest.approx(6 / 31))
    judged = [WORLD["south"][number] for number in (0, 2, 4, 6, 7)]
    assert south["centre"] == pytest.approx(sum(w["no"] for w in judged) / sum(w["yes"] + w["no"] for w in judged))
    assert south["trial_limits"]
    assert south["change"]["words"] == "usual variation"
    assert "trial limits: of 5 points, fewer than 12" in south["notes"]
    assert any(note.startswith("1 week with fewer than 30 surveys") for note in south["notes"])
    assert any(note.startswith("1 week not assessable") for note in south["notes"])
    for end in (
        "2024-02-12",
        "2024-01-29",
        "2024-01-15",
    ):  # the newest week is without surveys, too few, not assessable
        (chart,) = charts(shops, "--from", "2024-01-01", "--to", end, "--site", "south")
        assert chart["change"]["words"] == "too few to say"


def test_each_group_has_a_chart_and_all_of_them_expect_false_signals(shops: Office) -> None:
    found = charts(shops, *DAYS, "--by", "site", "--question", "staff")
    assert [chart["site_id"] for chart in found] == ["east", "south", "west"]
    expected = sum(chart["expected_false_signals"] for chart in found)
    for chart in found:
        assert chart["of_all"]["expected_false_signals"] == pytest.approx(expected)
        assert chart["of_all"]["with_signals"] == sum(1 for one in found if one["signals"]) == 1
    assert found[0]["expected_false_signals"] == chance_of_signal(26, found[0]["runs"]["useful"])


def test_the_last_weeks_that_are_over_are_judged_and_the_current_one_told(
    shops: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2024, 6, 24, 12, tzinfo=UTC)  # the Monday of the 26th week
    monkeypatch.setattr("bridge.cli.chart.time", SimpleNamespace(time_ns=lambda: int(now.timestamp() * 1e9)))
    (chart,) = charts(shops, "--last", "20", "--site", "west")
    points = chart["points"]
    assert [points[0]["name"], points[-2]["name"], points[-1]["name"]] == ["2024-W06", "2024-W25", "2024-W26"]
    assert [point["state"] for point in points] == ["judged"] * 20 + ["part"]
    assert (points[-1]["surveys"], points[-1]["value"]) == (30, pytest.approx(9 / 30))
    assert chart["change"]["newest"] == "2024-W25"


def test_an_annotation_begins_a_new_range_where_it_concerns_all_of_a_chart(own_shops: Office) -> None:
    shown = own_shops.do("annotation", "set", "new tills", "--on", "2024-04-24", "--site", "west", "--new-range")
    assert shown == "Annotation 1 is set on 2024-04-24; limits begin anew there.\n"
    (west,) = charts(own_shops, *DAYS, "--site", "west")
    assert [point["range"] for point in west["points"]] == [1] * 16 + [2] * 10
    after = oracle.expected_chart(WORLD["west"][16:], "personnel", 0.5)
    assert (west["range"], west["centre"]) == (2, pytest.approx(after.centre))
    assert west["points"][-1]["upper_limit"] == pytest.approx(after.limits[-1][1])
    assert west["ranges"][0]["centre"] == pytest.approx(
        oracle.expected_chart(WORLD["west"][:16], "personnel", 0.5).centre
    )
    assert (west["change"]["words"], west["trial_limits"], west["annotations"][0]["begins_range"]) == (
        "usual variation", True, 2
    )  # fmt: skip
    (note,) = [
        note for note in west["notes"] if note.startswith("limits begin anew on 2024-04-22 by annotation 1, set")
    ]
    assert note.endswith(": centre 0.14 before, 0.34 since")
    (both,) = charts(own_shops, *DAYS, "--question", "staff")
    assert [note["begins_range"] for note in both["annotations"]] == [None]
    assert {point["range"] for point in both["points"]} == {1}
    (east,) = charts(own_shops, *DAYS, "--site", "east", "--question", "staff")
    assert east["annotations"] == []


def test_annotations_are_listed_removed_and_kept_in_the_history(own_shops: Office) -> None:
    own_shops.do("annotation", "set", "a sale", "--on", "2024-02-01", "--question", "staff")
    again = own_shops.do("annotation", "set", "a  sale", "--on", "2024-02-01", "--question", "staff")
    assert again == "Annotation 1 was set before on 2024-02-01.\n"
    changed = own_shops.do("annotation", "set", "a sale", "--on", "2024-02-01", "--question", "staff", "--new-range")
    assert changed.startswith("Annotation 1 is changed")
    own_shops.do("annotation", "set", "moved", "--on", "2024-03-01", "--console", "east/till-1")
    listed = json.loads(own_shops.do("annotation", "list", "--json"))
    assert [(note["annotation_id"], note["on"], note["new_range"], note["console_id"]) for note in listed] == [
        (1, "2024-02-01", True, None), (2, "2024-03-01", False, "till-1")
    ]  # fmt: skip
    by_console = charts(own_shops, *DAYS, "--by", "console", "--question", "staff")
    assert [[note["annotation_id"] for note in chart["annotations"]] for chart in by_console] == [[1, 2], [1], [1]]
    assert own_shops.do("annotation", "remove", "1", "2") == "Annotation 1 is removed.\nAnnotation 2 is removed.\n"
    assert charts(own_shops, *DAYS, "--site", "west")[0]["annotations"] == []
    changes = json.loads(own_shops.do("history", "--kind", "annotation", "--json"))
    assert [change["command"] for change in changes] == ["annotation set"] * 3 + ["annotation remove"] * 2
    assert changes[1]["before"]["new_range"] is False
    own_shops.do("annotation", "set", "another", "--on", "2024-02-01")
    assert json.loads(own_shops.do("annotation", "list", "--json"))[0]["annotation_id"] == 3


def test_days_are_pooled_until_they_have_enough(tmp_path: Path) -> None:
    office, till = Office(tmp_path), OfficeTill("demo", base_ms=START_MS - DAY_MS)
    sizes = [12, 0, 12, 12, 50, 0, 13, 13, 13, 2]
    for day, size in enumerate(sizes):
        till.surveys(START_MS + day * DAY_MS, yes=size - size // 4, no=size // 4)
    office.take(till)
    (chart,) = charts(office, "--unit", "day", "--from", "2024-01-01", "--to", "2024-01-11")
    found = [(point["from"], point["last_day"], point["surveys"], point["state"]) for point in chart["points"]]
    assert found == [
        ("2024-01-01", "2024-01-04", 36, "judged"),
        ("2024-01-05", "2024-01-05", 50, "judged"),
        ("2024-01-06", "2024-01-06", 0, "no_surveys"),
        ("2024-01-07", "2024-01-09", 39, "judged"),
        ("2024-01-10", "2024-01-10", 2, "part"),
    ]
    assert chart["points"][0]["name"] == "2024-01-01 to 2024-01-04"
    assert chart["change"]["newest"] == "2024-01-07 to 2024-01-09"


@pytest.mark.parametrize(
    ("question", "target", "name"),
    [
        ("loyalty", "-0.99", "reliably_met"),
        ("loyalty", "0.99", "reliably_missed"),
        ("loyalty", "0.1", "sometimes_met"),
        ("staff", "0.6", "cannot_be_told"),
    ],
)
def test_a_target_is_reliably_met_only_if_the_limits_clear_it_at_all_silent_weights(
    own_shops: Office, question: str, target: str, name: str
) -> None:
    own_shops.do("target", "set", "0.99", "--question", "staff", "--from", "2024-01-01")
    own_shops.do("target", "set", target, "--question", question, "--from", "2024-01-01")
    (chart,) = charts(own_shops, *DAYS, "--question", question, "--site", "east")
    assert (chart["target"]["name"], chart["target"]["value"]) == (name, float(target))
    assert charts(own_shops, *DAYS, "--site", "south")[0]["target"]["name"] == "cannot_be_told", "of trial limits"


def sums(*weeks: tuple[int, int]) -> list[ScoreSums]:
    return [ScoreSums(size, no, no) for size, no in weeks]


def test_words_of_targets() -> None:
    figure, points = FIGURES["dissatisfaction_index"], sums(*[(100, 20), (100, 24)] * 6)
    judgement = judge(points, figure, is_newest_there=True)
    assert judgement.limits is not None
    low, high = judgement.limits.at(100) or (0.0, 0.0)

    def said(target: float, count: int = 12) -> str:
        return target_words(target, [judgement] * 3, [100] * count, figure).words

    assert said(high) == said(high + 0.01) == "reliably met"
    assert said(low - 0.01) == "reliably missed"
    assert said(low) == said(0.22) == "met some weeks and missed others"
    assert said(high, 11) == "cannot be told"


@pytest.mark.parametrize(
    ("no", "words", "rules"),
    [
        (20, "usual variation", []),
        (55, "worse than usual", ["newest_beyond_limits"]),
        (0, "better than usual", ["newest_beyond_limits"]),
    ],
)
def test_the_newest_point_signals_beyond_its_limits(no: int, words: str, rules: list[str]) -> None:
    weeks = [(100, 22), (100, 18)] * 12
    found = judge(sums(*weeks, (100, no)), FIGURES["dissatisfaction_index"], is_newest_there=True)
    assert (found.change.words, [signal.rule for signal in found.signals]) == (words, rules)
    earlier = judge(sums((100, no), *weeks), FIGURES["dissatisfaction_index"], is_newest_there=True)
    assert (earlier.change.words, bool(earlier.beyond[0])) == ("usual variation", bool(rules)), (
        "only the newest signals"
    )
    not_there = judge(sums(*weeks, (100, no)), FIGURES["dissatisfaction_index"], is_newest_there=False)
    assert not_there.change.words == "too few to say"


def test_limits_of_few_or_equal_points() -> None:
    assert limits_of([], (0.0, 1.0)) is None
    one = limits_of(sums((40, 10)), (0.0, 1.0))
    assert one is not None
    assert (one.centre, one.sigma_z, one.at(40)) == (0.25, None, None)
    equal = limits_of(sums((40, 10), (80, 20)), (0.0, 1.0))
    assert equal is not None
    assert (equal.sigma_z, equal.at(40)) == (0.0, (0.25, 0.25))
    none_at_all = judge(sums(*[(40, 0)] * 12), FIGURES["dissatisfaction_index"], is_newest_there=True)
    assert (none_at_all.change.words, none_at_all.runs.useful, none_at_all.chance) == ("usual variation", 0, 0.0) or (
        none_at_all.chance < 0.01
    )
    empty = judge([], FIGURES["dissatisfaction_index"], is_newest_there=False)
    assert (empty.change.words, empty.signals, empty.limits) == ("too few to say", [], None)


def test_runs_and_crossings() -> None:
    rng = seeded("runs")
    for _ in range(300):
        values = [rng.choice((-1.0, -0.5, 0.0, 0.5, 1.0)) for _ in range(rng.randint(0, 40))]
        expected = oracle.expected_runs(values, 0.0)
        runs = find_runs([(value > 0) - (value < 0) for value in values])
        length = runs.longest.length if runs.longest else 0
        assert (runs.useful, length, runs.crossings, runs.is_long, runs.are_few) == tuple(expected)
    assert [least_crossings(useful) for useful in range(200)] == [oracle.crossings_limit(n) for n in range(200)]
    assert [most_in_a_row(useful) for useful in (0, 1, 15, 16, 26, 31, 32)] == [0, 3, 6, 7, 7, 7, 8]


def test_the_chance_of_a_false_signal() -> None:
    assert _usual_sequences(12) == oracle.usual_patterns(12)
    assert chance_of_shift(5) == 0.0
    assert chance_of_shift(6) == pytest.approx(0, abs=1e-4)
    rng = seeded("chance")
    for points, charts_drawn in ((12, 4000), (26, 3000)):
        signals = 0
        for _ in range(charts_drawn):
            values = [rng.gauss(0, 1) for _ in range(points)]
            runs = oracle.expected_runs(values, sum(values) / points)
            signals += runs.is_long or runs.are_few
        chance = chance_of_shift(points)
        assert abs(signals / charts_drawn - chance) < 4 * (chance / charts_drawn) ** 0.5


def test_the_table_fits_and_csv_has_a_line_a_point(shops: Office) -> None:
    rows = charts(shops, *DAYS, "--by", "site")
    for width in (60, 80, 120):
        for each_point in (False, True):
            text = as_text(rows, ("site_id",), width=width, each_point=each_point)
            assert max(map(len, text.splitlines())) <= width
    assert "Signals on 1 of 4 charts; chance alone would give 0.1" in shops.do("chart", *DAYS, "--by", "site")
    assert "W worse than usual" in as_text(rows, ("site_id",), width=None, has_shapes=False)
    lines = list(csv.DictReader(io.StringIO(shops.do("chart", *DAYS, "--by", "site", "--format", "csv"))))
    points = [point for row in rows for point in row["points"]]
    assert [float(line["value"]) for line in lines if line["value"]] == [
        point["value"] for point in points if point["value"] is not None
    ]
    assert {line["change"] for line in lines if line["site_id"] == "west"} == {"worse than usual"}


def test_other_figures(shops: Office) -> None:
    (rate,) = charts(shops, *DAYS, "--site", "east", "--question", "staff", "--figure", "response_rate")
    weeks = WORLD["east"]
    assert rate["points"][0]["value"] == pytest.approx(1 - weeks[0]["silent"] / sum(weeks[0].values()))
    assert rate["centre_at_k0"] is None
    (share,) = charts(shops, *DAYS, "--site", "west", "--figure", "answered_no_share")
    assert share["points"][0]["value"] == pytest.approx(0.1)
    (level,) = charts(shops, *DAYS, "--site", "south", "--figure", "force_majeure_level")
    assert level["points"][1]["value"] == pytest.approx(4 / 31)
    assert level["points"][1]["state"] == "judged"
    found = charts(shops, *DAYS, "--figure", "emotional_loyalty_index")
    assert [chart["question_id"] for chart in found] == ["loyalty"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("chart", "--by", "day"), "--by 'day' is not a group of charts"),
        (("chart", "--by", "seler"), "--by 'seler' is not a group of charts"),
        (("chart", "--last", "20", *DAYS), "Give --last, or --from and --to, not both."),
        (("chart", "--from", "2024-01-01"), "Give both --from and --to"),
        (("chart", "--from", "2024-02-01", "--to", "2024-02-01"), "is not after --from"),
        (("chart", "--unit", "day", "--from", "2020-01-01", "--to", "2024-01-01"), "at most 400 points"),
        (("chart", "--site", "eats"), "There is no site eats: did you mean east?"),
        (("annotation", "set", " ", "--on", "2024-01-01"), "needs a text of 1 to 300 characters"),
        (("annotation", "set", "x" * 301, "--on", "2024-01-01"), "needs a text of 1 to 300 characters"),
        (("annotation", "set", "x", "--on", "yesterday"), "--on 'yesterday' is not a date"),
        (("annotation", "set", "x", "--on", "2024-01-01", "--site", "eats"), "did you mean east?"),
        (("annotation", "set", "x", "--on", "2024-01-01", "--seller", "nobody"), "There is no seller nobody"),
        (("annotation", "set", "x", "--on", "2024-01-01", "--checkout-point", "1"), "needs its site"),
        (("annotation", "set", "x", "--on", "2024-01-01", "--console", "till-1"), "needs its site"),
        (("annotation", "remove", "7"), "There is no annotation 7: see `trivox annotation list`."),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(shops: Office, words: tuple[str, ...], sentence: str) -> None:
    result = shops.run(*words)
    assert result.status == 2, result
    assert sentence in result.err
    assert result.out == ""


def test_no_chart_is_told(shops: Office) -> None:
    text = shops.do("chart", "--from", "2023-01-01", "--to", "2023-06-01")
    assert text.startswith("There are no surveys from 2023-01-01 up to, not including, 2023-06-01: there are some on")
    text = shops.do("chart", *DAYS, "--site", "west", "--figure", "emotional_loyalty_index")
    assert text.startswith("No key question of this time has the figure emotional_loyalty_index")
    assert MONDAY + timedelta(weeks=WEEKS) == date(2024, 7, 1)
