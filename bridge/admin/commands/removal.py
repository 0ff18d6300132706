"""Commands that remove what was set or imported."""

from __future__ import annotations

from datetime import date

from bridge.admin.commands.base import BridgeCommand, Scope


class RemoveConsoles(BridgeCommand, frozen=True):
    """Remove consoles, each named SITE/CONSOLE, that never sent anything: all or none."""

    words = "console remove"
    consoles: list[str]


class RemoveSites(BridgeCommand, frozen=True):
    """Remove sites that nothing was received from: all or none."""

    words = "site remove"
    sites: list[str]


class RemoveCheckoutPoint(BridgeCommand, frozen=True):
    """Remove a checkout point with all placements there, or with `console_id` only that console's placements."""

    words = "checkout-point remove"
    site_id: str
    checkout_point_id: str
    console_id: str | None = None


class RemoveShifts(BridgeCommand, frozen=True):
    """Remove the shifts that begin in a period of local days, of some consoles and one seller or all."""

    words = "shift remove"
    scope: Scope
    seller_id: str | None = None
    from_day: date | None = None
    to_day: date | None = None  # the day after the last one


class RemoveCounts(BridgeCommand, frozen=True):
    """Remove the counts of a site that begin in a period of local days; None: all sources, kinds, ids."""

    words = "counts remove"
    site_id: str
    source_id: str | None = None
    kind: str | None = None
    count_id: str | None = None
    from_day: date | None = None
    to_day: date | None = None  # the day after the last one


class RemoveSellers(BridgeCommand, frozen=True):
    """Remove sellers without shifts and surveys: all or none."""

    words = "seller remove"
    sellers: list[str]


class RemoveQuestions(BridgeCommand, frozen=True):
    """Remove key questions that nobody was asked and no console is to ask: all or none."""

    words = "question remove"
    questions: list[str]


Commands = (
    RemoveConsoles | RemoveSites | RemoveCheckoutPoint | RemoveShifts | RemoveCounts | RemoveSellers | RemoveQuestions
)
