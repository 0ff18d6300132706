"""Commands that set and remove targets."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from bridge.admin.commands.base import BridgeCommand


class TargetOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What a target is of: a figure of a key question, for all, a site, a checkout point of a site, or a seller."""

    question_id: str
    figure: str | None = None  # None: the index of the question's kind
    site_id: str | None = None
    checkout_point_id: str | None = None
    seller_id: str | None = None


class SetTarget(BridgeCommand, frozen=True):
    """Set a target from a local day on (None: from today)."""

    words = "target set"
    of: TargetOf
    value: float
    from_day: date | None = None


class RemoveTarget(BridgeCommand, frozen=True):
    """Have no target any more from a local day on (None: from today)."""

    words = "target remove"
    of: TargetOf
    from_day: date | None = None


Commands = SetTarget | RemoveTarget
