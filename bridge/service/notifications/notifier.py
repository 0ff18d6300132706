"""Send what waits to be sent, in a thread for each recipient, so that no server that hangs holds up messages or others.

What waits is in the database, so a restart loses none of it. The writer offers what is due and stores what came of it;
the threads only send. The database is read only when something is due: at the start, when an alarm was raised, after an
attempt, and when the next one is to be made. An alarm is sent a second time only where the bridge was killed between
sending it and storing that; both then have the same name.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bridge import log
from bridge.errors import TrivoxError
from bridge.model.local_time import HOUR_MS, MINUTE_MS, SECOND_MS
from bridge.service.alarm_rows import alarm_object
from bridge.service.notifications.notice import Notice
from bridge.service.notifications.send import send
from bridge.store import alarm_recipients, alarms
from bridge.surveys.facts import AlarmRaised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.model.alarm_recipient import AlarmRecipient
    from bridge.store import Store
    from bridge.store.alarm_recipients import AlarmDelivery
    from bridge.surveys.facts import Fact

MAX_WAITING = 20  # notices in memory for each recipient; more wait in the database
PAUSES_MS = [10 * SECOND_MS, 30 * SECOND_MS, MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS]
"""How long to wait after each failed attempt; then always as long as the last."""
GIVE_UP_MS = 4 * HOUR_MS  # an alarm is about now
AT_ONCE = 0
STOP_S = 12.0  # how long the end of the bridge waits for an attempt that is under way
TOO_OLD = "it was too old when the bridge could tell of it"


_Notices: TypeAlias = "queue.SimpleQueue[tuple[AlarmDelivery, Notice] | None]"


class Attempt(NamedTuple):
    """What came of sending: `reason` is '' if it was sent."""

    delivery: AlarmDelivery
    reason: str


class _Sender:
    """A recipient's thread, and what it is to send."""

    def __init__(self, name: str, run: Callable[[_Notices], None]) -> None:
        self.notices: _Notices = queue.SimpleQueue()
        self.thread = threading.Thread(target=run, args=(self.notices,), name=f"notifier {name}", daemon=True)
        self.thread.start()


class Notifier:
    """Sends alarms to their recipients; all methods are for the writer's thread."""

    def __init__(self, send_notice: Callable[[Notice], None] = send) -> None:
        self._send = send_notice
        self._senders: dict[str, _Sender] = {}
        self._attempts: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._made: list[Attempt] = []  # … that are to be stored
        self._under_way: set[tuple[int, str]] = set()
        self._stopping = threading.Event()
        self._due_at_ms: int | None = AT_ONCE  # when to look for what is due; None: nothing waits

    def handle_all(self, facts: Iterable[Fact]) -> None:
        """Look for what is due once an alarm was raised; the facts are committed."""
        if any(isinstance(fact, AlarmRaised) for fact in facts):
            self._due_at_ms = AT_ONCE

    def take_turn(self, store: Store, now_ms: int) -> None:
        """Store what came of what was offered, and take over what is due; most turns it has nothing to do."""
        self._store_attempts(store, now_ms)
        if self._due_at_ms is not None and now_ms >= self._due_at_ms:
            self._offer_due(store, now_ms)
            self._due_at_ms = alarm_recipients.next_due_ms(store, now_ms)

    def end(self, store: Store, now_ms: int) -> None:
        """End the threads after the attempts that are under way, and store what came of them; do not wait for long."""
        self._stopping.set()
        end_s = time.monotonic() + STOP_S
        for sender in self._senders.values():
            sender.notices.put(None)
        for sender in self._senders.values():
            sender.thread.join(max(0.0, end_s - time.monotonic()))
        self._store_attempts(store, now_ms)

    def _offer_due(self, store: Store, now_ms: int) -> None:
        """Take over what is due, of each recipient as far as there is room."""
        due = alarm_recipients.due(store, now_ms, MAX_WAITING)
        new = [delivery for delivery in due if delivery[:2] not in self._under_way]
        if not new:
            return
        recipients = alarm_recipients.recipients(store)
        for delivery in new:
            self._under_way.add(delivery[:2])
            self._offer(store, delivery, recipients[delivery.recipient_id], now_ms)

    def _offer(self, store: Store, delivery: AlarmDelivery, recipient: AlarmRecipient, now_ms: int) -> None:
        alarm = alarms.find_alarm(store, delivery.alarm_id)
        if alarm is None:
            raise LookupError(delivery.alarm_id)
        if now_ms > alarm.raised_at_ms + GIVE_UP_MS:
            self._attempts.put(Attempt(delivery, TOO_OLD))
        else:
            notice = Notice(recipient, alarm_object(store, alarm))
            self._sender(delivery.recipient_id).notices.put((delivery, notice))

    def _store_attempts(self, store: Store, now_ms: int) -> None:
        """Store what came of what was offered; until it is committed, none of it is offered again."""
        while not self._attempts.empty():
            self._made.append(self._attempts.get_nowait())
        if not self._made:
            return
        with store.transaction(now_ms):
            for attempt in self._made:
                alarm_recipients.note_attempt(store, after(attempt, _raised_at_ms(store, attempt.delivery), now_ms))
        self._under_way.difference_update(attempt.delivery[:2] for attempt in self._made)
        self._made.clear()
        self._due_at_ms = AT_ONCE

    def _sender(self, recipient_id: str) -> _Sender:
        if recipient_id not in self._senders:
            self._senders[recipient_id] = _Sender(recipient_id, self._run)
        return self._senders[recipient_id]

    def _run(self, notices: _Notices) -> None:
        while (offered := notices.get()) is not None and not self._stopping.is_set():
            delivery, notice = offered
            reason = ""
            try:
                self._send(notice)
                log.info(
                    "a recipient was told of an alarm", recipient=delivery.recipient_id, alarm_id=delivery.alarm_id
                )
            except TrivoxError as error:
                reason = str(error)
                facts = {
                    "recipient": delivery.recipient_id,
                    "alarm_id": delivery.alarm_id,
                    "attempt": delivery.attempts + 1,
                }
                log.warning("a recipient could not be told of an alarm", reason=reason, **facts)
            self._attempts.put(Attempt(delivery, reason))


def after(attempt: Attempt, raised_at_ms: int, now_ms: int) -> AlarmDelivery:
    """Return a delivery after an attempt: sent, to be tried again later, or given up as it is too old."""
    delivery = attempt.delivery
    count = delivery.attempts + 1
    done = delivery._replace(attempts=count, changed_at_ms=now_ms, reason=attempt.reason)
    if not attempt.reason:
        return done._replace(state="sent")
    pause_ms = PAUSES_MS[min(count, len(PAUSES_MS)) - 1]
    if now_ms + pause_ms > raised_at_ms + GIVE_UP_MS:
        return done._replace(state="failed")
    return done._replace(due_at_ms=now_ms + pause_ms)


def _raised_at_ms(store: Store, delivery: AlarmDelivery) -> int:
    alarm = alarms.find_alarm(store, delivery.alarm_id)
    return alarm.raised_at_ms if alarm else 0
