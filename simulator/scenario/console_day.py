"""Draw the day of a scenario's console from a seed: what its customers and sellers do, as diary entries.

Everything happens at exactly the millisecond that is written, so what truly happened is certain. Even so, people keep
away from the console's own boundaries: the window's end, the guard, a long press, the scope of a force majeure.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from heapq import merge
from random import Random

from msgspec.structs import replace

from simulator.oracle.cheats import Opportunity
from simulator.people.diary import DiaryEntry, Ends, Kind, Press, Wanted
from simulator.people.shop_plan import CUT_MS, MARGIN_MS
from simulator.scenario.drawn_seller import DrawnSeller, drawn_seller
from simulator.scenario.local_hours import HOUR_MS, local_hours
from simulator.scenario.rewritten_shifts import rewritten_shifts_on
from simulator.scenario.seller_at_work import NOBODY, Customer, SellerAtWork, WorkedHour
from simulator.scenario.sites import PlannedPost, PlannedShift, PlannedSite, shifts_on

LATE_CLOCK_MS = 2_400_000  # from the opening of a shop until its consoles know the time, at the latest
OFF_MS = 2000  # that a pulled plug stays out
START_MS = 4000  # that people give a console to start
SETTLE_MS = 1000  # pause after one action and before the next
DECLARES_AFTER_MS = 700  # from the seller's press to force majeure during a survey
REACTION = (2, 7)  # a beta distribution: of 20 s, half answer within 4.2 s, one in a hundred within 1 s
GHOST_MS = 15_000  # that a seller waits at most before he asks nobody
SERVICE_MS = 4000  # that a customer takes at least
WANTS: tuple[Wanted, ...] = ("yes", "no", "cant_say", "silent")
ANSWERS = WANTS[:3]


class ConsoleDay:
    """A console's local day; `stream` may be called once.

    Attributes:
        shifts: those of the day, in order, as they truly were.
        opportunities: what sellers could have cheated at; complete once the stream has ended.
    """

    def __init__(self, site: PlannedSite, post: PlannedPost, day: date, seed: object) -> None:
        self._site, self._post, self._seed = site, post, seed
        self._rules = post.rules
        self._rng = Random(f"{seed}/{post.site_id}/{post.console_id}/{day}")
        self._random = self._rng.random
        self._weekday = site.weekdays[day.weekday()]
        self.shifts = shifts_on(post, site.zone, day)
        self._rewritten = list(rewritten_shifts_on(site, post, day, seed))
        self.opportunities = [
            Opportunity(
                shift.from_ms, shift.to_ms, post.site_id, shift.seller.seller_id, "rewrites_shifts", bool(parts)
            )
            for shift, parts in self._rewritten
        ]
        self._written: list[DiaryEntry] = []
        self._free_ms = 0  # from then on nothing happens here yet
        self._scope_ends_ms = 0  # of the last force majeure: surveys opened before are affected
        scope_ms = self._rules.force_majeure_scope_s * 1000
        # No force majeure is declared after this: its scope would not end on this day.
        self._declarations_end_ms = self.shifts[-1].to_ms - scope_ms if self.shifts else 0
        self._longest_ms = 2 * self._rules.survey_window_ms + self._rules.long_press_ms + 10_000
        shortest_ms = DECLARES_AFTER_MS + self._rules.long_press_ms + 2 * MARGIN_MS
        self._has_room_to_declare = shortest_ms <= self._rules.survey_window_ms - 2 * MARGIN_MS
        self._served = 0
        self._to_supersede_ms: int | None = None
        opens_ms = self.shifts[0].from_ms if self.shifts else 0
        # What a boot recorded before it knew the time can be dated only if that boot lives on until it knows it.
        self._cuts_from_ms = opens_ms + LATE_CLOCK_MS if site.faults.late_clock else opens_ms
        self._cuts = self._moments(site.faults.power_cuts_per_day)
        self._stuck = self._moments(site.faults.stuck_buttons_per_day)

    def stream(self) -> Iterator[DiaryEntry]:
        """Yield the day's entries in order of time, shifts included; each is drawn when it is asked for."""
        moved = [part for rewritten in self._rewritten for part in rewritten.moved]
        worked = (entry for shift in self.shifts for entry in self._work(shift))
        rewritten = (self._shift_entry("rewritten_shift", part, "rewrites_shifts") for part in moved)
        yield from merge(worked, rewritten, key=lambda entry: entry.at_ms) if moved else worked

    def _moments(self, per_day: float) -> list[int]:
        """Return the instants at which something fails, the earliest one last."""
        if not (per_day and self.shifts):
            return []
        count = int(per_day) + (self._random() < per_day % 1)
        low, high = self.shifts[0].from_ms, self.shifts[-1].to_ms
        return sorted((self._rng.randrange(low, high) for _ in range(count)), reverse=True)

    def _shift_entry(self, kind: Kind, shift: PlannedShift, cheat: str = "") -> DiaryEntry:
        where = self._post.site_id, self._post.console_id
        return DiaryEntry(kind, *where, shift.from_ms, shift.to_ms, seller_id=shift.seller.seller_id, cheat=cheat)

    def _work(self, shift: PlannedShift) -> Iterator[DiaryEntry]:
        yield self._shift_entry("shift", shift)
        site_id = self._post.site_id
        drawn = drawn_seller(self._seed, site_id, self._site.customers, shift.seller)
        seller = SellerAtWork(drawn, shift, site_id, self._random, self.opportunities)
        last_ms = seller.last_ask_ms = shift.to_ms - self._longest_ms
        self._free_ms = max(self._free_ms, shift.from_ms + SETTLE_MS)
        for hour in self._hours(shift, drawn):
            arrives_ms = float(hour.from_ms)
            while hour.rate:
                arrives_ms += self._rng.expovariate(hour.rate)
                if arrives_ms >= hour.to_ms or self._free_ms > last_ms:
                    break
                at_ms = max(int(arrives_ms), self._free_ms)
                if at_ms > last_ms:
                    break
                self._serve(seller, at_ms, hour)
                if self._to_supersede_ms is None:  # otherwise the last entry may change
                    yield from self._written
                    self._written.clear()
        if self._to_supersede_ms is not None:  # no other customer comes
            self._expire()
        yield from self._written
        self._written.clear()

    def _hours(self, shift: PlannedShift, seller: DrawnSeller) -> Iterator[WorkedHour]:
        site, customers = self._site, self._site.customers
        shares = {is_unhappy: seller.wants(is_unhappy_hour=is_unhappy) for is_unhappy in (False, True)}
        for from_ms, to_ms, hour in local_hours(site.zone, shift.from_ms, shift.to_ms):
            rate = site.visitors[hour] * seller.hour_factors[hour] * self._weekday / len(site.posts) / HOUR_MS
            is_unhappy = hour in customers.unhappy_hours
            yield WorkedHour(from_ms, to_ms, rate, seller.asks[hour], shares[is_unhappy], is_unhappy)

    # One customer -------------------------------------------------------------------------------------------------

    def _serve(self, seller: SellerAtWork, at_ms: int, hour: WorkedHour) -> None:
        customer = self._customer(seller, hour.wants)
        self._served += 1
        if self._stuck and self._stuck[-1] <= at_ms:
            self._stick(at_ms)
            return
        at_ms = seller.customer_at_ms = self._clear_of_scope_end(at_ms)
        is_asked, cheat = self._asks(seller, customer, hour)
        if not is_asked:
            if self._to_supersede_ms is not None:  # the earlier customer's window passes
                at_ms = max(at_ms, self._expire())
            self._write("customer", at_ms, at_ms + 100, "not_asked", (), customer, cheat)
            self._free_ms = at_ms + SERVICE_MS
            self._maybe_ghost(seller)
            return
        if self._to_supersede_ms is not None:
            at_ms, self._to_supersede_ms = self._to_supersede_ms, None
        may_cut = at_ms >= self._cuts_from_ms
        if may_cut and self._cuts and self._cuts[-1] <= at_ms:
            self._cuts.pop()
            self._cut(at_ms, customer._replace(bought=False))
        elif may_cut and customer.wanted == "no" and seller.cheats("pulls_plug"):
            self._cut(at_ms, customer, "pulls_plug")
        else:
            self._ask(seller, at_ms, customer)
        if self._to_supersede_ms is None:
            self._between(seller, customer)
            self._maybe_ghost(seller)

    def _customer(self, seller: SellerAtWork, wants: Sequence[float]) -> Customer:
        random, customers = self._random, seller.customers
        drawn = random()
        wanted = WANTS[0 if drawn < wants[0] else 1 if drawn < wants[1] else 2 if drawn < wants[2] else 3]
        bought = random() < customers.bought
        return Customer(wanted, bought, 2 if random() < customers.company else 1)

    def _asks(self, seller: SellerAtWork, customer: Customer, hour: WorkedHour) -> tuple[bool, str]:
        """Return whether the seller asks this customer and, if he does not for a bad reason, the cheat."""
        if self._served % self._rules.ask_every or (hour.asks < 1 and self._random() >= hour.asks):
            return False, ""
        if hour.is_unhappy and seller.cheats("asks_in_unhappy_hours"):
            return False, "asks_in_unhappy_hours"
        if customer.wanted == "no" and seller.cheats("asks_unhappy"):
            return False, "asks_unhappy"
        return True, ""

    def _ask(self, seller: SellerAtWork, at_ms: int, customer: Customer) -> None:
        """Ask the customer, who answers well within the window, lets it pass, or is superseded by the next one."""
        random, rules, customers, habits = self._random, self._rules, seller.customers, seller.habits
        presses = [self._press("seller", "ask", at_ms)]
        earliest_ms = 600
        if habits.presses_twice and random() < habits.presses_twice:
            presses.append(self._press("seller", "again", at_ms + 250))
        latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
        declares, cheat = self._declares(seller, customer, at_ms)
        if declares:
            presses.append(self._declare(at_ms + DECLARES_AFTER_MS))
            earliest_ms = DECLARES_AFTER_MS + 200 + presses[-1].held_ms
        if customer.wanted == "silent":
            if seller.cheats("presses_yes"):
                presses.append(self._own_yes(seller, at_ms, 0 if len(presses) == 1 else earliest_ms))
                self._answered(presses, at_ms, customer, "presses_yes")
                return
            self._keep_silent(seller, presses, at_ms, earliest_ms, customer)
            return
        share = min(1.0, self._rng.betavariate(*REACTION) * seller.drawn.reaction_factor)
        after_ms = earliest_ms + int(share * max(0, latest_ms - earliest_ms))
        presses.append(self._press(customer.wanted, "answer", at_ms + after_ms))
        if customers.late_answer and random() < customers.late_answer:
            late_ms = presses[-1].until_ms + 200 + int(random() * 300)
            presses.append(self._press(ANSWERS[int(random() * 3)], "late_answer", late_ms))
        self._answered(presses, at_ms, customer, cheat)

    def _declares(self, seller: SellerAtWork, customer: Customer, at_ms: int) -> tuple[bool, str]:
        """Return whether the seller declares force majeure while the survey is open and, if he cheats so, the cheat."""
        habits = seller.habits
        if at_ms >= self._declarations_end_ms or not self._has_room_to_declare:
            return False, ""
        if customer.wanted == "no" and seller.cheats("force_majeure_while_unhappy"):
            return True, "force_majeure_while_unhappy"
        return habits.force_majeure_during > 0 and self._random() < habits.force_majeure_during, ""

    def _own_yes(self, seller: SellerAtWork, asked_ms: int, earliest_ms: int) -> Press:
        """Return the press of *yes* by the seller himself."""
        first_s, last_s = seller.habits.presses_yes_after_s
        after_ms = int(1000 * (first_s + self._random() * (last_s - first_s)))
        return self._press("yes", "answer_by_seller", asked_ms + max(after_ms, earliest_ms))

    def _answered(
        self, presses: list[Press], at_ms: int, customer: Customer, cheat: str, kind: Kind = "customer"
    ) -> None:
        until_ms = presses[-1].until_ms + SETTLE_MS
        self._write(kind, at_ms, until_ms, "answered", tuple(presses), customer, cheat)
        self._free_ms = max(until_ms, at_ms + SERVICE_MS)

    def _keep_silent(
        self, seller: SellerAtWork, presses: list[Press], at_ms: int, earliest_ms: int, customer: Customer
    ) -> None:
        rules, random = self._rules, self._random
        soonest_ms = max(earliest_ms, rules.reopen_guard_ms + MARGIN_MS, SERVICE_MS)
        latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
        is_superseded = rules.ask_every == 1 and soonest_ms < latest_ms and random() < self._site.customers.superseding
        if is_superseded:
            until_ms = at_ms + soonest_ms + int(random() * (latest_ms - soonest_ms))
            if abs(until_ms - self._scope_ends_ms) < MARGIN_MS or until_ms > seller.last_ask_ms:
                is_superseded = False
            else:
                self._to_supersede_ms = until_ms
        if not is_superseded:
            until_ms = at_ms + rules.survey_window_ms + MARGIN_MS
        ends: Ends = "superseded" if is_superseded else "expired"
        self._write("customer", at_ms, until_ms, ends, tuple(presses), customer)
        self._free_ms = until_ms

    # Odd things ---------------------------------------------------------------------------------------------------

    def _between(self, seller: SellerAtWork, customer: Customer) -> None:
        """Maybe add something before the next customer: a stray press, a force majeure with or without a reason."""
        random = self._random
        if seller.customers.stray and random() < seller.customers.stray:
            press = self._press(ANSWERS[int(random() * 3)], "stray", self._free_ms + SETTLE_MS)
            self._write_alone("stray", press)
        if self._free_ms < self._declarations_end_ms:
            share = seller.habits.force_majeure
            if customer.wanted == "no" and seller.cheats("force_majeure_after_no"):
                self._write_alone("force_majeure", self._declare(self._free_ms + SETTLE_MS), "force_majeure_after_no")
            elif share and random() < share:
                self._write_alone("force_majeure", self._declare(self._free_ms + SETTLE_MS))

    def _maybe_ghost(self, seller: SellerAtWork) -> None:
        """Maybe let the seller ask nobody, and press *yes* himself."""
        if not seller.habits.ghosts:
            return
        at_ms = self._clear_of_scope_end(self._free_ms + SETTLE_MS + int(self._random() * GHOST_MS))
        if at_ms <= seller.last_ask_ms and seller.cheats("ghosts"):
            presses = [self._press("seller", "ask", at_ms), self._own_yes(seller, at_ms, 0)]
            self._answered(presses, at_ms, NOBODY, "ghosts", "ghost")

    def _stick(self, at_ms: int) -> None:
        """Somebody leans on a button; a customer who comes meanwhile is served elsewhere."""
        self._stuck.pop()
        if self._to_supersede_ms is not None:  # the earlier customer's window passes
            at_ms = self._expire()
        held_ms = self._post.stuck_ms + 5000 + int(self._random() * 60_000)
        at_ms = max(at_ms, self._free_ms)
        press = Press(ANSWERS[int(self._random() * 3)], "stray", held_ms, 0, at_ms, at_ms + held_ms)
        self._write_alone("stray", press)

    def _expire(self) -> int:
        """Let the last customer, who was to be superseded, wait for the window's end; return when he is done."""
        self._to_supersede_ms = None
        last = self._written.pop()
        until_ms = last.at_ms + self._rules.survey_window_ms + MARGIN_MS
        self._written.append(replace(last, until_ms=until_ms, ends="expired"))
        self._free_ms = until_ms
        return until_ms

    def _cut(self, at_ms: int, customer: Customer, cheat: str = "") -> None:
        """Pull the plug while the customer decides."""
        ask = self._press("seller", "ask", at_ms)
        off_ms = at_ms + CUT_MS
        cut = Press("power", "power_cut", 0, 0, off_ms, off_ms + OFF_MS)
        until_ms = off_ms + OFF_MS + START_MS
        self._write("customer", at_ms, until_ms, "cut_off", (ask, cut), customer, cheat)
        self._free_ms = until_ms

    def _write_alone(self, kind: Kind, press: Press, cheat: str = "") -> None:
        self._write(kind, press.at_ms, press.until_ms + MARGIN_MS, "not_asked", (press,), NOBODY, cheat)
        self._free_ms = press.until_ms + SETTLE_MS

    # Shared by all of them ---------------------------------------------------------------------------------------

    def _clear_of_scope_end(self, at_ms: int) -> int:
        """Return this instant, or a later one if the scope of a force majeure ends near it."""
        return self._scope_ends_ms + MARGIN_MS if abs(at_ms - self._scope_ends_ms) < MARGIN_MS else at_ms

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
        ends: Ends,
        presses: tuple[Press, ...],
        customer: Customer,
        cheat: str = "",
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
                customer.wanted,
                ends,
                post.question_id,
                1,
                post.rules.ask_every,
                "",
                customer.bought,
                customer.visitors,
                presses,
                cheat,
            )
        )
