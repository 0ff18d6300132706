"""The results of the flags' rules, month by month: those in force, and what they were before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.store.connection import Store


class Watched(NamedTuple):
    """A seller's month that a rule watches or flags: `level` is `watch` or `flag`.

    `month` is local, as 2026-11. Without `is_over` it is the month under way, and the result is one so far.
    """

    seller_id: str
    month: str
    rule: str
    version: int
    level: str
    is_over: bool


def watched(store: Store, from_month: str = "", to_month: str = "9999-99") -> list[Watched]:
    """Return what is watched or flagged in some months, the last one included, but for what was set aside."""
    rows = store.all(
        "SELECT seller_id, month, rule, version, level, is_over FROM flag_result JOIN flag_month USING (month)"
        " WHERE replaced_at_ms IS NULL AND level <> 'clean' AND month BETWEEN ? AND ?"
        " AND (seller_id, rule, month) NOT IN (SELECT seller_id, rule, month FROM flag_set_aside)"
        " ORDER BY month, seller_id, rule",
        (from_month, to_month),
    )
    return [
        Watched(seller, month, rule, version, level, bool(over)) for seller, month, rule, version, level, over in rows
    ]
