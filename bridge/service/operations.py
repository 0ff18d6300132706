"""Map each command to the function that carries it out, and run it inside the writer's transaction."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bridge.admin import commands
from bridge.admin.alarm_recipients import remove_alarm_recipient, set_alarm_recipient
from bridge.admin.alarms import acknowledge_alarm, close_alarm, comment_on_alarm
from bridge.admin.annotations import remove_annotations, set_annotation
from bridge.admin.audits import draw_audits, note_footage, note_kept_clip, record_verdict
from bridge.admin.cameras.registry import (
    calibrate_camera,
    identify_console,
    note_flash,
    remove_camera,
    set_camera,
)
from bridge.admin.counts_import import import_counts
from bridge.admin.enrolment import (
    enroll_consoles,
    enroll_sources,
    enroll_viewers,
    note_new_keys,
    revoke_consoles,
    revoke_sources,
    revoke_viewers,
)
from bridge.admin.firmware_updates import order_update, stop_updates
from bridge.admin.flags import compute_due
from bridge.admin.flags_set_aside import set_flag_aside, set_surveys_aside, take_flag_back, take_surveys_back
from bridge.admin.imports import accept, finish
from bridge.admin.questions import set_question
from bridge.admin.removal import (
    remove_checkout_point,
    remove_consoles,
    remove_counts,
    remove_questions,
    remove_sellers,
    remove_shifts,
    remove_sites,
)
from bridge.admin.retirement import retire_consoles
from bridge.admin.settings import set_settings
from bridge.admin.shifts import import_shifts
from bridge.admin.silent_weight import draw_silents, estimate_silent_weight
from bridge.admin.sites import import_checkout_points, import_sites, set_checkout_point, set_site
from bridge.admin.targets import remove_target, set_target
from bridge.admin.zone_rules import follow_zone_rules, other_rules
from bridge.errors import TrivoxError
from bridge.reports.coverage.stale import refresh
from bridge.service import nightly
from bridge.store import coverage, events, imports
from bridge.surveys import fold
from bridge.surveys.rebuild import rebuild
from bridge.surveys.recorded_messages import TIMES_ALONE, checked_lines, in_portions, ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from bridge.admin.commands import BridgeCommand
    from bridge.admin.imports import Steps
    from bridge.service.outcome import TransactionOutcome
    from bridge.store import Store
    from bridge.surveys.facts import Fact
    from bridge.surveys.in_transaction import IntakeResult

    Progress = Callable[[int, int], None]
    Operation = Callable[[Store, Any, "Execution"], dict[str, Any]]
    LongOperation = Callable[[Store, Any, "Execution"], Iterator[None]]


@dataclass
class Execution:
    """One run of a command: where its facts and its progress go, and how many messages it took in."""

    outcome: TransactionOutcome  # of the transaction under way
    progress: Progress | None = None
    file: IO[bytes] | None = None  # that came with the command
    in_one_transaction: bool = False  # as nobody waits for the writer
    signed_only: bool = False  # whether the bridge that carries it out takes only signed events
    can_publish: bool = False  # whether what the outcome holds goes out to the broker
    counts: Counter[str] = field(default_factory=Counter)  # what became of messages in the step under way
    totals: Counter[str] = field(default_factory=Counter)  # … and in those before
    result: dict[str, Any] = field(default_factory=dict)  # of a long command that takes in no messages

    def emit(self, fact: Fact) -> None:
        """Report a fact."""
        self.outcome.emit(fact)

    def note(self, result: IntakeResult) -> None:
        """Count what became of messages."""
        self.counts.update(result.counts())

    def end_step(self) -> None:
        """Forget what belonged to the step that is done, but add up its messages."""
        self.totals.update(self.counts)
        self.counts.clear()
        self.outcome.facts.clear()

    def whole_result(self) -> dict[str, Any]:
        """Return the result of a long command."""
        return self.result or dict(self.totals)


def _ingest(store: Store, command: commands.IngestMessages, execution: Execution) -> Iterator[None]:
    file = execution.file
    if file is None or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # the writer must not wait for a pipe
        raise TrivoxError("The messages did not come with the command, as a file: run it again.")
    file.seek(0)
    lines = checked_lines(file, Path(command.name))
    size = os.fstat(file.fileno()).st_size
    if not execution.in_one_transaction:
        imports.begin(store)
    for portion in in_portions(lines, TIMES_ALONE if execution.in_one_transaction else 1):
        if execution.in_one_transaction:
            execution.note(ingest(store, portion, execution.emit))
        else:
            imports.stage_messages(store, [line.text for line in portion])
        if execution.progress is not None:
            execution.progress(file.tell(), size)
        yield
    if execution.in_one_transaction:
        fold.sweep(store, execution.emit)
    else:
        accept(store)
        yield
        yield from finish(store, execution.emit, execution.note, execution.progress)


def _import(stage: Callable[[Store, Any], Steps]) -> LongOperation:
    """Make an operation from a function that stages an import."""

    def carry_out(store: Store, command: BridgeCommand, execution: Execution) -> Iterator[None]:
        execution.result = yield from stage(store, command)
        yield
        yield from _finish(store, execution)

    return carry_out


def _change(handler: Callable[[Store, Any], dict[str, Any]]) -> LongOperation:
    """Make an operation from a function that makes a change, and stages which surveys and counts are to follow it."""

    def carry_out(store: Store, command: BridgeCommand, execution: Execution) -> Iterator[None]:
        imports.begin(store)
        execution.result = handler(store, command)
        accept(store)
        yield
        yield from _finish(store, execution)

    return carry_out


def _finish(store: Store, execution: Execution) -> Iterator[None]:
    """Carry out what was staged; add to the result how many surveys have `moved`, by what they have other now."""
    moved: Counter[str] = Counter()
    yield from finish(store, execution.emit, execution.note, execution.progress, moved=moved)
    execution.result["moved"] = dict(moved)


def _in_steps(handler: Callable[[Store, Any], Steps]) -> LongOperation:
    """Make an operation from a function that stages nothing, but takes its time."""

    def carry_out(store: Store, command: BridgeCommand, execution: Execution) -> Iterator[None]:
        execution.result = yield from handler(store, command)

    return carry_out


def _rebuild(store: Store, _command: commands.Rebuild, execution: Execution) -> Iterator[None]:
    """Rebuild in one step, but not between those of an import."""
    execution.result = dict(rebuild(store, execution.progress, execution.emit, signed_only=execution.signed_only))
    execution.outcome.facts.clear()  # they were counted when they were new
    yield from ()


def _run_nightly_job(store: Store, command: commands.RunNightlyJob, _execution: Execution) -> Iterator[None]:
    yield from nightly.run_steps(store, command)


def _compute_flags(store: Store, _command: commands.ComputeFlags, execution: Execution) -> Iterator[None]:
    yield from compute_due(store, execution.progress)


def _sweep(store: Store, _command: commands.Sweep, execution: Execution) -> dict[str, Any]:
    return {"surveys": fold.sweep(store, execution.emit), "is_much_stale": coverage.is_much_stale(store)}


def _sum_up(store: Store, _command: commands.SumUp, _execution: Execution) -> Iterator[None]:
    yield from refresh(store)


def _identify(store: Store, command: commands.IdentifyConsole, execution: Execution) -> dict[str, Any]:
    if not execution.can_publish:
        raise TrivoxError("No bridge is running on this database, and a console is told through it: start the bridge.")
    topic, payload, result = identify_console(store, command)
    execution.outcome.publish(topic, payload)
    return result


def _draw(store: Store, command: commands.DrawAudits, execution: Execution) -> Iterator[None]:
    """Draw audits, of a site's day in one step."""
    execution.result = yield from draw_audits(store, command)


