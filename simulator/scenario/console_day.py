"""Draw the day of a scenario's console from a seed: what its customers and sellers do, as diary entries.

Everything happens at exactly the millisecond that is written, so what truly happened is certain. Even so, people keep
away from the console's own boundaries: the window's end, the guard, a long press, the scope of a force majeure.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from random import Random

from simulator.oracle.facts import TrueCount
from simulator.people.diary import DiaryEntry, Ends, Kind, Press, Wanted
from simulator.people.shop_plan import CUT_MS, MARGIN_MS
from simulator.scenario.file import SellerHabits
from simulator.scenario.sites import PlannedPost, PlannedShift, PlannedSite, shifts_on

HOUR_MS = 3_600_000
QUARTER_MS = 900_000
OFF_MS = 2000  # that a pulled plug stays out
START_MS = 4000  # that people give a console to start
SETTLE_MS = 1000  # pause after one action and before the next
SERVICE_MS = 4000  # that a customer takes at least
WANTS: tuple[Wanted, ...] = ("yes", "no", "cant_say", "silent")
ANSWERS = WANTS[:3]


class ConsoleDay:
    """A console's local day; `stream` may be called once."""

    def __init__(self, site: PlannedSite, post: PlannedPost, day: date, seed: object) -> None:
        self._site, self._post = site, post
        self._rules = post.rules
        self._rng = Random(f"{seed}/{post.site_id}/{post.console_id}/{day}")
        self._random = self._rng.random
        self._weekday = site.weekdays[day.weekday()]
        customers = site.customers
        weights = (customers.yes, customers.no, customers.cant_say, customers.silent)
        self._shares = _shares(weights)
        self._unhappy = _shares((weights[0], weights[1] * customers.unhappy_factor, *weights[2:]))
        self.shifts = shifts_on(post, site.zone, day)
        self._written: list[DiaryEntry] = []
        self._free_ms = 0  # from then on nothing happens here yet
        self._scope_ends_ms = 0  # of the last force majeure: surveys opened before are affected
        scope_ms = self._rules.force_majeure_scope_s * 1000
        # No force majeure is declared after this: its scope would not end on this day.
        self._declarations_end_ms = self.shifts[-1].to_ms - scope_ms if self.shifts else 0
        self._longest_ms = 2 * self._rules.survey_window_ms + self._rules.long_press_ms + 10_000
        self._served = 0
        self._to_supersede_ms: int | None = None
        self._cuts = self._moments(site.faults.power_cuts_per_day)
        self._stuck = self._moments(site.faults.stuck_buttons_per_day)

    def stream(self) -> Iterator[DiaryEntry]:
        """Yield the day's entries in order of time, shifts included; each is drawn when it is asked for."""
        for shift in self.shifts:
            yield from self._work(shift)

    def _moments(self, per_day: float) -> list[int]:
        """Return the instants at which something fails, the earliest one last."""
        if not (per_day and self.shifts):
            return []
        count = int(per_day) + (self._random() < per_day % 1)
        low, high = self.shifts[0].from_ms, self.shifts[-1].to_ms
        return sorted((self._rng.randrange(low, high) for _ in range(count)), reverse=True)

    def _work(self, shift: PlannedShift) -> Iterator[DiaryEntry]:
        seller_id = shift.seller.seller_id
        post = self._post
        yield DiaryEntry("shift", post.site_id, post.console_id, shift.from_ms, shift.to_ms, seller_id=seller_id)
        last_ms = shift.to_ms - self._longest_ms
        self._free_ms = max(self._free_ms, shift.from_ms + SETTLE_MS)
        for from_ms, to_ms, rate, wants in self._hours(shift):
            arrives_ms = float(from_ms)
            while rate:
                arrives_ms += self._rng.expovariate(rate)
                if arrives_ms >= to_ms or self._free_ms > last_ms:
                    break
                at_ms = max(int(arrives_ms), self._free_ms)
                if at_ms > last_ms:
                    break
                self._serve(shift.seller.habits, at_ms, wants)
                if self._to_supersede_ms is None:  # otherwise the last entry may change
                    yield from self._written
                    self._written.clear()
        if self._to_supersede_ms is not None:  # no other customer comes
            self._to_supersede_ms = None
            self._expire()
        yield from self._written
        self._written.clear()

    def _hours(self, shift: PlannedShift) -> Iterator[tuple[int, int, float, Sequence[float]]]:
        """Yield the hours of a shift: start, end, customers per millisecond, cumulative shares of what they want."""
        site = self._site
        for from_ms, to_ms, hour in local_hours(site, shift.from_ms, shift.to_ms):
            rate = site.visitors[hour] * self._weekday / len(site.posts) / HOUR_MS
            yield from_ms, to_ms, rate, self._unhappy if hour in site.customers.unhappy_hours else self._shares

    # One customer -------------------------------------------------------------------------------------------------

    def _serve(self, habits: SellerHabits, at_ms: int, wants: Sequence[float]) -> None:
        random = self._random
        customers, rules = self._site.customers, self._rules
        drawn = random()
        wanted = WANTS[0 if drawn < wants[0] else 1 if drawn < wants[1] else 2 if drawn < wants[2] else 3]
        bought = random() < customers.bought
        visitors = 2 if random() < customers.company else 1
        self._served += 1
        if self._stuck and self._stuck[-1] <= at_ms:
            self._stick(at_ms)
            return
        at_ms = self._clear_of_scope_end(at_ms)
        superseded, self._to_supersede_ms = self._to_supersede_ms, None
        if superseded is not None:
            at_ms = superseded
        elif self._served % rules.ask_every or not self._asks(habits, wanted):
            self._write("customer", at_ms, at_ms + 100, wanted, "not_asked", (), bought, visitors)
            self._free_ms = at_ms + SERVICE_MS
            return
        if self._cuts and self._cuts[-1] <= at_ms:
            self._cut(at_ms, wanted, visitors)
            return
        self._ask(habits, at_ms, wanted, bought, visitors)
        ends_ms = self._free_ms
        if self._to_supersede_ms is None:
            self._between(habits, wanted, ends_ms)

    def _asks(self, habits: SellerHabits, wanted: Wanted) -> bool:
        if habits.asks < 1 and self._random() >= habits.asks:
            return False
        return wanted != "no" or self._random() < habits.asks_unhappy

    def _ask(self, habits: SellerHabits, at_ms: int, wanted: Wanted, bought: bool, visitors: int) -> None:  # noqa: FBT001
        """Ask the customer, who answers well within the window, lets it pass, or is superseded by the next one."""
        random, rules, customers = self._random, self._rules, self._site.customers
        presses = [self._press("seller", "ask", at_ms)]
        earliest_ms = 600
        if habits.presses_twice and random() < habits.presses_twice:
            presses.append(self._press("seller", "again", at_ms + 250))
        if habits.force_majeure_during and random() < habits.force_majeure_during and at_ms < self._declarations_end_ms:
            presses.append(self._declare(at_ms + 700))
            earliest_ms = 900 + presses[-1].held_ms
        latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
        if wanted == "silent":
            if habits.presses_yes and random() < habits.presses_yes:
                soon_ms = 300 if len(presses) == 1 else earliest_ms
                presses.append(self._press("yes", "answer_by_seller", at_ms + soon_ms + int(random() * 200)))
                self._answered(presses, at_ms, wanted, bought, visitors)
                return
            self._keep_silent(presses, at_ms, earliest_ms, bought, visitors)
            return
        after_ms = earliest_ms + int(random() ** 2.5 * max(0, latest_ms - earliest_ms))
        presses.append(self._press(wanted, "answer", at_ms + after_ms))
        if customers.late_answer and random() < customers.late_answer:
            late_ms = presses[-1].until_ms + 200 + int(random() * 300)
            presses.append(self._press(ANSWERS[int(random() * 3)], "late_answer", late_ms))
        self._answered(presses, at_ms, wanted, bought, visitors)

    def _answered(self, presses: list[Press], at_ms: int, wanted: Wanted, bought: bool, visitors: int) -> None:  # noqa: FBT001
        until_ms = presses[-1].until_ms + SETTLE_MS
        self._write("customer", at_ms, until_ms, wanted, "answered", tuple(presses), bought, visitors)
        self._free_ms = max(until_ms, at_ms + SERVICE_MS)

    def _keep_silent(self, presses: list[Press], at_ms: int, earliest_ms: int, bought: bool, visitors: int) -> None:  # noqa: FBT001
        rules, random = self._rules, self._random
        soonest_ms = max(earliest_ms, rules.reopen_guard_ms + MARGIN_MS, SERVICE_MS)
        latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
        is_superseded = rules.ask_every == 1 and soonest_ms < latest_ms and random() < self._site.customers.superseding
        if is_superseded:
            until_ms = at_ms + soonest_ms + int(random() * (latest_ms - soonest_ms))
            if abs(until_ms - self._scope_ends_ms) < MARGIN_MS or until_ms > self._last_ask_ms(at_ms):
                is_superseded = False
            else:
                self._to_supersede_ms = until_ms
        if not is_superseded:
            until_ms = at_ms + rules.survey_window_ms + MARGIN_MS
        ends: Ends = "superseded" if is_superseded else "expired"
        self._write("customer", at_ms, until_ms, "silent", ends, tuple(presses), bought, visitors)
        self._free_ms = until_ms

    # Odd things ---------------------------------------------------------------------------------------------------

    def _between(self, habits: SellerHabits, wanted: Wanted, at_ms: int) -> None:
        """Maybe add something before the next customer: a stray press, a force majeure with or without a reason."""
        random = self._random
        if self._site.customers.stray and random() < self._site.customers.stray:
            press = self._press(ANSWERS[int(random() * 3)], "stray", at_ms + SETTLE_MS)
            self._write_alone("stray", press)
        share = habits.force_majeure_after_no if wanted == "no" else 0.0
        share = max(share, habits.force_majeure)
        if share and random() < share and at_ms < self._declarations_end_ms:
            self._write_alone("force_majeure", self._declare(self._free_ms + SETTLE_MS))

    def _stick(self, at_ms: int) -> None:
        """Somebody leans on a button; a customer who comes meanwhile is served elsewhere."""
        self._stuck.pop()
        if self._to_supersede_ms is not None:  # the earlier customer's window passes
            self._to_supersede_ms = None
            at_ms = self._expire()
        held_ms = self._post.stuck_ms + 5000 + int(self._random() * 60_000)
        at_ms = max(at_ms, self._free_ms)
        press = Press(ANSWERS[int(self._random() * 3)], "stray", held_ms, 0, at_ms, at_ms + held_ms)
        self._write_alone("stray", press)

    def _expire(self) -> int:
        """Let the last customer, who was to be superseded, wait for the window's end; return when he is done."""
        last = self._written.pop()
        until_ms = last.at_ms + self._rules.survey_window_ms + MARGIN_MS
        self._write("customer", last.at_ms, until_ms, "silent", "expired", last.presses, last.bought, last.visitors)
        self._free_ms = until_ms
        return until_ms

    def _cut(self, at_ms: int, wanted: Wanted, visitors: int) -> None:
        """Pull the plug while the customer decides."""
        self._cuts.pop()
        ask = self._press("seller", "ask", at_ms)
        off_ms = at_ms + CUT_MS
        cut = Press("power", "power_cut", 0, 0, off_ms, off_ms + OFF_MS)
        until_ms = off_ms + OFF_MS + START_MS
        self._write("customer", at_ms, until_ms, wanted, "cut_off", (ask, cut), bought=False, visitors=visitors)
        self._free_ms = until_ms

    def _write_alone(self, kind: Kind, press: Press) -> None:
        self._write(kind, press.at_ms, press.until_ms + MARGIN_MS, "silent", "not_asked", (press,))
        self._free_ms = press.until_ms + SETTLE_MS

    # Shared by all of them ---------------------------------------------------------------------------------------

    def _clear_of_scope_end(self, at_ms: int) -> int:
        """Return this instant, or a later one if the scope of a force majeure ends near it."""
        return self._scope_ends_ms + MARGIN_MS if abs(at_ms - self._scope_ends_ms) < MARGIN_MS else at_ms

    def _last_ask_ms(self, at_ms: int) -> int:
        """Return the latest instant at which a customer may be asked in this shift."""
        return next(shift.to_ms for shift in self.shifts if at_ms < shift.to_ms) - self._longest_ms

    def _declare(self, at_ms: int) -> Press:
        self._scope_ends_ms = at_ms + self._rules.force_majeure_scope_s * 1000
        held_ms = self._rules.long_press_ms + MARGIN_MS
        return Press("seller", "force_majeure", held_ms, 0, at_ms, at_ms + held_ms)

    def _press(self, button: str, why: str, at_ms: int) -> Press:
        held_ms = 60 + int(self._random() * 100)
        return Press(button, why, held_ms, 0, at_ms, at_ms + held_ms)

    def _write(
        self,
        kind: Kind,
        at_ms: int,
        until_ms: int,
        wanted: Wanted,
        ends: Ends,
        presses: tuple[Press, ...],
        bought: bool = False,  # noqa: FBT001, FBT002
        visitors: int = 0,
    ) -> None:
        post = self._post
        self._written.append(
            DiaryEntry(
                kind,
                post.site_id,
                post.console_id,
                at_ms,
                until_ms,
                0,
                wanted,
                ends,
                post.question_id,
                1,
                post.rules.ask_every,
                "",
                bought,
                visitors,
                presses,
            )
        )


