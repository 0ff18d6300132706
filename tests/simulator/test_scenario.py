"""All of a scenario is checked, and each mistake is reported in one sentence that says where it is."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from bridge.cli.main import build
from simulator.scenario.file import ScenarioError, SettingsTable, find, load, read, shipped
from simulator.scenario.sites import planned_sites
from tests.simulator.scenarios import SMALL, small

ROOT = Path(__file__).parents[2]


def test_shipped_scenarios_are_those_promised_and_can_be_used() -> None:
    names = {"quiet_branch", "busy_filling_station", "chain_200_sites", "gaming_sellers", "bad_network"}
    names |= {"honest_and_gaming_chain"}
    assert set(shipped()) == names
    for name in names:
        assert planned_sites(load(find(name)), name)


def test_the_chain_has_200_sites_and_500_consoles() -> None:
    chain = planned_sites(load(find("chain_200_sites")), "chain")
    assert len(chain) == 200
    assert sum(len(place.posts) for place in chain) == 500
    assert len({seller.seller_id for place in chain for post in place.posts for seller in post.sellers}) == 1000


def site(**changes: Any) -> dict[str, Any]:
    return small(site=[{**SMALL["site"][0], **changes}])


def point(**changes: Any) -> dict[str, Any]:
    return site(checkout_points=[{**SMALL["site"][0]["checkout_points"][0], **changes}])


ANN = {"id": "ann", "shifts": [{"start": "09:00", "end": "12:00"}]}


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (small(colour="red"), "shop.toml, the top: there is no key `colour` here; correct or remove it."),
        (small(**{"a `int` > 5": 1}), "shop.toml, the top: there is no key `a `int` > 5` here; correct or remove it."),
        (
            small(questions={"staff": {"kind": "personnel", "text": 5}}),
            "shop.toml, questions.staff.text: write text, not a whole number.",
        ),
        (small(questions={"staff": {"kind": "x >= 3"}}), "staff.kind: 'x >= 3' is none of the values allowed here."),
        (small(days="5"), "shop.toml, days: write a whole number, not text."),
        (small(days=1.5), "shop.toml, days: write a whole number, not a decimal number."),
        (small(first_day="2026-13-01"), "shop.toml, first_day: write a date such as 2026-11-02."),
        (site(name=5), "shop.toml, site[0]: there is no key `name` here; correct or remove it."),
        (small(days=0), "shop.toml, days: write a whole number, 1 or more."),
        (small(site=[]), "shop.toml, site: write a list of at least 1."),
        (site(visitors=[1, 2]), "shop.toml, site[0].visitors: write a list of at least 24."),
        (site(id="Shop"), "shop.toml, site[0].id: write an id of at most 25 lower-case letters, digits, - and _."),
        *(
            (site(timezone=name), f"shop.toml, site[0] (shop): there is no time zone {name!r}: give `timezone` a name")
            for name in ("Europe/Sofa", "Europe", "", "../x", "/etc/passwd", "UTC\n")
        ),
        (site(id="shop\n"), "site[0].id: write an id of at most 25 lower-case letters, digits, - and _."),
        (small(customers={"odd\n": {}}), "shop.toml, customers: write an id of at most 25 lower-case"),
        (
            point(sellers=[{"id": "ann", "shifts": [{"start": "09:00\n", "end": "12:00"}]}]),
            ".sellers[0].shifts[0].start: write a time such as 09:30.",
        ),
        (
            small(faults={"bad": {"outage_minutes": [60, 1]}}),
            "shop.toml, faults.bad: outage_minutes goes from 60 down to 1; put the smaller number first.",
        ),
        (
            small(settings={"stuck_ms": 1000, "long_press_ms": 3000}),
            "shop.toml, settings: stuck_ms (1000) must be at least 1000 ms longer than long_press_ms (3000); other",
        ),
        (
            small(settings={"survey_window_ms": 100}),
            "shop.toml, settings.survey_window_ms: write a whole number, 200 or more.",
        ),
        (
            site(customers="rude"),
            "shop.toml, site[0] (shop): there is no [customers.rude]; use one of usual, or add that table.",
        ),
        (
            point(question="weather"),
            "shop.toml, site[0] (shop): there is no question 'weather'; use one of staff, office, loyalty.",
        ),
        (point(sellers=[{**ANN, "temperament": "sly"}]), "there is no [temperaments.sly]; use one of honest, or"),
        (
            point(sellers=[ANN, {**ANN, "id": "bob"}]),
            "ann and bob are on shift at till at the same time on mon; change one of the shifts.",
        ),
        (
            point(sellers=[{"id": "ann", "shifts": [{"start": "9", "end": "12:00"}]}]),
            ".sellers[0].shifts[0].start: write a time such as 09:30.",
        ),
        (
            point(sellers=[{"id": "ann", "shifts": [{"start": "12:00", "end": "09:00"}]}]),
            "a shift of ann ends at 09:00, which is not after its start; a shift may end at 24:00 at the latest.",
        ),
        (small(temperaments={"sly": {"asks": 2}}), "shop.toml, temperaments.sly.asks: write a number, at most 1.0."),
        (
            small(temperaments={"sly": {"presses_yes_after_s": [5, 2]}}),
            "shop.toml, temperaments.sly: presses_yes_after_s goes from 5 down to 2; put the smaller number first.",
        ),
        (
            small(temperaments={"sly": {"presses_yes_after_s": [0, 2]}}),
            "shop.toml, temperaments.sly.presses_yes_after_s[0]: write a number, 0.2 or more.",
        ),
        (small(temperaments={"sly": {"ghost": 0.1}}), "temperaments.sly: there is no key `ghost` here; correct or rem"),
        (
            point(sellers=[{**ANN, "temperament": "sly"}])
            | {"temperaments": {"sly": {"presses_yes_after_s": [1, 30]}}},
            "presses_yes_after_s of sly goes up to 30 s, too near the end of the survey window: write at most 19.",
        ),
        (
            point(sellers=[{**ANN, "temperament": "sly"}]) | {"temperaments": {"sly": {"rewrites_shifts": 0.5}}},
            "site[0] (shop): ann has rewrites_shifts, but no colleague at this site: add a seller.",
        ),
        (
            site(
                each_sale=True,
                checkout_points=[{"id": "till", "sellers": [{**ANN, "shifts": [{"start": "15:00", "end": "24:00"}]}]}],
            ),
            "a shift of ann is within half an hour of midnight, which each_sale does not allow: change the shift, or",
        ),
        (small(faults={"bad": {"lost_acks": 1.0}}), "shop.toml, faults.bad.lost_acks: write a number, at most 0.9."),
        (small(settings={"survey_window_ms": 2000}), "shop.toml, settings: these timings leave people no room"),
        (small(site=[SMALL["site"][0]] * 2), "two sites have the id shop; give each its own."),
    ],
)
def test_mistakes_are_reported_with_their_place(tables: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        planned_sites(read(tables, "shop.toml"), "shop.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_have_the_ranges_of_the_schema() -> None:
    allowed = json.loads((ROOT / "schema/settings.json").read_text("utf-8"))["properties"]
    found = msgspec.json.schema(SettingsTable)["$defs"]["SettingsTable"]["properties"]
    for name in ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "stuck_ms"):
        for limit in ("minimum", "maximum", "default"):
            assert found[name][limit] == allowed[name][limit], name


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("title = ", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"broken.toml is not valid TOML: "):
        load(file)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["no\nAll is well"], 1, "There is no scenario no\\nAll is well: give a TOML file"),
        (["nonsense"], 1, "There is no scenario nonsense: give a TOML file, or one of bad_network, "),
        (
            ["quiet_branch", "--broker", "tcp://x"],
            1,
            "tcp://x is not a broker's address: give mqtt://HOST:PORT",
        ),
        (["quiet_branch", "--broker", "mqtt://x:99999"], 1, "mqtt://x:99999 is not a broker's address"),
        (["quiet_branch", "--from", "9999-12-30"], 1, "first_day: 9999-12-30 is not in the years 1971 to 9997."),
        (["quiet_branch", "--from", "1900-01-01"], 1, "first_day: 1900-01-01 is not in the years 1971 to 9997."),
        (["quiet_branch", "--from", "soon", "--out", "x"], 2, "'soon' is not a date; write it as 2026-11-01."),
    ],
)
def test_wrong_use_is_reported_in_one_sentence(words: list[str], status: int, said: str) -> None:
    result = CliRunner().invoke(build(), ["simulate", *words])
    assert result.exit_code == status
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("dear", encoding="utf-8")
    result = CliRunner().invoke(build(), ["simulate", "quiet_branch", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