def _simple(handler: Callable[[Store, Any], dict[str, Any]]) -> Operation:
    """Make an operation from a function that needs only the store and the command."""
    return lambda store, command, _execution: handler(store, command)


OPERATIONS: dict[type[BridgeCommand], Operation] = {
    commands.SetQuestion: _simple(set_question),
    commands.EnrollConsoles: _simple(enroll_consoles),
    commands.NoteNewKeys: _simple(note_new_keys),
    commands.RevokeConsoles: _simple(revoke_consoles),
    commands.EnrollSources: _simple(enroll_sources),
    commands.RevokeSources: _simple(revoke_sources),
    commands.EnrollViewers: _simple(enroll_viewers),
    commands.RevokeViewers: _simple(revoke_viewers),
    commands.RetireConsoles: _simple(retire_consoles),
    commands.AcknowledgeAlarm: _simple(acknowledge_alarm),
    commands.CloseAlarm: _simple(close_alarm),
    commands.CommentAlarm: _simple(comment_on_alarm),
    commands.SetAlarmRecipient: _simple(set_alarm_recipient),
    commands.RemoveAlarmRecipient: _simple(remove_alarm_recipient),
    commands.OrderUpdate: _simple(order_update),
    commands.SetAnnotation: _simple(set_annotation),
    commands.RemoveAnnotations: _simple(remove_annotations),
    commands.StopUpdates: _simple(stop_updates),
    commands.SetTarget: _simple(set_target),
    commands.RemoveTarget: _simple(remove_target),
    commands.RecordVerdict: _simple(record_verdict),
    commands.NoteFootage: _simple(note_footage),
    commands.NoteKeptClip: _simple(note_kept_clip),
    commands.SetCamera: _simple(set_camera),
    commands.RemoveCamera: _simple(remove_camera),
    commands.NoteFlash: _simple(note_flash),
    commands.CalibrateCamera: _simple(calibrate_camera),
    commands.IdentifyConsole: _identify,
    commands.EstimateWeight: _simple(estimate_silent_weight),
    commands.SetFlagAside: _simple(set_flag_aside),
    commands.TakeFlagBack: _simple(take_flag_back),
    commands.SetSurveysAside: _simple(set_surveys_aside),
    commands.TakeSurveysBack: _simple(take_surveys_back),
    commands.Sweep: _sweep,
}
"""Each operation returns a result that JSON can hold, and raises TrivoxError with a sentence for the user."""

