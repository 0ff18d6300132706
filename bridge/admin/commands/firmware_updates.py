"""Commands that update consoles over the air."""

from __future__ import annotations

from bridge.admin.commands.base import BridgeCommand, Scope


class OrderUpdate(BridgeCommand, frozen=True):
    """Order consoles to update to a version of the firmware, a share of them if `percent` is below 100."""

    words = "console update"
    version: str
    scope: Scope
    percent: int = 100
    older: bool = False  # also consoles that run a newer version


class StopUpdates(BridgeCommand, frozen=True):
    """Stop all updates that consoles are not trying out yet."""

    words = "console update"


Commands = OrderUpdate | StopUpdates
