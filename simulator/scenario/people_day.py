"""Visitors and sellers of a scenario: a console's day, drawn from a seed, written down as the true diary tells it.

Everything happens at the very millisecond that is written, so what truly happened is certain; people keep away from
the console's own boundaries all the same (the window's end, the guard, a long press, the reach of a force majeure).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from random import Random

from simulator.oracle.facts import Count
from simulator.people.diary import Ends, Entry, Kind, Press, Wanted
from simulator.people.hands import CUT_MS, MARGIN_MS
from simulator.scenario.file import Temperament
from simulator.scenario.sites import OnShift, Place, Post, on_shift

HOUR_MS = 3_600_000
QUARTER_MS = 900_000
OFF_MS = 2000  # how long a pulled plug stays out
START_MS = 4000  # how long people let a console start
SETTLE_MS = 1000  # after what happened, before the next thing does
SERVICE_MS = 4000  # a customer, at least
WANTS: tuple[Wanted, ...] = ("yes", "no", "cant_say", "silent")
ANSWERS = WANTS[:3]


class Day:
    """A console's local day: `stream` gives what happens in order of time, shifts included, once."""

    def __init__(self, place: Place, post: Post, day: date, seed: object) -> None:
        self._place, self._post = place, post
        self._rules = post.rules
        self._chance = Random(f"{seed}/{post.site_id}/{post.console_id}/{day}")
        self._random = self._chance.random
        self._weekday = place.weekdays[day.weekday()]
        customers = place.customers
        weights = (customers.yes, customers.no, customers.cant_say, customers.silent)
        self._shares = _shares(weights)
        self._unhappy = _shares((weights[0], weights[1] * customers.unhappy_factor, *weights[2:]))
        self.shifts = on_shift(post, place.zone, day)
        self._written: list[Entry] = []
        self._free_ms = 0  # from when on nothing goes on here
        self._reach_ms = 0  # until when the last force majeure touches surveys
        self._quiet_ms = self.shifts[-1].to_ms - self._rules.force_majeure_scope_s * 1000 if self.shifts else 0
        self._longest_ms = 2 * self._rules.survey_window_ms + self._rules.long_press_ms + 10_000
        self._served = 0
        self._to_supersede_ms: int | None = None
        self._cuts = self._moments(place.faults.power_cuts_per_day)
        self._stuck = self._moments(place.faults.stuck_buttons_per_day)

    def stream(self) -> Iterator[Entry]:
        """One entry after the other, drawn when it is asked for."""
        for shift in self.shifts:
            yield from self._work(shift)

    def _moments(self, per_day: float) -> list[int]:
        """When something fails, the earliest last."""
        if not (per_day and self.shifts):
            return []
        count = int(per_day) + (self._random() < per_day % 1)
        low, high = self.shifts[0].from_ms, self.shifts[-1].to_ms
        return sorted((self._chance.randrange(low, high) for _ in range(count)), reverse=True)

    def _work(self, shift: OnShift) -> Iterator[Entry]:
        seller_id = shift.seller.seller_id
        post = self._post
        yield Entry("shift", post.site_id, post.console_id, shift.from_ms, shift.to_ms, seller_id=seller_id)
        last_ms = shift.to_ms - self._longest_ms
        self._free_ms = max(self._free_ms, shift.from_ms + SETTLE_MS)
        for from_ms, to_ms, rate, wants in self._hours(shift):
            arrives_ms = float(from_ms)
            while rate:
                arrives_ms += self._chance.expovariate(rate)
                if arrives_ms >= to_ms or self._free_ms > last_ms:
                    break
                at_ms = max(int(arrives_ms), self._free_ms)
                if at_ms > last_ms:
                    break
                self._serve(shift.seller.temperament, at_ms, wants)
                if self._to_supersede_ms is None:  # else the last entry may change
                    yield from self._written
                    self._written.clear()
        if self._to_supersede_ms is not None:  # nobody comes any more
            self._to_supersede_ms = None
            self._expire()
        yield from self._written
        self._written.clear()

    def _hours(self, shift: OnShift) -> Iterator[tuple[int, int, float, Sequence[float]]]:
        """The hours of a shift: from, to, customers a millisecond, what they want."""
        place = self._place
        for from_ms, to_ms, hour in local_hours(place, shift.from_ms, shift.to_ms):
            rate = place.visitors[hour] * self._weekday / len(place.posts) / HOUR_MS
            yield from_ms, to_ms, rate, self._unhappy if hour in place.customers.unhappy_hours else self._shares

    # One customer -------------------------------------------------------------------------------------------------

    def _serve(self, temperament: Temperament, at_ms: int, wants: Sequence[float]) -> None:
        chance = self._random
        customers, rules = self._place.customers, self._rules
        drawn = chance()
        wanted = WANTS[0 if drawn < wants[0] else 1 if drawn < wants[1] else 2 if drawn < wants[2] else 3]
        bought = chance() < customers.bought
        visitors = 2 if chance() < customers.company else 1
        self._served += 1
        if self._stuck and self._stuck[-1] <= at_ms:
            self._stick(at_ms)
            return
        at_ms = self._clear_of_reach(at_ms)
        superseded, self._to_supersede_ms = self._to_supersede_ms, None
        if superseded is not None:
            at_ms = superseded
        elif self._served % rules.ask_every or not self._asks(temperament, wanted):
            self._write("customer", at_ms, at_ms + 100, wanted, "not_asked", (), bought, visitors)
            self._free_ms = at_ms + SERVICE_MS
            return
        if self._cuts and self._cuts[-1] <= at_ms:
            self._cut(at_ms, wanted, visitors)
            return
        self._ask(temperament, at_ms, wanted, bought, visitors)
        ends_ms = self._free_ms
        if self._to_supersede_ms is None:
            self._between(temperament, wanted, ends_ms)

    def _asks(self, temperament: Temperament, wanted: Wanted) -> bool:
        if temperament.asks < 1 and self._random() >= temperament.asks:
            return False
        return wanted != "no" or self._random() < temperament.asks_unhappy

    def _ask(self, temperament: Temperament, at_ms: int, wanted: Wanted, bought: bool, visitors: int) -> None:  # noqa: FBT001
        """He is asked, answers well inside the window or lets it pass, or the next one is asked before."""
        chance, rules, customers = self._random, self._rules, self._place.customers
        presses = [self._press("seller", "ask", at_ms)]
        earliest_ms = 600
        if temperament.presses_twice and chance() < temperament.presses_twice:
            presses.append(self._press("seller", "again", at_ms + 250))
        if temperament.force_majeure_during and chance() < temperament.force_majeure_during and at_ms < self._quiet_ms:
            presses.append(self._declare(at_ms + 700))
            earliest_ms = 900 + presses[-1].held_ms
        latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
        if wanted == "silent":
            if temperament.presses_yes and chance() < temperament.presses_yes:
                at_once_ms = 300 if len(presses) == 1 else earliest_ms
                presses.append(self._press("yes", "answer_by_seller", at_ms + at_once_ms + int(chance() * 200)))
                self._answered(presses, at_ms, wanted, bought, visitors)
                return
            self._keep_silent(presses, at_ms, earliest_ms, bought, visitors)
            return
        after_ms = earliest_ms + int(chance() ** 2.5 * max(0, latest_ms - earliest_ms))
        presses.append(self._press(wanted, "answer", at_ms + after_ms))
        if customers.late_answer and chance() < customers.late_answer:
            late_ms = presses[-1].until_ms + 200 + int(chance() * 300)
            presses.append(self._press(ANSWERS[int(chance() * 3)], "late_answer", late_ms))
        self._answered(presses, at_ms, wanted, bought, visitors)

    def _answered(self, presses: list[Press], at_ms: int, wanted: Wanted, bought: bool, visitors: int) -> None:  # noqa: FBT001
        until_ms = presses[-1].until_ms + SETTLE_MS
        self._write("customer", at_ms, until_ms, wanted, "answered", tuple(presses), bought, visitors)
        self._free_ms = max(until_ms, at_ms + SERVICE_MS)

    def _keep_silent(self, presses: list[Press], at_ms: int, earliest_ms: int, bought: bool, visitors: int) -> None:  # noqa: FBT001
        rules, chance = self._rules, self._random
        soonest_ms = max(earliest_ms, rules.reopen_guard_ms + MARGIN_MS, SERVICE_MS)
        latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
        is_superseded = rules.ask_every == 1 and soonest_ms < latest_ms and chance() < self._place.customers.superseding
        if is_superseded:
            until_ms = at_ms + soonest_ms + int(chance() * (latest_ms - soonest_ms))
            if abs(until_ms - self._reach_ms) < MARGIN_MS or until_ms > self._last_ask_ms(at_ms):
                is_superseded = False
            else:
                self._to_supersede_ms = until_ms
        if not is_superseded:
            until_ms = at_ms + rules.survey_window_ms + MARGIN_MS
        ends: Ends = "superseded" if is_superseded else "expired"
        self._write("customer", at_ms, until_ms, "silent", ends, tuple(presses), bought, visitors)
        self._free_ms = until_ms

    # Odd things ---------------------------------------------------------------------------------------------------

    def _between(self, temperament: Temperament, wanted: Wanted, at_ms: int) -> None:
        """What may happen before the next customer: a stray press, a force majeure, for a reason or for an excuse."""
        chance = self._random
        if self._place.customers.stray and chance() < self._place.customers.stray:
            press = self._press(ANSWERS[int(chance() * 3)], "stray", at_ms + SETTLE_MS)
            self._alone("stray", press)
        share = temperament.force_majeure_after_no if wanted == "no" else 0.0
        share = max(share, temperament.force_majeure)
        if share and chance() < share and at_ms < self._quiet_ms:
            self._alone("force_majeure", self._declare(self._free_ms + SETTLE_MS))

    def _stick(self, at_ms: int) -> None:
        """Somebody leans on a button; who waits meanwhile is served elsewhere."""
        self._stuck.pop()
        if self._to_supersede_ms is not None:  # the earlier customer's window passes
            self._to_supersede_ms = None
            at_ms = self._expire()
        held_ms = self._post.stuck_ms + 5000 + int(self._random() * 60_000)
        at_ms = max(at_ms, self._free_ms)
        press = Press(ANSWERS[int(self._random() * 3)], "stray", held_ms, 0, at_ms, at_ms + held_ms)
        self._alone("stray", press)

    def _expire(self) -> int:
        """The last customer, who was to be superseded, waits for the window's end after all; when that is."""
        last = self._written.pop()
        until_ms = last.at_ms + self._rules.survey_window_ms + MARGIN_MS
        self._write("customer", last.at_ms, until_ms, "silent", "expired", last.presses, last.bought, last.visitors)
        self._free_ms = until_ms
        return until_ms

    def _cut(self, at_ms: int, wanted: Wanted, visitors: int) -> None:
        """The plug is pulled while the customer decides."""
        self._cuts.pop()
        ask = self._press("seller", "ask", at_ms)
        off_ms = at_ms + CUT_MS
        cut = Press("power", "power_cut", 0, 0, off_ms, off_ms + OFF_MS)
        until_ms = off_ms + OFF_MS + START_MS
        self._write("customer", at_ms, until_ms, wanted, "cut_off", (ask, cut), bought=False, visitors=visitors)
        self._free_ms = until_ms

    def _alone(self, kind: Kind, press: Press) -> None:
        self._write(kind, press.at_ms, press.until_ms + MARGIN_MS, "silent", "not_asked", (press,))
        self._free_ms = press.until_ms + SETTLE_MS

    # What all of it needs -----------------------------------------------------------------------------------------

    def _clear_of_reach(self, at_ms: int) -> int:
        """Later, where the reach of a force majeure ends."""
        return self._reach_ms + MARGIN_MS if abs(at_ms - self._reach_ms) < MARGIN_MS else at_ms

    def _last_ask_ms(self, at_ms: int) -> int:
        """Until when a customer may be asked in the shift that is on."""
        return next(shift.to_ms for shift in self.shifts if at_ms < shift.to_ms) - self._longest_ms

    def _declare(self, at_ms: int) -> Press:
        self._reach_ms = at_ms + self._rules.force_majeure_scope_s * 1000
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
            Entry(
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
    whole = sum(weights) or 1.0
    return tuple(accumulate(weight / whole for weight in weights))


def local_hours(place: Place, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, int]]:
    """The local hours from one instant to another: from, to, and the hour's number."""
    start_ms = from_ms
    while start_ms < to_ms:
        hour = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(place.zone).hour
        end_ms = start_ms - start_ms % QUARTER_MS + QUARTER_MS
        while end_ms < to_ms and datetime.fromtimestamp(end_ms / 1000, UTC).astimezone(place.zone).hour == hour:
            end_ms += QUARTER_MS
        end_ms = min(end_ms, to_ms)
        yield start_ms, end_ms, hour
        start_ms = end_ms


