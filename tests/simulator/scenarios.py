"""Scenarios of a few lines for tests."""

import copy
from datetime import date
from pathlib import Path
from typing import Any

EVERYTHING = """
title = "A little of everything"
first_day = 2026-03-28 # the clock goes forward in the second night
days = 3
seed = 9

[settings]
survey_window_ms = 9000
force_majeure_scope_s = 120

[questions.staff]
kind = "personnel"
silent_weight = 0.3

[questions.cafe]
kind = "loyalty"
text = "Would you tell a friend of our café?"

[customers.odd]
yes = 3
no = 2
cant_say = 1
silent = 4
late_answer = 0.2
stray = 0.1
unhappy_hours = [12]
unhappy_factor = 3

[temperaments.odd]
asks = 0.9
asks_unhappy = 0.8
presses_yes = 0.1
force_majeure = 0.02
force_majeure_after_no = 0.1
force_majeure_during = 0.02
presses_twice = 0.1
asks_spread = 0.1
no_spread = 0.3
hours_spread = 0.3
asks_by_hour_spread = 0.1
reaction_spread = 0.5
mishaps_spread = 0.5
asks_in_unhappy_hours = 0.7
presses_yes_after_s = [1, 6]
ghosts = 0.1
force_majeure_while_unhappy = 0.2
pulls_plug = 0.1
rewrites_shifts = 0.6

[temperaments.rewriting]
rewrites_shifts = 0.6

[faults.all]
power_cuts_per_day = 2
stuck_buttons_per_day = 1
outages_per_day = 3
outage_minutes = [5, 90]
lost_acks = 0.2
late_clock = 0.5
boots_at_opening = 0.7

[[site]]
id = "shop"
count = 2
timezone = "Europe/Sofia"
customers = "odd"
faults = "all"
visitors = [0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 60, 60, 60, 60, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0]

[[site.checkout_points]]
id = "till"
sellers = [
  { id = "ann", temperament = "odd", shifts = [{ start = "09:00", end = "12:30" }] },
  { id = "bob", shifts = [{ start = "12:30", end = "15:00" }] },
]

[[site.checkout_points]]
id = "cafe"
question = "cafe"
ask_every = 2
sellers = [{ id = "eve", temperament = "odd", shifts = [{ start = "10:00", end = "14:00" }] }]

[[site]]
id = "night"
timezone = "Asia/Kathmandu"
visitors = [40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40]
tills = false
[[site.checkout_points]]
id = "desk"
question = "office"
sellers = [{ id = "guard", shifts = [{ start = "00:00", end = "24:00" }] }]

[[site]]
id = "kiosk"
timezone = "Europe/Sofia"
visitors = [0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 20, 20, 20, 20, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0]
each_sale = true
[[site.checkout_points]]
id = "till"
sellers = [
  { id = "kim", temperament = "rewriting", shifts = [{ start = "09:00", end = "12:00" }] },
  { id = "lee", shifts = [{ start = "12:00", end = "15:00" }] },
]
"""

HURRY = """
title = "Two tills, short windows"
first_day = 2026-09-01
days = 1

[settings]
survey_window_ms = 4000

[faults.some]
outages_per_day = 2
outage_minutes = [5, 20]
lost_acks = 0.1
power_cuts_per_day = 1

[[site]]
id = "shop"
timezone = "Europe/Sofia"
faults = "some"
visitors = [60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60]

[[site.checkout_points]]
id = "till"
count = 2
sellers = [{ id = "ann", shifts = [{ start = "00:00", end = "24:00" }] }]
"""

SMALL: dict[str, Any] = {
    "title": "One till",
    "first_day": date(2026, 3, 2),
    "days": 1,
    "site": [
        {
            "id": "shop",
            "visitors": [60] * 24,
            "checkout_points": [
                {"id": "till", "sellers": [{"id": "ann", "shifts": [{"start": "09:00", "end": "12:00"}]}]}
            ],
        }
    ],
}


def small(**changes: Any) -> dict[str, Any]:
    """The small scenario with other top-level tables."""
    return {**copy.deepcopy(SMALL), **changes}


def written(folder: Path) -> Path:
    """Write the scenario with everything to a file."""
    file = folder / "everything.toml"
    file.write_text(EVERYTHING, encoding="utf-8")
    return file
