"""Compare reports on three sites at the end of a random year with a plain count of the surveys put in."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.bridge.office import Office, OfficeTill, at
from tests.support.seeds import seeded

ZONES = {"sofia": "Europe/Sofia", "delhi": "Asia/Kolkata", "east": "America/New_York"}
QUESTIONS = (("staff", 1), ("staff", 2), ("loyalty", 1))
OUTCOMES = ("yes", "no", "cant_say", "silent", "error")
START, DAYS = at("2026-10-20T00:00+00:00"), 20
HOUR_MS = 3_600_000
ASKED = ("site", "console", "seller", "question", "hour", "day", "week", "month", "console,seller,week", "site,hour")

Survey = dict[str, Any]


def group_of(by: str, survey: Survey) -> dict[str, Any]:
    """Return the group's columns that a survey should be counted under."""
    local = datetime.fromtimestamp(survey["at_ms"] / 1000, ZoneInfo(ZONES[survey["site_id"]]))
    year, week, _ = local.isocalendar()
    offset = local.strftime("%z")
    all_columns = {
        "site": {"site_id": survey["site_id"]},
        "console": {"site_id": survey["site_id"], "console_id": survey["console_id"]},
        "seller": {"seller_id": survey["seller_id"]},
        "question": {},
        "hour": {"hour": local.strftime("%Y-%m-%dT%H:00") + f"{offset[:3]}:{offset[3:]}"},
        "day": {"day": f"{local:%Y-%m-%d}"},
        "week": {"week": f"{year}-W{week:02}"},
        "month": {"month": f"{local:%Y-%m}"},
    }
    return {name: value for part in by.split(",") for name, value in all_columns[part].items()}


def test_every_grouping_counts_every_survey_once(tmp_path: Path) -> None:
    dice = seeded("a year's end")
    office = Office(tmp_path)
    surveys: list[Survey] = []
    tills, shifts = [], []
    for number, (site_id, timezone) in enumerate(ZONES.items()):
        office.do("site", "set", site_id, "--timezone", timezone)
        for console_id in ("till-1", "till-2"):
            till = OfficeTill(site_id, console_id, epoch=f"0000000{number}", base_ms=START)
            taken = [(START + DAYS * 24 * HOUR_MS * part // 60, dice.choice(["elena", "ivan"])) for part in range(60)]
            on_shift = [(at_ms, at_ms + dice.randrange(1, 8) * HOUR_MS, who) for at_ms, who in taken]
            for from_ms, to_ms, who in on_shift:
                texts = [datetime.fromtimestamp(ms / 1000, ZoneInfo("UTC")).isoformat() for ms in (from_ms, to_ms)]
                shifts.append(f"{site_id},{console_id},{who},{who},{texts[0]},{texts[1]}")
            for at_ms in sorted(START + dice.randrange(DAYS * 24 * 60) * 60_000 for _ in range(150)):
                (question, revision), outcome = dice.choice(QUESTIONS), dice.choice(OUTCOMES)
                till.survey(at_ms, outcome, question, revision)
                on = [who for from_ms, to_ms, who in on_shift if from_ms <= at_ms < to_ms]
                surveys.append(
                    {
                        "site_id": site_id,
                        "console_id": console_id,
                        "seller_id": on[0] if on else None,
                        "at_ms": at_ms,
                        "question": (question, revision),
                        "outcome": outcome,
                    }
                )
            tills.append(till)
    office.take(*tills[:3])
    assert office.shifts(*shifts, options=("--new",)).status == 0
    office.take(*tills[3:])
    for by in ASKED:
        expected: Counter[tuple[Any, ...]] = Counter()
        for survey in surveys:
            day = group_of("day", survey)["day"]
            if "2026-10-22" <= day < "2026-11-05":
                expected[*group_of(by, survey).values(), *survey["question"], survey["outcome"]] += 1
        rows = office.rows(by, from_day="2026-10-22", to_day="2026-11-05")
        columns = list(group_of(by, surveys[0]))
        found = Counter(
            {
                (*(row[name] for name in columns), row["question_id"], row["question_revision"], outcome): row[outcome]
                for row in rows
                for outcome in OUTCOMES
                if row[outcome]
            }
        )
        assert found == expected, by
        assert all(row["surveys"] == sum(row[outcome] for outcome in OUTCOMES[:4]) for row in rows)