def transactions(
    place: Place, post: Post, entries: Sequence[Entry], shifts: Sequence[OnShift]
) -> list[tuple[int, Count]]:
    """What the checkout point's till counts: until when, and the figure, a shift and hour."""
    sales = [entry.at_ms for entry in entries if entry.bought]
    made: list[tuple[int, Count]] = []
    index = 0
    for shift in shifts:
        for from_ms, to_ms, _ in local_hours(place, shift.from_ms, shift.to_ms):
            first = index
            while index < len(sales) and sales[index] < to_ms:
                index += 1
            seller_id = shift.seller.seller_id
            figure = Count("transactions", post.site_id, from_ms, index - first, post.console_id, seller_id)
            made.append((to_ms, figure))
    return made


def visitors(place: Place, entries: Sequence[Entry], shifts: Sequence[OnShift]) -> list[tuple[int, Count]]:
    """What the people counter at the door counts, an hour, of all that happened at the site."""
    came = sorted((entry.at_ms, entry.visitors) for entry in entries if entry.visitors)
    made: list[tuple[int, Count]] = []
    if not shifts:
        return made
    index = 0
    opens_ms, closes_ms = min(shift.from_ms for shift in shifts), max(shift.to_ms for shift in shifts)
    for from_ms, to_ms, _ in local_hours(place, opens_ms, closes_ms):
        people = 0
        while index < len(came) and came[index][0] < to_ms:
            people += came[index][1]
            index += 1
        made.append((to_ms, Count("visitors", place.site_id, from_ms, people)))
    return made
