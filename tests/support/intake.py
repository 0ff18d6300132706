"""Take in messages and carry out commands as a running bridge does, without a thread, a socket or a broker."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from bridge.admin.commands import Rebuild
from bridge.service import operations
from bridge.service.operations import Execution
from bridge.service.outcome import TransactionOutcome
from bridge.service.subscribers import subscribers
from bridge.store import events
from bridge.surveys.ingest import Intake

if TYPE_CHECKING:
    from bridge.admin.commands import BridgeCommand
    from bridge.service.outcome import Subscriber
    from bridge.store import Store
    from bridge.surveys.in_transaction import IntakeResult


def take_messages(
    store: Store,
    messages: list[tuple[str, bytes, int]],
    now_ms: int,
    *,
    enrolled_only: bool = False,
    signed_only: bool = False,
) -> IntakeResult:
    """Take in messages, as (topic, payload, received_at_ms), in one transaction."""
    result, _ = take_in(store, messages, now_ms, enrolled_only=enrolled_only, signed_only=signed_only)
    return result


def take_in(
    store: Store,
    messages: list[tuple[str, bytes, int]],
    now_ms: int,
    also: tuple[Subscriber, ...] = (),
    *,
    enrolled_only: bool = False,
    signed_only: bool = False,
) -> tuple[IntakeResult, TransactionOutcome]:
    """Take in messages in one transaction; `also` are further subscribers. The outcome has facts and publications."""
    events.forget_if_many(store)
    outcome = TransactionOutcome((*subscribers(store), *also))
    with store.transaction(now_ms):
        intake = Intake(store, outcome.emit, enrolled_only=enrolled_only, signed_only=signed_only)
        for topic, payload, arrived_at_ms in messages:
            intake.take(topic, payload, arrived_at_ms)
        return intake.finish(), outcome


def execute(store: Store, command: BridgeCommand, file: IO[bytes] | None = None) -> dict[str, Any]:
    """Carry out a command, with which a file may come, inside the caller's transaction."""
    return operations.execute(store, command, Execution(TransactionOutcome(subscribers(store)), file=file))


def rebuild(store: Store) -> dict[str, Any]:
    """Rebuild, inside the caller's transaction."""
    return execute(store, Rebuild())
