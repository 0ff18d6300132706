"""Define the bridge's commands as they cross the local socket; `service/operations.py` maps each to its function."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from msgspec import Struct


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """The consoles that a command is for: all (both empty), those of a site, or one."""

    site_id: str  # "": all sites
    console_id: str  # "": all consoles of the site


ALL_CONSOLES = Scope("", "")


class BridgeCommand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command", tag=True):
    """Base of all commands; each is carried out as a whole or not at all.

    What it names must be known, unless it is `new`: then it makes the sites, consoles and checkout points that are not.
    """

    words: ClassVar[str]  # after `trivox`, for the history
    makes_database: ClassVar[bool] = False  # also if it is not `new`

    new: bool = False


class SetQuestion(BridgeCommand, frozen=True):
    """Define or change a key question; fields that are None stay as they are. `assign`: the consoles that get it."""

    words = "question set"
    question_id: str
    kind: str | None = None
    texts: dict[str, str] | None = None  # by language; those of other languages stay as they are
    drop_languages: list[str] | None = None
    silent_weight: float | None = None
    silent_weight_origin: str | None = None
    silent_weight_on: str | None = None  # an ISO date
    assign: Scope | None = None


class SetSettings(BridgeCommand, frozen=True):
    """Choose settings, each value as text; `default` removes a choice."""

    words = "settings set"
    scope: Scope
    values: dict[str, str]


class SetSite(BridgeCommand, frozen=True):
    """Set a site's time zone; the site may be new."""

    words = "site set"
    makes_database = True
    site_id: str
    timezone: str


class SetCheckoutPoint(BridgeCommand, frozen=True):
    """Place a console at a checkout point from a local day on (None: see `sites.set_checkout_point`)."""

    words = "checkout-point set"
    site_id: str
    checkout_point_id: str
    console_id: str
    from_day: date | None = None


class _Import(BridgeCommand, frozen=True):
    name: str  # of the file, for error sentences
    text: str


class ImportSites(_Import, frozen=True):
    """Set the time zones of many sites, from a CSV file."""

    words = "site import"


class ImportCheckoutPoints(_Import, frozen=True):
    """Place many consoles, from a CSV file."""

    words = "checkout-point import"


class ImportShifts(_Import, frozen=True):
    """Set who was on shift, from a CSV file."""

    words = "shift import"


class ImportCounts(_Import, frozen=True):
    """Import transactions and visitors, from a CSV file."""

    words = "counts import"


class EnrollConsoles(BridgeCommand, frozen=True):
    """Mark consoles, each named SITE/CONSOLE, as enrolled, all or none; they and their sites may be new."""

    words = "console enroll"
    makes_database = True
    consoles: list[str]
    renew: bool = False  # they get new credentials


class NoteNewKeys(BridgeCommand, frozen=True):
    """Note that consoles, each named SITE/CONSOLE, have new keys: what was proved with earlier ones counts no more."""

    words = "console enroll"
    consoles: list[str]


class RevokeConsoles(BridgeCommand, frozen=True):
    """Mark consoles, each named SITE/CONSOLE, as not enrolled: all or none."""

    words = "console revoke"
    consoles: list[str]


class RetireConsoles(BridgeCommand, frozen=True):
    """Take consoles, each named SITE/CONSOLE, out of service, all or none; `undo`: put them back."""

    words = "console retire"
    consoles: list[str]
    undo: bool = False


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


class EnrollSources(BridgeCommand, frozen=True):
    """Note that tills and people counters, each named SITE/SOURCE, get logins; their sites must be known."""

    words = "source enroll"
    sources: list[str]
    renew: bool = False  # those who have logins too


class RevokeSources(BridgeCommand, frozen=True):
    """Note that tills and people counters, each named SITE/SOURCE, lose their logins."""

    words = "source revoke"
    sources: list[str]


class EnrollViewers(BridgeCommand, frozen=True):
    """Note that viewers get logins."""

    words = "viewer enroll"
    viewers: list[str]
    renew: bool = False  # those who have logins too


class RevokeViewers(BridgeCommand, frozen=True):
    """Note that viewers lose their logins."""

    words = "viewer revoke"
    viewers: list[str]


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


class IngestMessages(BridgeCommand, frozen=True):
    """Take in recorded messages as if they had arrived by MQTT; the open file goes with the command."""

    words = "ingest"
    makes_database = True
    name: str  # of the file, for error sentences


class Rebuild(BridgeCommand, frozen=True):
    """Recompute surveys and rollups from the events, and check the rejects again."""

    words = "rebuild"


class FollowZoneRules(BridgeCommand, frozen=True):
    """Derive days and hours again where this machine has new rules for a time zone."""

    words = "bridge"


class Sweep(BridgeCommand, frozen=True):
    """Close surveys that have been open for over a day: their own close is lost."""

    words = "report"


class DescribeBridge(BridgeCommand, frozen=True):
    """Describe the condition of the running bridge; answered at once, whatever the writer is doing."""

    words = "doctor"


AnyCommand = (
    SetQuestion
    | SetSettings
    | SetSite
    | SetCheckoutPoint
    | ImportSites
    | ImportCheckoutPoints
    | ImportShifts
    | ImportCounts
    | EnrollConsoles
    | NoteNewKeys
    | RevokeConsoles
    | RetireConsoles
    | RemoveConsoles
    | RemoveSites
    | RemoveCheckoutPoint
    | RemoveShifts
    | RemoveCounts
    | RemoveSellers
    | RemoveQuestions
    | EnrollSources
    | RevokeSources
    | EnrollViewers
    | RevokeViewers
    | OrderUpdate
    | StopUpdates
    | IngestMessages
    | Rebuild
    | FollowZoneRules
    | Sweep
    | DescribeBridge
)
