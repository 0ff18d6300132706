"""Commands that compute the flags, and that set flags, or the surveys that they concern, aside."""

from __future__ import annotations

from bridge.admin.commands.base import BridgeCommand


class ComputeFlags(BridgeCommand, frozen=True):
    """Compute the flags of the months that have changed since they were computed."""

    words = "flags"


class FlagChange(BridgeCommand, frozen=True, kw_only=True):
    """Base of commands about what a rule says of a seller: in a month, or (None) wherever his flag stands."""

    rule: str
    seller_id: str
    month: str | None = None


class SetFlagAside(FlagChange, frozen=True, kw_only=True):
    """Set a flag, or a watch, aside: it stands on nobody until that is taken back."""

    words = "flags set-aside"
    reason: str


class TakeFlagBack(FlagChange, frozen=True):
    """Take back that a flag was set aside."""

    words = "flags take-back"


class SetSurveysAside(FlagChange, frozen=True, kw_only=True):
    """Take the surveys that a flag concerns out of the figures."""

    words = "flags set-surveys-aside"
    reason: str


class TakeSurveysBack(FlagChange, frozen=True):
    """Put the surveys that a flag concerns back into the figures."""

    words = "flags take-surveys-back"


Commands = ComputeFlags | SetFlagAside | TakeFlagBack | SetSurveysAside | TakeSurveysBack
