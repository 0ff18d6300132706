"""Commands that take in recordings, derive anew what is stored, or ask the bridge about itself."""

from __future__ import annotations

from bridge.admin.commands.base import BridgeCommand


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


class RunNightlyJob(BridgeCommand, frozen=True):
    """Do one of the things that the bridge does once a night; `night` is the local date on which it began."""

    words = "bridge"
    name: str
    night: str


class Sweep(BridgeCommand, frozen=True):
    """Close surveys that have been open for over a day: their own close is lost."""

    words = "report"


class SumUp(BridgeCommand, frozen=True):
    """Sum up, for reports, what transactions and visitors say of surveys on the days in which something changed."""

    words = "report"


class DescribeBridge(BridgeCommand, frozen=True):
    """Describe the condition of the running bridge; answered at once, whatever the writer is doing."""

    words = "doctor"


Commands = IngestMessages | Rebuild | FollowZoneRules | RunNightlyJob | Sweep | SumUp | DescribeBridge
