"""What will be broken, and when: drawn from a seed, the same for the same arguments."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

Where = Literal["console", "radio console", "shop"]
FAULTS_A_MINUTE = 40
STOP_MAX_S = 60.0
QUIET_BEFORE_S = 6.0  # all comes up first
SHORTEST_S = 0.3


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what it is in words, what it hits, how long it may last (s), and how often it comes."""

    name: str
    words: str
    where: Where
    longest_s: float
    weight: float


KINDS = (
    Kind("kill_broker", "broker killed (-9), started again", "shop", 4, 2),
    Kind("wipe_broker", "broker killed, its queue and sessions wiped", "shop", 4, 1),
    Kind("stop_broker", "broker stopped (SIGSTOP) for up to 60 s", "shop", STOP_MAX_S, 1),
    Kind("kill_bridge", "bridge killed (-9), started again", "shop", 4, 3),
    Kind("stop_bridge", "bridge stopped (SIGSTOP) for up to 60 s", "shop", STOP_MAX_S, 1),
    Kind("restore_bridge", "bridge started from a database copy of earlier", "shop", 2, 1.5),
    Kind("copy_database", "database copied while the bridge writes", "shop", 0, 1.5),
    Kind("fill_database", "disk full under the database", "shop", 15, 1.5),
    Kind("lock_database", "database locked by another program", "shop", 15, 1),
    Kind("change_settings", "settings and key question changed", "shop", 0, 1.5),
    Kind("delay_consoles", "network to the consoles slow (up to 1 s a piece)", "shop", 10, 1),
    Kind("delay_bridge", "network to the bridge slow (up to 1 s a piece)", "shop", 10, 1),
    Kind("double_consoles", "consoles' packets doubled, both ways", "shop", 10, 1),
    Kind("double_bridge", "bridge's packets doubled, both ways", "shop", 10, 1),
    Kind("cut_consoles", "a console's stream cut within a packet", "shop", 0, 2),
    Kind("cut_bridge", "the bridge's stream cut within a packet", "shop", 0, 2),
    Kind("hang_consoles", "TCP to all consoles half open", "shop", 15, 1),
    Kind("hang_bridge", "TCP to the bridge half open", "shop", 15, 1),
    Kind("kill_console", "console killed (-9): power cut", "console", 8, 5),
    Kind("tear_flash", "console's power cut within a flash operation", "console", 8, 6),
    Kind("stop_console", "console stopped (SIGSTOP) for up to 60 s", "console", STOP_MAX_S, 2),
    Kind("drop_wifi", "Wi-Fi away", "radio console", 20, 4),
    Kind("hang_console", "console's TCP half open", "radio console", 15, 2),
    Kind("fill_flash", "console's flash full, until the oldest events go", "radio console", 20, 1),
    Kind("step_clock", "console's clock stepped forward, back, to 1970", "radio console", 0, 2),
    Kind("meet_twin", "a second board with the same id", "shop", 15, 1.5),
)


@dataclass(frozen=True)
class Fault:
    """One fault: `at_s` from the plan's start, for `lasts_s`; `console` is whose; `share` is free for it to use."""

    number: int
    at_s: float
    kind: Kind
    lasts_s: float
    console: int
    share: float


def make_plan(seed: int, minutes: float, consoles: int) -> list[Fault]:
    """All faults of a run, in order of time, each over before the plan ends."""
    nature = random.Random(f"plan {seed}")
    end_s = minutes * 60
    count = max(1, round(minutes * FAULTS_A_MINUTE))
    begins = sorted(nature.uniform(min(QUIET_BEFORE_S, end_s / 2), end_s) for _ in range(count))
    faults = []
    for number, at_s in enumerate(begins):
        kind = nature.choices(KINDS, weights=[kind.weight for kind in KINDS])[0]
        shortest_s = min(SHORTEST_S, kind.longest_s)
        lasts_s = shortest_s
        if kind.longest_s > SHORTEST_S:  # short ones are more frequent, as in life
            lasts_s = math.exp(nature.uniform(math.log(shortest_s), math.log(kind.longest_s)))
        lasts_s = min(lasts_s, max(shortest_s, end_s - at_s))
        faults.append(Fault(number, at_s, kind, lasts_s, nature.randrange(consoles), nature.random()))
    return faults