def _shares(weights: Sequence[float]) -> tuple[float, ...]:
    """Return the cumulative shares of these weights."""
    total = sum(weights) or 1.0
    return tuple(accumulate(weight / total for weight in weights))


def local_hours(site: PlannedSite, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield the local hours between two instants as (start, end, hour of the day)."""
    start_ms = from_ms
    while start_ms < to_ms:
        hour = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(site.zone).hour
        end_ms = start_ms - start_ms % QUARTER_MS + QUARTER_MS
        while end_ms < to_ms and datetime.fromtimestamp(end_ms / 1000, UTC).astimezone(site.zone).hour == hour:
            end_ms += QUARTER_MS
        end_ms = min(end_ms, to_ms)
        yield start_ms, end_ms, hour
        start_ms = end_ms


def transactions(
    site: PlannedSite, post: PlannedPost, entries: Sequence[DiaryEntry], shifts: Sequence[PlannedShift]
) -> list[TrueCount]:
    """Return the till's count for each shift and local hour."""
    sales = [entry.at_ms for entry in entries if entry.bought]
    counts: list[TrueCount] = []
    index = 0
    for shift in shifts:
        for from_ms, to_ms, _ in local_hours(site, shift.from_ms, shift.to_ms):
            first = index
            while index < len(sales) and sales[index] < to_ms:
                index += 1
            seller_id = shift.seller.seller_id
            where = post.console_id, seller_id
            counts.append(TrueCount("transactions", post.site_id, from_ms, index - first, *where, to_ms=to_ms))
    return counts


def visitors(site: PlannedSite, entries: Sequence[DiaryEntry], shifts: Sequence[PlannedShift]) -> list[TrueCount]:
    """Return the people counter's count for each local hour of the site."""
    arrivals = sorted((entry.at_ms, entry.visitors) for entry in entries if entry.visitors)
    counts: list[TrueCount] = []
    if not shifts:
        return counts
    index = 0
    opens_ms, closes_ms = min(shift.from_ms for shift in shifts), max(shift.to_ms for shift in shifts)
    for from_ms, to_ms, _ in local_hours(site, opens_ms, closes_ms):
        people = 0
        while index < len(arrivals) and arrivals[index][0] < to_ms:
            people += arrivals[index][1]
            index += 1
        counts.append(TrueCount("visitors", site.site_id, from_ms, people, to_ms=to_ms))
    return counts
