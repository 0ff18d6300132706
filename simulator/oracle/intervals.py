"""Compute 95 % intervals as the method defines them, independently of the bridge."""

from math import sqrt

SQUARED = 3.841458820694124  # of the normal quantile, 1.959963984540054
Bounds = tuple[float, float]


def score_bounds(part: int, whole: int) -> Bounds:
    """Return the shares p at which the observed share is just 1.96 standard errors away: (p - share)² = z² p(1 - p)/n.

    They are the roots of (n + z²) p² - (2 part + z²) p + part²/n.
    """
    a, b, c = whole + SQUARED, 2 * part + SQUARED, part * part / whole
    root = sqrt(max(0.0, b * b - 4 * a * c))
    return (b - root) / (2 * a), (b + root) / (2 * a)


def bounds_of_dissatisfaction(no: int, silent: int, whole: int, k: float) -> Bounds:
    """Return θ - √(A² + B² + 2rAB) and its mirror, of the bounds of d = D/N and e = (D + S)/N."""
    d, e = no / whole, (no + silent) / whole
    of_d, of_e = score_bounds(no, whole), score_bounds(no + silent, whole)
    r = 1.0 if silent == 0 else sqrt(d * (1 - e)) / sqrt(e * (1 - d))
    theta, ends = (1 - k) * d + k * e, []
    for side, sign in ((0, -1), (1, 1)):
        a, b = (1 - k) * abs(d - of_d[side]), k * abs(e - of_e[side])
        ends.append(theta + sign * sqrt((a + b) ** 2 - 2 * (1 - r) * a * b))
    return _kept(ends[0], ends[1], 0.0, theta)


def bounds_of_loyalty(yes: int, no: int, silent: int, whole: int, k: float) -> Bounds:
    """Return the net share with three more observations, 3/4 *yes*, 3/4 *no* and 3/2 neither, ± 1.96 errors (Rocks)."""
    total = whole + 3
    mean = (yes - no - k * silent) / total
    squares = (yes + no + 1.5 + k * k * silent) / total
    half = sqrt(SQUARED * (squares - mean * mean) / total)
    return _kept(mean - half, mean + half, -1.0, (yes - no - k * silent) / whole)


def _kept(low: float, high: float, least: float, value: float) -> Bounds:
    return min(value, max(least, low)), max(value, min(1.0, high))
