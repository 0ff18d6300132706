"""Match surveys with sales, one to one: one left over was of somebody who bought nothing, or of nobody. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NEAR_MS = 180_000
"""How far a survey and its sale may lie apart."""


def left_over(opened_ms: Sequence[int], sales_ms: Sequence[int], near_ms: int = NEAR_MS) -> list[int]:
    """Return the positions of the surveys that are left over when as many as can be are matched; both are in order.

    Each survey takes the earliest sale that is near and free. As each survey's span of time is as long as any other's,
    this matches as many as any other way would.
    """
    rest = []
    sale, sales = 0, len(sales_ms)
    for position, at_ms in enumerate(opened_ms):
        from_ms = at_ms - near_ms
        while sale < sales and sales_ms[sale] < from_ms:
            sale += 1
        if sale < sales and sales_ms[sale] <= at_ms + near_ms:
            sale += 1
        else:
            rest.append(position)
    return rest
