"""Fill a database with a year of many sellers, faster than by messages: what the flags read, and nothing else.

Each seller has a console of his own, in UTC, and a till that sends each sale. The months after the first are its
copies, but for the dates and the numbers of events.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.store import open_store
from bridge.store.rollups import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.store import Store

SELLERS_AT_SITE = 10
SHIFTS = 22  # a month, of eight hours, none after its 25th
SHIFT_S = 8 * 3600
SALES = 52  # a shift: 1,144 a month
ASKED = 0.85
ANSWERED = 0.13
OUTCOMES = (("yes", 0.08), ("no", 0.12), ("cant_say", ANSWERED), ("silent", 0.995), ("error", 1.0))
"""Each outcome with the cumulative probability up to it."""

FIRST_MONTH = "2025-01"
NUMBERS = 100_000
"""Events of a month are numbered from its multiple of this."""

STRAY = '{"type":"stray_pressed","button":"yes","reason":"no_survey"}'
COUNT_COLUMNS = (
    "site_id, source_id, id, kind, from_ms, to_ms, count, checkout_point_id, seller_id, at_console_id, of_seller_id,"
    " hour, from_as, to_as"
)
EVENT_COLUMNS = "epoch_key, seq, type, boot, up_ms, at_ms, dated_at_ms, dated_by, arrived_at_ms, raw"
COPIED = {  # of each table: what is added to a column, by its kind
    "shift": {"started_at_ms": "time", "ended_at_ms": "time"},
    "survey": {
        "survey": "number",
        "opened_up_ms": "time",
        "opened_at_ms": "time",
        "closed_at_ms": "time",
        "hour": "hour",
    },
    "counts": {"id": "id", "from_ms": "time", "to_ms": "time", "hour": "hour"},
    "force_majeure": {"seq": "number", "survey": "number", "up_ms": "time", "dated_at_ms": "time", "hour": "hour"},
    "event": {"event_key": "none", "seq": "number", "up_ms": "time", "at_ms": "time", "dated_at_ms": "time"},
}


def fill(database: Path, sellers: int, months: int, seed: int) -> int:
    """Make the database; return how many surveys it has."""
    store = open_store(database, writing=True)
    rng = random.Random(seed)
    with store.transaction(1):
        _places(store, sellers)
        for seller in range(sellers):
            _seller_month(store, rng, seller)
    for number in range(2, months + 1):
        with store.transaction(1):
            _copy(store, number)
    with store.transaction(1):
        _rollups(store)
        (surveys,) = store.one("SELECT count(*) FROM survey") or (0,)
    store.close()
    return int(surveys)


def _site(seller: int) -> str:
    return f"site-{seller // SELLERS_AT_SITE}"


def _places(store: Store, sellers: int) -> None:
    sites = sorted({_site(seller) for seller in range(sellers)})
    store.insert(
        "INSERT INTO site (site_id, timezone, first_seen_at_ms, timezone_is_set)",
        [(site, "UTC", 1, 1) for site in sites],
    )
    each = range(sellers)
    store.insert(
        "INSERT INTO console (console_key, site_id, console_id, first_seen_at_ms, last_seen_at_ms)",
        [(seller + 1, _site(seller), f"till-{seller}", 1, 1) for seller in each],
    )
    store.insert("INSERT INTO seller", [(f"seller-{seller}", f"Seller {seller}") for seller in each])
    store.insert(
        "INSERT INTO epoch (epoch_key, console_key, epoch, seen_at_ms)",
        [(seller + 1, seller + 1, f"{seller:08x}", 1) for seller in each],
    )


class _Rows:
    """The rows of a seller's first month, by table."""

    def __init__(self) -> None:
        self.shifts: list[tuple[Any, ...]] = []
        self.surveys: list[tuple[Any, ...]] = []
        self.counts: list[tuple[Any, ...]] = []
        self.force_majeures: list[tuple[Any, ...]] = []
        self.strays: list[tuple[Any, ...]] = []

    def save(self, store: Store) -> None:
        store.insert("INSERT INTO shift (console_key, started_at_ms, ended_at_ms, seller_id)", self.shifts)
        store.insert("INSERT INTO survey", self.surveys)
        store.insert(f"INSERT INTO counts ({COUNT_COLUMNS})", self.counts)
        store.insert("INSERT INTO force_majeure", self.force_majeures)
        store.insert(f"INSERT INTO event ({EVENT_COLUMNS})", self.strays)


def _seller_month(store: Store, rng: random.Random, seller: int) -> None:
    rows, number = _Rows(), NUMBERS
    for start in _shift_starts(seller):
        start_ms = int(start.timestamp()) * 1000
        rows.shifts.append((seller + 1, start_ms, start_ms + SHIFT_S * 1000, f"seller-{seller}"))
        for second in sorted(rng.sample(range(SHIFT_S), SALES)):
            number += 1
            _sale(rows, rng, seller, number, start_ms + second * 1000)
    rows.save(store)