LONG_OPERATIONS: dict[type[BridgeCommand], LongOperation] = {
    commands.SetSettings: _change(set_settings),
    commands.SetSite: _import(set_site),
    commands.SetCheckoutPoint: _change(set_checkout_point),
    commands.RemoveConsoles: _change(remove_consoles),
    commands.RemoveSites: _change(remove_sites),
    commands.RemoveCheckoutPoint: _change(remove_checkout_point),
    commands.RemoveShifts: _change(remove_shifts),
    commands.RemoveCounts: _change(remove_counts),
    commands.RemoveSellers: _change(remove_sellers),
    commands.RemoveQuestions: _change(remove_questions),
    commands.ImportSites: _import(import_sites),
    commands.ImportCheckoutPoints: _change(import_checkout_points),
    commands.ImportShifts: _import(import_shifts),
    commands.ImportCounts: _import(import_counts),
    commands.DrawAudits: _draw,
    commands.DrawSilents: _in_steps(draw_silents),
    commands.IngestMessages: _ingest,
    commands.Rebuild: _rebuild,
    commands.SumUp: _sum_up,
    commands.FollowZoneRules: _change(follow_zone_rules),
    commands.ComputeFlags: _compute_flags,
    commands.RunNightlyJob: _run_nightly_job,
}
"""These work in steps, each of which may be a transaction of its own, so that messages need not wait for the end."""


def execute(store: Store, command: BridgeCommand, execution: Execution) -> dict[str, Any]:
    """Carry out a command as a whole, inside the caller's transaction; return its result. Raises TrivoxError."""
    if type(command) in OPERATIONS:
        return OPERATIONS[type(command)](store, command, execution)
    execution.in_one_transaction = True
    return take_all_steps(store, LONG_OPERATIONS[type(command)](store, command, execution), execution)


def catch_up(store: Store, execution: Execution) -> None:
    """Do what is due before any command, inside the caller's transaction: see `due`."""
    for command in due(store):
        steps = (
            LONG_OPERATIONS[type(command)](store, command, execution)
            if command
            else finish(store, execution.emit, execution.note)
        )
        take_all_steps(store, steps, execution)


def due(store: Store) -> Iterator[BridgeCommand | None]:
    """Yield what is due first: None, to finish or drop an import that an earlier process has left, and commands."""
    if imports.phase(store) is not None:
        yield None
    if other_rules(store):
        yield commands.FollowZoneRules()


def take_all_steps(store: Store, steps: Iterator[None], execution: Execution) -> dict[str, Any]:
    """Take all steps inside the caller's transaction, in bounded memory; return the command's result."""
    for _ in steps:
        execution.end_step()
        events.forget_if_many(store)
    execution.end_step()
    return execution.whole_result()


def ids_of(command: BridgeCommand) -> dict[str, str]:
    """Pick the ids that a command names, for the log."""
    fields = msgspec.structs.asdict(command)
    scope = fields.get("scope")
    fields |= {} if scope is None else msgspec.structs.asdict(scope)
    return {name: value for name, value in fields.items() if name.endswith("_id") and isinstance(value, str) and value}
