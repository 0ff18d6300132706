"""Write shares and indices for people: one notation in all tables and sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = 2
MOST_DIGITS = 6


def decimal(value: float) -> str:
    """Return a share or an index with two decimals, or with as many as a small one needs not to read as 0."""
    digits = next((digits for digits in range(DIGITS, MOST_DIGITS) if round(value, digits)), DIGITS)
    return f"{round(value, digits) + 0.0:.{digits}f}"


def interval(estimate: Mapping[str, float]) -> str:
    """Return a value with its 95 % interval, as `0.31 (0.25 to 0.38)`; without one, the value."""
    value = decimal(estimate["value"])
    return value if estimate["low"] is None else f"{value} ({bounds(estimate, 'low', 'high')})"


def bounds(estimate: Mapping[str, float], low: str = "at_k0", high: str = "at_k1") -> str:
    """Return two bounds, by default the silent bounds, as `0.06 to 0.86`."""
    return f"{decimal(estimate[low])} to {decimal(estimate[high])}"


def above(value: float, limit: float) -> str:
    """Return `0.104 is above 0.10`: with as many digits as show that it is."""
    digits = next((digits for digits in range(DIGITS, MOST_DIGITS) if round(value, digits) > limit), MOST_DIGITS)
    return f"{value:.{digits}f} is above {max(f'{limit:.{DIGITS}f}', f'{limit:g}', key=len)}"