def _shift_starts(seller: int) -> Iterator[datetime]:
    first = datetime.fromisoformat(f"{FIRST_MONTH}-01T08:00:00+00:00") + timedelta(hours=seller % 3 * 2)
    for day in range(SHIFTS):
        yield first + timedelta(days=day + day // 6)


def _sale(rows: _Rows, rng: random.Random, seller: int, number: int, at_ms: int) -> None:
    key, who, point = seller + 1, f"seller-{seller}", f"point-{seller}"
    hour = datetime.fromtimestamp(at_ms // 3_600_000 * 3600, UTC).isoformat(timespec="minutes")
    rows.counts.append(
        (
            *(_site(seller), f"source-{seller}", f"{number}", "transactions", at_ms, at_ms + 1000, 1),
            *(point, None, f"till-{seller}", who, hour, None, None),
        )
    )
    if rng.random() >= ASKED:
        return
    drawn = rng.random()
    outcome = next(name for name, limit in OUTCOMES if drawn < limit)
    opened_ms = at_ms - rng.randrange(60_000)
    response_ms = min(20_000, int(rng.lognormvariate(8.3, 0.5))) if drawn < ANSWERED else None
    rows.surveys.append(
        (
            *(key, number, key, 1, opened_ms, opened_ms, opened_ms + (response_ms or 20_000), "staff", 1, outcome),
            *(None, response_ms, 0, 1, who, point, hour, 0),
        )
    )
    if rng.random() < 0.003:
        rows.force_majeures.append(
            (key, number, key, 1, opened_ms, opened_ms + 5000, number, "staff", 1, who, point, hour)
        )
    if rng.random() < 0.03:
        rows.strays.append((key, number, "stray_pressed", 1, opened_ms, opened_ms, opened_ms, "console", 1, STRAY))


def _copy(store: Store, number: int) -> None:
    """Copy the first month to a later one of its year."""
    month = f"{FIRST_MONTH[:4]}-{number:02d}"
    first, later = (datetime.fromisoformat(f"{name}-01T00:00:00+00:00") for name in (FIRST_MONTH, month))
    more_ms, more = int((later - first).total_seconds()) * 1000, (number - 1) * NUMBERS
    for table, changed in COPIED.items():
        names = [name for _, name, *_ in store.all(f"PRAGMA table_info({table})")]
        sums = {
            "time": f"{{}} + {more_ms}",
            "number": f"{{}} + {more}",
            "id": f"CAST({{}} AS INTEGER) + {more}",
            "hour": f"'{month}' || substr({{}}, 8)",
            "none": "NULL",
        }
        values = ", ".join(sums[changed[name]].format(name) if name in changed else name for name in names)
        counted = {"survey": "survey", "counts": "CAST(id AS INTEGER)"}.get(table)
        time = {"shift": "started_at_ms", "force_majeure": "dated_at_ms", "event": "dated_at_ms"}.get(table)
        limit = f"{counted} < {2 * NUMBERS}" if counted else f"{time} < {_end_of_first_ms()}"
        store.run(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {limit}")


def _end_of_first_ms() -> int:
    return int(datetime.fromisoformat(f"{FIRST_MONTH}-31T00:00:00+00:00").timestamp()) * 1000


def _rollups(store: Store) -> None:
    """Sum the surveys up as the bridge does, at each level."""
    ones = ", ".join(f"sum(outcome = '{name}')" for name, _ in OUTCOMES)
    names = ("yes", "no", "cant_say", "silent", "error", "force_majeures", "asked", "ask_every_unknown")
    sums = ", ".join(f"sum({name})" for name in names)
    for table, level in LEVELS.items():
        group = level.key[1:]
        if not level.of:
            columns = ", ".join(
                f"coalesce({name}, '')" if name in {"checkout_point_id", "seller_id"} else name for name in level.key
            )
            store.run(
                f"INSERT INTO {table} SELECT {columns}, {ones}, 0, sum(outcome <> 'error'), 0"
                f" FROM survey JOIN console USING (console_key) GROUP BY {_numbers(len(level.key))}"
            )
        else:
            of = LEVELS[level.of].key[0]
            columns = ", ".join([f"substr({of}, 1, {level.length})", *group])
            store.run(
                f"INSERT INTO {table} SELECT {columns}, {sums} FROM {level.of} GROUP BY {_numbers(len(level.key))}"
            )
    store.run("INSERT OR IGNORE INTO flag_due SELECT DISTINCT substr(day, 1, 7) FROM rollup_day")


def _numbers(count: int) -> str:
    return ", ".join(str(number + 1) for number in range(count))
