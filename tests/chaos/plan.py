"""Draw from a seed what is broken and when; the same arguments give the same plan."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

Where = Literal["console", "radio console", "shop"]
FAULTS_A_MINUTE = 40
SERIAL_FAULTS_A_MINUTE = 12  # in addition, if there are boards without radio
STOP_MAX_S = 60.0
QUIET_BEFORE_S = 6.0  # time for everything to start


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its description, what it hits, how long it lasts (s), and how often it is drawn."""

    name: str
    description: str
    where: Where
    longest_s: float
    weight: float
    shortest_s: float = 0.3


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
    Kind("fill_flash", "console's flash full, until the oldest events go", "radio console", 45, 1, 25),
    Kind("step_clock", "console's clock stepped forward, back, to 1970", "radio console", 0, 2),
    Kind("meet_twin", "a second board with the same id", "shop", 15, 1.5),
)

# Of boards without radio, and of their gateway.
SERIAL_KINDS = (
    Kind("pull_cable", "a serial console's cable pulled", "console", 20, 4),
    Kind("disturb_line", "noise on a serial line", "console", 10, 3),
    Kind("kill_gateway", "gateway killed (-9), started again", "shop", 4, 3),
    Kind("stop_gateway", "gateway stopped (SIGSTOP) for up to 60 s", "shop", STOP_MAX_S, 1),
)
ALL_KINDS = KINDS + SERIAL_KINDS
OF_ANY_CONSOLE = tuple(kind for kind in KINDS if kind.where == "console")


@dataclass(frozen=True)
class PlannedFault:
    """One fault, `at_s` from the plan's start, for `lasts_s`, at `console`; `share` (0 to 1) is free for it to use."""

    number: int
    at_s: float
    kind: Kind
    lasts_s: float
    console: int
    share: float


def make_plan(seed: int, minutes: float, consoles: int, picos: int = 0) -> list[PlannedFault]:
    """Return all faults of a run, in order of time, each over before the plan ends.

    The faults of the first `consoles`, which have radios, do not depend on the number of `picos` after them.
    """
    of_radios = _faults(random.Random(f"plan {seed}"), KINDS, FAULTS_A_MINUTE * minutes, minutes, range(consoles))
    if not picos:
        return of_radios
    without = range(consoles, consoles + picos)
    count, kinds = SERIAL_FAULTS_A_MINUTE * minutes, SERIAL_KINDS + OF_ANY_CONSOLE
    of_picos = _faults(random.Random(f"serial plan {seed}"), kinds, count, minutes, without, len(of_radios))
    return sorted(of_radios + of_picos, key=lambda fault: fault.at_s)


def _faults(
    chance: random.Random, kinds: tuple[Kind, ...], count: float, minutes: float, consoles: range, number: int = 0
) -> list[PlannedFault]:
    end_s = minutes * 60
    begins = sorted(chance.uniform(min(QUIET_BEFORE_S, end_s / 2), end_s) for _ in range(max(1, round(count))))
    faults = []
    for at_s in begins:
        kind = chance.choices(kinds, weights=[kind.weight for kind in kinds])[0]
        lasts_s = kind.longest_s
        if lasts_s > kind.shortest_s:  # short faults are more frequent, as in practice
            lasts_s = math.exp(chance.uniform(math.log(kind.shortest_s), math.log(kind.longest_s)))
        lasts_s = min(lasts_s, max(kind.shortest_s, end_s - at_s))
        console = consoles[chance.randrange(len(consoles))]
        faults.append(PlannedFault(number + len(faults), at_s, kind, lasts_s, console, chance.random()))
    return faults
