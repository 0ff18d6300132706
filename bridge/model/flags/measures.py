"""Measure the effects of which a seller's Z is taken: asking the happy, skipping bad hours, regular *yes*. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.flags.asking import AskedHour, effect_of_bad_hours, logit_of_asked
from bridge.model.flags.beta_binomial import moment_rho
from bridge.model.flags.fullest_second import fullest_second
from bridge.model.flags.odds import Stratum, mantel_haenszel
from bridge.model.flags.robust_z import Effect

if TYPE_CHECKING:
    from bridge.model.flags.evidence import Hour, MonthEvidence, SellerMonth

LEAST_TIMED_YES = 50
LEAST_SALES = 200
LEAST_PEERS_IN_HOUR = 3
BAD_SHARE = 0.25
"""The share of his hours that are a seller's bad ones."""


class Measured(NamedTuple):
    """The effects of a seller, in the rule's order, and the counts to show for them: x of n, and the peers' share."""

    effects: tuple[Effect, ...]
    x: float
    n: float
    peers_share: float | None = None  # None: the median of the others' shares

    @property
    def share(self) -> float:
        """The seller's share."""
        return self.x / self.n if self.n else 0.0


def asking_the_happy(evidence: MonthEvidence) -> dict[str, Measured]:
    """Measure the logit of asked / sales, and the log odds of *no* by hour of day against the site's peers."""
    answers = {seller_id: _by_hour_of_day(month) for seller_id, month in evidence.items()}
    totals: Counter[tuple[str, str, str, int]] = Counter()
    for strata in answers.values():
        for stratum, counts in strata.items():
            totals.update({(*stratum, column): count for column, count in enumerate(counts)})
    measured = {}
    for seller_id, month in evidence.items():
        odds = mantel_haenszel(
            Stratum(no, yes, totals[*stratum, 0] - no, totals[*stratum, 1] - yes)
            for stratum, (no, yes) in answers[seller_id].items()
        )
        if odds is None or not month.sales or not month.asked_surveys:
            continue
        each_for = month.asked / month.asked_surveys  # customers: with `ask_every` only each n-th is a draw
        effects = logit_of_asked(month.asked_surveys, month.sales / each_for), odds
        measured[seller_id] = Measured(effects, month.asked, month.sales)
    return measured


def _by_hour_of_day(month: SellerMonth) -> dict[tuple[str, str, str], list[int]]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for (site_id, question_id, hour), (no, yes) in month.answers.items():
        counts = found.setdefault((site_id, question_id, hour[11:13]), [0, 0])
        counts[0] += no
        counts[1] += yes
    return found


def skipping_bad_hours(evidence: MonthEvidence) -> dict[str, Measured]:
    """Measure log(asked / expected) in bad hours less the same in the others, of sellers with peers in their hours."""
    site_hours = _SiteHours(evidence)
    measured = {}
    for seller_id, month in evidence.items():
        hours = [hour for _, hour in site_hours.of(month)]
        if sum(hour.sales for hour in hours) < LEAST_SALES:
            continue
        effect = effect_of_bad_hours(hours)
        if effect is not None:
            bad = [hour for hour in hours if hour.is_bad]
            asked, sales, expected = (sum(getattr(hour, name) for hour in bad) for name in AskedHour._fields[2:])
            measured[seller_id] = Measured((effect,), asked, sales, expected / sales)
    return measured


def bad_hours(evidence: MonthEvidence, seller_id: str) -> set[Hour]:
    """Return the hours of a seller in which his peers have the highest share of *no*."""
    return {hour for hour, asked in _SiteHours(evidence).of(evidence[seller_id]) if asked.is_bad}


class _SiteHours:
    """The sales, the customers asked and the answers of each hour, of all sellers."""

    def __init__(self, evidence: MonthEvidence) -> None:
        self._all: dict[Hour, list[float]] = {}  # customers asked, sales, and sellers who had any
        self._answers: dict[Hour, list[int]] = {}
        for month in evidence.values():
            for hour, counts in month.hours.items():
                of_all = self._all.get(hour)
                if of_all is None:
                    of_all = self._all[hour] = [0.0, 0.0, 0]
                of_all[0] += counts.asked
                of_all[1] += counts.sales
                of_all[2] += counts.sales > 0
            for hour, (no, yes) in _by_hour(month).items():
                answers = self._answers.setdefault(hour, [0, 0])
                answers[0] += no
                answers[1] += yes
        self._usual, self._weight = self._usual_shares()

    def _usual_shares(self) -> tuple[dict[tuple[str, str], float], float]:
        """Return the share of *no* in each hour of the day, and how many answers it weighs beside a very hour's own.

        The more the same hours of several days differ beyond chance, the less.
        """
        of_day: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for (site_id, hour), (no, yes) in self._answers.items():
            of_day[site_id, hour[11:13]][0] += no
            of_day[site_id, hour[11:13]][1] += yes
        usual = {key: no / (no + yes) if no + yes else 0.0 for key, (no, yes) in of_day.items()}
        cells: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for (site_id, hour), (no, yes) in self._answers.items():
            if no + yes:
                cells[site_id, hour[11:13]].append((no, no + yes))
        rhos = [(moment_rho(found), len(found)) for found in cells.values()]
        rho = sum(rho * count for rho, count in rhos) / max(1, sum(count for _, count in rhos))
        return usual, (1 - rho) / rho if rho > 0 else 1e9

    def of(self, month: SellerMonth) -> list[tuple[Hour, AskedHour]]:
        """Return the hours of a seller in which enough peers had sales too."""
        own_answers = _by_hour(month)
        found = []
        for hour, own in month.hours.items():
            asked, sales, sellers = self._all[hour]
            peers_sales = sales - own.sales
            if own.sales and sellers > LEAST_PEERS_IN_HOUR and peers_sales > 0:
                share = self._share_of_no(hour, own_answers.get(hour, (0, 0)))
                expected = own.sales * (asked - own.asked) / peers_sales
                found.append((share, hour, own, expected))
        found.sort(key=lambda each: (-each[0], each[1]))
        bad = round(len(found) * BAD_SHARE)
        return [
            (hour, AskedHour(hour[1][:10], index < bad, own.asked, own.sales, expected))
            for index, (_, hour, own, expected) in enumerate(found)
        ]

    def _share_of_no(self, hour: Hour, own: tuple[int, int]) -> float:
        """Return the peers' share of *no* in an hour, drawn towards the usual one of that hour of the day."""
        all_no, all_yes = self._answers.get(hour, (0, 0))
        no, yes = all_no - own[0], all_yes - own[1]
        usual = self._usual.get((hour[0], hour[1][11:13]), 0.0)
        return (no + self._weight * usual) / (no + yes + self._weight)


def _by_hour(month: SellerMonth) -> dict[Hour, tuple[int, int]]:
    found: dict[Hour, tuple[int, int]] = {}
    for (site_id, _, hour), (no, yes) in month.answers.items():
        before = found.get((site_id, hour), (0, 0))
        found[site_id, hour] = before[0] + no, before[1] + yes
    return found


def regular_yes(evidence: MonthEvidence) -> dict[str, Measured]:
    """Measure the share of *yes* in the fullest second."""
    measured = {}
    for seller_id, month in evidence.items():
        timed = month.yes_bins.total()
        if timed >= LEAST_TIMED_YES:
            fullest = fullest_second(month.yes_bins).answers
            share = (fullest + 1) / (timed + 2)
            measured[seller_id] = Measured((Effect(fullest / timed, share * (1 - share) / timed),), fullest, timed)
    return measured
