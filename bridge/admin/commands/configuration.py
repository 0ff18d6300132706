"""Commands that set key questions, settings, sites and checkout points, and import shifts and counts."""

from __future__ import annotations

from datetime import date

from bridge.admin.commands.base import BridgeCommand, CsvImport, Scope


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


class ImportSites(CsvImport, frozen=True):
    """Set the time zones of many sites, from a CSV file."""

    words = "site import"


class ImportCheckoutPoints(CsvImport, frozen=True):
    """Place many consoles, from a CSV file."""

    words = "checkout-point import"


class ImportShifts(CsvImport, frozen=True):
    """Set who was on shift, from a CSV file."""

    words = "shift import"


class ImportCounts(CsvImport, frozen=True):
    """Import transactions and visitors, from a CSV file."""

    words = "counts import"


Commands = (
    SetQuestion
    | SetSettings
    | SetSite
    | SetCheckoutPoint
    | ImportSites
    | ImportCheckoutPoints
    | ImportShifts
    | ImportCounts
)
