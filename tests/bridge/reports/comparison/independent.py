"""Compute comparisons anew, from the definitions: shares no code with the bridge."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, sqrt
from typing import Any

Z = 1.959963984540054
Counts = tuple[int, int, int, int]
"""Numbers of yes, no, can't say and silent."""


def wilson(count: int, of: int) -> tuple[float, float]:
    share = count / of
    root = Z * sqrt(Z * Z + 4 * count * (1 - share))
    return (2 * count + Z * Z - root) / (2 * (of + Z * Z)), (2 * count + Z * Z + root) / (2 * (of + Z * Z))


def dissatisfaction(counts: Counts, k: float) -> tuple[float, float, float]:
    """Return (value, low, high); the interval joins those of d = D/N and e = (D+S)/N."""
    of, d, e = sum(counts), counts[1], counts[1] + counts[3]
    (d_low, d_high), (e_low, e_high) = wilson(d, of), wilson(e, of)
    r = 1.0 if d == e else sqrt(d * (of - e) / (e * (of - d)))
    value = (1 - k) * d / of + k * e / of
    bounds = []
    for d_bound, e_bound in ((d_low, e_low), (d_high, e_high)):
        a, b = (1 - k) * abs(d / of - d_bound), k * abs(e / of - e_bound)
        bounds.append(sqrt(a * a + b * b + 2 * r * a * b))
    return value, max(0.0, value - bounds[0]), min(1.0, value + bounds[1])


def difference(one: tuple[float, float, float], two: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return one less two, by squaring and adding the distances to the bounds."""
    value = one[0] - two[0]
    low = value - sqrt((one[0] - one[1]) ** 2 + (two[2] - two[0]) ** 2)
    return value, low, value + sqrt((one[2] - one[0]) ** 2 + (two[0] - two[1]) ** 2)


def verdict(one: Counts, two: Counts, k: float) -> str:
    signs = set()
    for weight in (k, 0.0, 1.0):
        _, low, high = difference(dissatisfaction(one, weight), dissatisfaction(two, weight))
        signs.add("worse" if low > 0 else "better" if high < 0 else "cannot_be_told_apart")
    return signs.pop() if len(signs) == 1 else "cannot_be_told"


def fisher(one: tuple[int, int], two: tuple[int, int]) -> Fraction:
    """Return twice the smaller tail of the hypergeometric distribution, summed exactly."""
    (x, n), (y, m) = one, two
    whole = comb(n + m, x + y)
    ways = [comb(n, a) * comb(m, x + y - a) if x + y >= a else 0 for a in range(n + 1)]
    chances = [Fraction(way, whole) for way in ways]
    return min(Fraction(1), 2 * min(sum(chances[: x + 1]), sum(chances[x:])))


def groups(members: dict[str, Counts]) -> dict[str, str]:
    """Return the group of each seller, by Holm's procedure over all pairs."""
    tests: list[tuple[Fraction, str, str]] = []
    for one, two in combinations(sorted(members), 2):
        signs, p = set(), Fraction(0)
        for bound in (0, 1):
            x, y = (members[name][1] + bound * members[name][3] for name in (one, two))
            n, m = sum(members[one]), sum(members[two])
            signs.add((x * m > y * n) - (x * m < y * n))
            p = max(p, fisher((x, n), (y, m)))
        if len(signs) == 1 and 0 not in signs:
            better, worse = (one, two) if signs == {-1} else (two, one)
            tests.append((p, better, worse))
    pairs = len(members) * (len(members) - 1) // 2
    wins, losses = dict.fromkeys(members, 0), dict.fromkeys(members, 0)
    for number, (p, better, worse) in enumerate(sorted(tests)):
        if p * (pairs - number) > Fraction(1, 20):
            break
        wins[better] += 1
        losses[worse] += 1
    half = (len(members) - 1) / 2
    found = dict.fromkeys(members, "cannot_be_told_apart")
    found |= {name: "better_than_most" for name in members if wins[name] > half}
    return found | {name: "worse_than_most" for name in members if losses[name] > half}


def counts_of(side: dict[str, Any]) -> Counts:
    return side["yes"], side["no"], side["cant_say"], side["silent"]
