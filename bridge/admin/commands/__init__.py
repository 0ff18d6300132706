"""Define the bridge's commands as they cross the local socket; `service/operations.py` maps each to its function.

A module holds the commands of an area, and lists them in its `Commands`.
"""

from bridge.admin.commands import (
    alarms,
    annotations,
    audits,
    configuration,
    enrolment,
    firmware_updates,
    flags,
    maintenance,
    removal,
    silent_weight,
    targets,
)
from bridge.admin.commands.alarms import (
    AcknowledgeAlarm,
    CloseAlarm,
    CommentAlarm,
    RemoveAlarmRecipient,
    SetAlarmRecipient,
)
from bridge.admin.commands.annotations import (
    RemoveAnnotations,
    SetAnnotation,
)
from bridge.admin.commands.audits import (
    CalibrateCamera,
    DrawAudits,
    IdentifyConsole,
    NoteFlash,
    NoteFootage,
    NoteKeptClip,
    RecordVerdict,
    RemoveCamera,
    SetCamera,
)
from bridge.admin.commands.base import (
    ALL_CONSOLES,
    BridgeCommand,
    Scope,
)
from bridge.admin.commands.configuration import (
    ImportCheckoutPoints,
    ImportCounts,
    ImportShifts,
    ImportSites,
    SetCheckoutPoint,
    SetQuestion,
    SetSettings,
    SetSite,
)
from bridge.admin.commands.enrolment import (
    EnrollConsoles,
    EnrollSources,
    EnrollViewers,
    NoteNewKeys,
    RetireConsoles,
    RevokeConsoles,
    RevokeSources,
    RevokeViewers,
)
from bridge.admin.commands.firmware_updates import (
    OrderUpdate,
    StopUpdates,
)
from bridge.admin.commands.flags import (
    ComputeFlags,
    SetFlagAside,
    SetSurveysAside,
    TakeFlagBack,
    TakeSurveysBack,
)
from bridge.admin.commands.maintenance import (
    DescribeBridge,
    FollowZoneRules,
    IngestMessages,
    Rebuild,
    RunNightlyJob,
    SumUp,
    Sweep,
)
from bridge.admin.commands.removal import (
    RemoveCheckoutPoint,
    RemoveConsoles,
    RemoveCounts,
    RemoveQuestions,
    RemoveSellers,
    RemoveShifts,
    RemoveSites,
)
from bridge.admin.commands.silent_weight import (
    DrawSilents,
    EstimateWeight,
)
from bridge.admin.commands.targets import (
    RemoveTarget,
    SetTarget,
    TargetOf,
)

__all__ = [
    "ALL_CONSOLES",
    "AcknowledgeAlarm",
    "AnyCommand",
    "BridgeCommand",
    "CalibrateCamera",
    "CloseAlarm",
    "CommentAlarm",
    "ComputeFlags",
    "DescribeBridge",
    "DrawAudits",
    "DrawSilents",
    "EnrollConsoles",
    "EnrollSources",
    "EnrollViewers",
    "EstimateWeight",
    "FollowZoneRules",
    "IdentifyConsole",
    "ImportCheckoutPoints",
    "ImportCounts",
    "ImportShifts",
    "ImportSites",
    "IngestMessages",
    "NoteFlash",
    "NoteFootage",
    "NoteKeptClip",
    "NoteNewKeys",
    "OrderUpdate",
    "Rebuild",
    "RecordVerdict",
    "RemoveAlarmRecipient",
    "RemoveAnnotations",
    "RemoveCamera",
    "RemoveCheckoutPoint",
    "RemoveConsoles",
    "RemoveCounts",
    "RemoveQuestions",
    "RemoveSellers",
    "RemoveShifts",
    "RemoveSites",
    "RemoveTarget",
    "RetireConsoles",
    "RevokeConsoles",
    "RevokeSources",
    "RevokeViewers",
    "RunNightlyJob",
    "Scope",
    "SetAlarmRecipient",
    "SetAnnotation",
    "SetCamera",
    "SetCheckoutPoint",
    "SetFlagAside",
    "SetQuestion",
    "SetSettings",
    "SetSite",
    "SetSurveysAside",
    "SetTarget",
    "StopUpdates",
    "SumUp",
    "Sweep",
    "TakeFlagBack",
    "TakeSurveysBack",
    "TargetOf",
]

AnyCommand = (
    alarms.Commands
    | annotations.Commands
    | audits.Commands
    | configuration.Commands
    | enrolment.Commands
    | firmware_updates.Commands
    | flags.Commands
    | maintenance.Commands
    | removal.Commands
    | silent_weight.Commands
    | targets.Commands
)
