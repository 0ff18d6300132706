"""Map each command to the function that carries it out, and run it inside the writer's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from bridge.admin import commands
from bridge.admin.counts_import import import_counts
from bridge.admin.enrolment import enroll_consoles, revoke_consoles
from bridge.admin.firmware_updates import order_update, stop_updates
from bridge.admin.questions import set_question
from bridge.admin.settings import set_settings
from bridge.admin.shifts import import_shifts
from bridge.admin.sites import import_checkout_points, import_sites, set_checkout_point, set_site
from bridge.surveys import fold
from bridge.surveys.rebuild import rebuild
from bridge.surveys.recorded_messages import ingest

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.admin.commands import BridgeCommand
    from bridge.service.outcome import TransactionOutcome
    from bridge.store import Store

    Progress = Callable[[int, int], None]
    Operation = Callable[[Store, Any, "Execution"], dict[str, Any]]


@dataclass
class Execution:
    """One run of a command: where its facts and its progress go, and how many messages it took in."""

    outcome: TransactionOutcome
    progress: Progress | None = None
    counts: dict[str, int] = field(default_factory=dict)  # messages and events taken in, by what became of them


def _ingest(store: Store, command: commands.IngestMessages, execution: Execution) -> dict[str, Any]:
    execution.counts = ingest(store, command.lines, execution.outcome.emit).counts()
    return dict(execution.counts)


def _rebuild(store: Store, _command: commands.Rebuild, execution: Execution) -> dict[str, Any]:
    return dict(rebuild(store, execution.progress, execution.outcome.emit))


def _sweep(store: Store, _command: commands.Sweep, execution: Execution) -> dict[str, Any]:
    return {"surveys": fold.sweep(store, execution.outcome.emit)}


def _simple(handler: Callable[[Store, Any], dict[str, Any]]) -> Operation:
    """Make an operation from a function that needs only the store and the command."""
    return lambda store, command, _execution: handler(store, command)


OPERATIONS: dict[type[BridgeCommand], Operation] = {
    commands.SetQuestion: _simple(set_question),
    commands.SetSettings: _simple(set_settings),
    commands.SetSite: _simple(set_site),
    commands.SetCheckoutPoint: _simple(set_checkout_point),
    commands.ImportSites: _simple(import_sites),
    commands.ImportCheckoutPoints: _simple(import_checkout_points),
    commands.ImportShifts: _simple(import_shifts),
    commands.ImportCounts: _simple(import_counts),
    commands.EnrollConsoles: _simple(enroll_consoles),
    commands.RevokeConsoles: _simple(revoke_consoles),
    commands.OrderUpdate: _simple(order_update),
    commands.StopUpdates: _simple(stop_updates),
    commands.IngestMessages: _ingest,
    commands.Rebuild: _rebuild,
    commands.Sweep: _sweep,
}
"""Each operation returns a result that JSON can hold, and raises TrivoxError with a sentence for the user."""


def execute(store: Store, command: BridgeCommand, execution: Execution) -> dict[str, Any]:
    """Carry out a command inside the caller's transaction; return its result. Raises TrivoxError."""
    return OPERATIONS[type(command)](store, command, execution)


def ids_of(command: BridgeCommand) -> dict[str, str]:
    """Pick the ids that a command names, for the log."""
    fields = msgspec.structs.asdict(command)
    scope = fields.get("scope")
    fields |= {} if scope is None else msgspec.structs.asdict(scope)
    return {name: value for name, value in fields.items() if name.endswith("_id") and isinstance(value, str) and value}
