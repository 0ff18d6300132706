"""Changes that people make, as the history keeps them: who, when, what was before, and whether it corrects the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.periods import EVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    State = Mapping[str, Any]
    """A thing by its fields, as JSON can hold them."""


KINDS = (
    *("annotation", "audit", "camera", "camera_clock", "checkout_point", "console", "count", "flag", "flagged_surveys"),
    *("placement", "question", "seller", "setting", "shift", "silent_draw", "silent_weight", "site", "target"),
    *("alarm", "alarm_recipient", "zone_rules"),
)
"""The kinds of things that people change."""


class Origin(NamedTuple):
    """Where the changes of a transaction come from: a user of the operating system, and the words of the command."""

    who: str
    command: str


BRIDGE_ITSELF = Origin("-", "bridge")


class HistoryChange(NamedTuple):
    """A thing before and after a change (None: there was or is none), and the time that the change concerns.

    `site_id` is empty for what all sites share, `name` for the site itself. `from_ms` None: from now on.
    """

    kind: str
    site_id: str
    name: str
    before: State | None
    after: State | None
    from_ms: int | None = None
    to_ms: int = EVER
    corrects: bool | None = None  # None: if there was something before, for a time that has begun

    def corrects_at(self, now_ms: int) -> bool:
        """Return whether what was known of time already past is another by this change."""
        if self.corrects is not None:
            return self.corrects
        return self.before is not None and self.from_ms is not None and self.from_ms < now_ms


class RecordedChange(NamedTuple):
    """A change in the history."""

    changed_at_ms: int
    origin: Origin
    change: HistoryChange

    @property
    def is_correction(self) -> bool:
        """Whether what was known of time already past is another by this change."""
        return bool(self.change.corrects)
