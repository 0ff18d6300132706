"""The commands that write a database, each as it crosses the local socket; `service/operations.py` says who does it."""

from __future__ import annotations

from datetime import date

from msgspec import Struct


class Scope(Struct, frozen=True):
    """Whom a choice is for: all consoles, those of a site, or one."""

    site_id: str = ""
    console_id: str = ""


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command", tag=True):
    """What somebody wants done, inside one transaction."""


class SetQuestion(Command, frozen=True):
    """Define or change a key question; what is None stays. `assign`: whom it is given to."""

    question_id: str
    kind: str | None = None
    texts: dict[str, str] | None = None  # by language: all of a new revision
    silent_weight: float | None = None
    silent_weight_origin: str | None = None
    silent_weight_on: str | None = None
    assign: Scope | None = None


class SetSettings(Command, frozen=True):
    """Choose settings, each as a text; `default` takes a choice back."""

    scope: Scope
    values: dict[str, str]


class SetSite(Command, frozen=True):
    """Set a site's time zone."""

    site_id: str
    timezone: str


class SetCheckoutPoint(Command, frozen=True):
    """Place a console at a checkout point, from a local day on (None: see `sites.set_checkout_point`)."""

    site_id: str
    checkout_point_id: str
    console_id: str
    from_day: date | None = None


class _Import(Command, frozen=True):
    name: str  # of the file, for its errors
    text: str


class ImportSites(_Import, frozen=True):
    """Set the time zones of many sites, from a CSV file."""


class ImportCheckoutPoints(_Import, frozen=True):
    """Place many consoles, from a CSV file."""


class ImportShifts(_Import, frozen=True):
    """Set who was on shift, from a CSV file."""


class ImportCounts(_Import, frozen=True):
    """Take in transactions and visitors, from a CSV file."""


class EnrollConsoles(Command, frozen=True):
    """Mark consoles, each SITE/CONSOLE, as enrolled: all or none."""

    consoles: list[str]


class RevokeConsoles(Command, frozen=True):
    """Mark consoles, each SITE/CONSOLE, as not enrolled: all or none."""

    consoles: list[str]


class OrderUpdate(Command, frozen=True):
    """Order consoles to update their firmware."""

    version: str
    scope: Scope
    percent: int = 100
    older: bool = False  # also where a newer version runs


class StopUpdates(Command, frozen=True):
    """Stop all updates that are not on trial yet."""


class IngestMessages(Command, frozen=True):
    """Take in recorded messages, a line of JSON each, as if they had come by MQTT."""

    lines: list[bytes]


class Rebuild(Command, frozen=True):
    """Make surveys and rollups again from the events, and judge the rejects again."""


class Sweep(Command, frozen=True):
    """Close surveys that have been open for a day: their close is lost."""


class DescribeBridge(Command, frozen=True):
    """Describe the running bridge; answered at once, whatever the writer is doing."""


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
    | RevokeConsoles
    | OrderUpdate
    | StopUpdates
    | IngestMessages
    | Rebuild
    | Sweep
    | DescribeBridge
)
