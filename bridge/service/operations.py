"""Who does each command: the one table. `execute` runs a command inside a transaction of whoever holds the lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from bridge.surveys.recorded import ingest

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.admin.commands import Command
    from bridge.service.outcome import Outcome
    from bridge.store import Store

    Progress = Callable[[int, int], None]
    Operation = Callable[[Store, Any, "Execution"], dict[str, Any]]


@dataclass
class Execution:
    """One command being done: who hears of its facts and of its progress, and what it took in."""

    outcome: Outcome
    progress: Progress | None = None
    counts: dict[str, int] = field(default_factory=dict)  # of messages


def _ingest(store: Store, command: commands.IngestMessages, execution: Execution) -> dict[str, Any]:
    execution.counts = ingest(store, command.lines, execution.outcome.tell).counts()
    return dict(execution.counts)


def _rebuild(store: Store, _command: commands.Rebuild, execution: Execution) -> dict[str, Any]:
    return dict(rebuild(store, execution.progress, execution.outcome.tell))


def _sweep(store: Store, _command: commands.Sweep, _execution: Execution) -> dict[str, Any]:
    return {"surveys": fold.sweep(store)}


def _decide(handler: Callable[[Store, Any], dict[str, Any]]) -> Operation:
    """Make an operation of what needs nothing but the store and the command."""
    return lambda store, command, _execution: handler(store, command)


OPERATIONS: dict[type[Command], Operation] = {
    commands.SetQuestion: _decide(set_question),
    commands.SetSettings: _decide(set_settings),
    commands.SetSite: _decide(set_site),
    commands.SetCheckoutPoint: _decide(set_checkout_point),
    commands.ImportSites: _decide(import_sites),
    commands.ImportCheckoutPoints: _decide(import_checkout_points),
    commands.ImportShifts: _decide(import_shifts),
    commands.ImportCounts: _decide(import_counts),
    commands.EnrollConsoles: _decide(enroll_consoles),
    commands.RevokeConsoles: _decide(revoke_consoles),
    commands.OrderUpdate: _decide(order_update),
    commands.StopUpdates: _decide(stop_updates),
    commands.IngestMessages: _ingest,
    commands.Rebuild: _rebuild,
    commands.Sweep: _sweep,
}
"""Each returns its result, which JSON can hold, and raises TrivoxError with a sentence for whoever asked."""


def execute(store: Store, command: Command, execution: Execution) -> dict[str, Any]:
    """Do a command inside the transaction; return its result. Raises TrivoxError."""
    return OPERATIONS[type(command)](store, command, execution)
