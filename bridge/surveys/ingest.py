"""Judge messages and store them: each event is new, a duplicate, in conflict, or rejected with its reason.

`Intake` acts on nothing else: it reports what happened (`facts.py`), and subscribers act on it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

from msgspec import UNSET

from bridge.keyring import KeyCache
from bridge.model.dating import date_event
from bridge.model.survey_rules import DecidingEvents
from bridge.store import consoles, events, gone_consoles, rejects, surveys
from bridge.store.rejects import NOT_ENROLLED, NOT_SIGNED
from bridge.surveys.counts import CountsIntake
from bridge.surveys.facts import (
    ConsoleDiscovered,
    ConsoleHeard,
    EpochBegan,
    EpochResumed,
    EventsLost,
    EventsUnproved,
    GoneConsoleHeard,
    IntakeEnded,
    Rejected,
    StrangerRefused,
)
from bridge.surveys.fold import Fold
from bridge.surveys.in_transaction import ConsoleInTransaction, EpochInTransaction, IntakeResult
from bridge.surveys.judged_events import judge_usual, keepable
from bridge.surveys.words import WordsIntake
from bridge.wire import contract, json_content
from bridge.wire.contract import (
    Booted,
    ClockSet,
    ForceMajeureDeclared,
    Impossible,
    SettingsApplied,
    SurveyClosed,
    SurveyOpened,
    Unreadable,
)
from bridge.wire.signature import Mac, verify_mac

if TYPE_CHECKING:
    from bridge.model.console import ConsoleName, KnownConsole
    from bridge.model.epoch import Epoch
    from bridge.store import Store
    from bridge.surveys.facts import Emit
    from bridge.surveys.judged_events import JudgedEvent
    from bridge.wire.contract import Batch

MAX_HELD_VALUES = 50_000  # of new events: held back so that one statement inserts many
_VALID = Mac.VALID  # looking up a member of an enumeration takes long
_NOT_ITS_OWN = (Mac.FAILED, Mac.MISSING)
TYPES = {kind: str(kind.__struct_config__.tag) for kind in get_args(contract.AnyEvent)}


class Intake:
    """Takes in the messages of one transaction: `take` each, then `finish`, then commit."""

    def __init__(
        self,
        store: Store,
        emit: Emit = lambda _: None,
        keys: KeyCache | None = None,
        *,
        enrolled_only: bool = False,
        signed_only: bool = False,
    ) -> None:
        """Begin; `emit` gets each fact, `keys` holds the consoles' keys (None: those beside the database)."""
        self._store = store
        self._emit = emit
        self._keys = keys or KeyCache(store.path)
        self._enrolled_only = enrolled_only
        self._signed_only = signed_only
        self._fold = Fold(store, emit)
        self._counts = CountsIntake(store)
        self._words = WordsIntake(store, emit, self._keys)
        self._values: list[Any] = []
        self._touched: dict[int, EpochInTransaction] = {}
        self._consoles: dict[ConsoleName, ConsoleInTransaction] = {}
        self._key_of: dict[ConsoleName, bytes | None] = {}
        self._macs: Counter[tuple[KnownConsole, Mac]] = Counter()
        self._strangers: Counter[ConsoleName] = Counter()
        self._gone: set[tuple[ConsoleName, str]] = set()  # heard though they are gone, with the leaf
        self._rejects: Counter[str] = Counter()
        self._example_topics: dict[str, str] = {}
        self.result = IntakeResult()

    def take(self, topic: str, payload: bytes, arrived_at_ms: int, *, is_retained: bool = False) -> None:
        """Take in one message, whatever it holds; a retained one does not prove that its console is there now."""
        self.result.messages += 1
        try:
            self.take_readable(topic, payload, arrived_at_ms, is_retained=is_retained)
        except Unreadable as error:
            if str(error).startswith(NOT_ENROLLED):
                self._strangers[contract.read_topic(topic)[:2]] += 1
            self.reject(topic, payload, str(error), arrived_at_ms)

    def reject(self, topic: str, payload: bytes, reason: str, at_ms: int) -> None:
        """Keep a message that could not be taken in, once, with a count."""
        self.result.unreadable += 1
        self._count_reject(reason, topic)
        rejects.save_reject(self._store, None, topic, reason, payload, hashlib.sha256(payload).hexdigest(), at_ms)

    def _count_reject(self, reason: str, topic: str) -> None:
        """Count one more reject; in `reason`, details follow after a colon."""
        word = reason.partition(":")[0]
        self._rejects[word] += 1
        self._example_topics[word] = topic

    def take_readable(
        self, topic: str, payload: bytes, arrived_at_ms: int, *, is_retained: bool = False, signed_only: bool = False
    ) -> None:
        """Take in one message. Raises Unreadable before anything is stored."""
        site_id, console_id, leaf = contract.read_topic(topic)
        name = site_id, console_id
        if not payload and leaf in contract.RETAINED_LEAVES:
            return  # it only clears what the broker retained
        if leaf == "events":
            self._take_events(name, topic, payload, arrived_at_ms, signed_only=signed_only)
        elif leaf == "counts":
            ack = self._counts.take(site_id, console_id, payload)
            self.result.acks.append((f"trivox/v1/{site_id}/{console_id}/ack", contract.encode(ack)))
        else:
            if gone_consoles.is_gone(self._store, name):
                self._gone.add((name, leaf))
                if is_retained:  # which brings nobody back
                    return
            word = contract.read_word(leaf, payload)
            sender = self._sender(name, arrived_at_ms)
            is_there = self._words.take(sender.console, leaf, word, payload, arrived_at_ms, is_live=not is_retained)
            if not is_retained:
                sender.note_heard(arrived_at_ms, is_there=is_there)

    def _take_events(
        self, name: ConsoleName, topic: str, payload: bytes, arrived_at_ms: int, *, signed_only: bool
    ) -> None:
        batch = contract.read_batch(payload)
        if name not in self._consoles:
            self._check_enrolled(name)
        mac = None if batch.mac is UNSET else self._check_mac(name, batch, payload)
        if (self._signed_only or signed_only) and mac is not Mac.VALID:
            raise Unreadable(f"{NOT_SIGNED}: its MAC is missing or wrong, or there is no key to check it with")
        sender = self._sender(name, arrived_at_ms)
        if mac is None and sender.console.signs:
            mac = Mac.MISSING
        self._take_batch(sender, batch, topic, payload, arrived_at_ms, mac)

    def finish(self) -> IntakeResult:
        """Update everything that depends on the new events, and report the facts that sum up the transaction."""
        self._flush()
        self._counts.finish()
        for touched in self._touched.values():
            epoch = touched.epoch
            epoch.through = epoch.received.through(epoch.first)
            for number in touched.boots:
                self._fold.redate(epoch, number, epoch.boots[number])
            self._fold.mark_lost(epoch)
            ack = contract.ack_payload(epoch.epoch, epoch.through, self._store.now_ms)
            self.result.acks.append((f"trivox/v1/{epoch.console.site_id}/{epoch.console.console_id}/ack", ack))
            self._count_losses(epoch)
        events.save_epochs(self._store, [touched.epoch for touched in self._touched.values()])
        self._save_macs()
        seen = [(heard.console, heard.last_at_ms) for heard in self._consoles.values() if heard.last_at_ms]
        consoles.note_seen(self._store, seen)
        self._fold.finish()
        self._sum_up()
        self._emit(IntakeEnded())
        return self.result

    def _sum_up(self) -> None:
        self._words.finish()
        for (console, mac), count in self._macs.items():
            if mac is not Mac.VALID:
                self._emit(EventsUnproved(console.name, mac, count))
        for name, heard in self._consoles.items():
            if heard.messages:
                self._emit(ConsoleHeard(name, heard.last_at_ms, heard.messages))
        for name, count in self._strangers.items():
            self._emit(StrangerRefused(name, count))
        for name, leaf in sorted(self._gone):
            if gone_consoles.is_gone(self._store, name):  # one that was removed is back with its first word
                self._emit(GoneConsoleHeard(name, leaf))
        for reason, count in self._rejects.items():
            self._emit(Rejected(reason, count, self._example_topics[reason]))

    def _count_losses(self, epoch: Epoch) -> None:
        """Count the numbers up to `through` that were never received as lost, until they come after all."""
        lost = epoch.received.missing(epoch.through)
        if lost != epoch.lost:
            self._emit(EventsLost(epoch.console.name, epoch.epoch, lost - epoch.lost))
            epoch.lost = lost

    def _check_mac(self, name: ConsoleName, batch: Batch, payload: bytes) -> Mac:
        """Check the batch's MAC by the console's key, which is looked for once in a transaction."""
        if name not in self._key_of:
            self._key_of[name] = self._keys.get(*name)
        key = self._key_of[name]
        if key is None:
            return Mac.NO_KEY
        return Mac.VALID if verify_mac(payload, batch.mac, key) else Mac.FAILED

    def _save_macs(self) -> None:
        counted = [(console.key, mac, count) for (console, mac), count in self._macs.items()]
        consoles.note_macs(self._store, counted, self._store.now_ms)

    def _check_enrolled(self, name: ConsoleName) -> None:
        if self._enrolled_only:
            console = consoles.find_console(self._store, *name)
            if console is None or not console.enrolled:
                raise Unreadable(f"{NOT_ENROLLED}: enrol the console, or run the bridge without --enrolled-only")

    def _sender(self, name: ConsoleName, arrived_at_ms: int) -> ConsoleInTransaction:
        """Return a console as this transaction heard it; add it where it is new."""
        sender = self._consoles.get(name)
        if sender is None:
            self._check_enrolled(name)
            console = consoles.find_console(self._store, *name)
            if console is None:
                console = consoles.add_console(self._store, *name, arrived_at_ms)
                self._emit(ConsoleDiscovered(name))
            sender = self._consoles[name] = ConsoleInTransaction(console)
        return sender

    def _take_batch(
        self,
        sender: ConsoleInTransaction,
        batch: Batch,
        topic: str,
        payload: bytes,
        arrived_at_ms: int,
        mac: Mac | None,
    ) -> None:
        console, is_proved = sender.console, mac is _VALID
        touched = sender.epochs.get(batch.epoch)
        if touched is None:
            found = events.find_epoch(self._store, console, batch.epoch, arrived_at_ms)
            touched = sender.epochs[batch.epoch] = self.touched(found)
        epoch = touched.epoch
        if epoch.is_new:
            epoch.is_new = False
            self._emit(EpochBegan(console.name, epoch.epoch))
        elif epoch.key < console.newest_epoch_key:
            self._emit(EpochResumed(console.name, epoch.epoch))
        console.newest_epoch_key = max(console.newest_epoch_key, epoch.key)
        touched.is_proved = is_proved
        touched.moves_settings = is_proved or not (console.enrolled or console.proves_words)
        if is_proved:
            console.signs = True  # anybody can send a batch that proves nothing
            console.signed_epochs.add(batch.epoch)
            self._words.judge_early(console, batch.epoch)
        if mac is None or mac not in _NOT_ITS_OWN:  # a stranger must not make it drop events that it still holds
            epoch.first = max(epoch.first, batch.first)
        if batch.extra:
            events.save_extra(self._store, epoch.key, batch.base, arrived_at_ms, topic, str(batch.extra))
        received, base, size = epoch.received, batch.base, len(batch.events)
        judged = judge_usual(batch, payload) if base > received.highest else None
        if judged is None:
            judged = self._judge_each(epoch, batch, topic, arrived_at_ms, mac)
        self.result.stored += len(judged)
        self.store_events(touched, judged, arrived_at_ms, mac)
        if mac is not None:
            self._macs[console, mac] += size
        received.add(base, base + size - 1)
        is_there = not console.proves_words or (is_proved and bool(judged))  # … and no recording
        sender.note_heard(arrived_at_ms, is_there=is_there)

    def _judge_each(
        self, epoch: Epoch, batch: Batch, topic: str, arrived_at_ms: int, mac: Mac | None
    ) -> list[JudgedEvent]:
        """Return the events of a batch that are new and valid; take in again or reject the others."""
        judged: list[JudgedEvent] = []
        for seq, raw in enumerate(batch.events, batch.base):
            if seq in epoch.received:
                self._take_again(epoch, seq, bytes(raw), topic, arrived_at_ms, mac)
                continue
            try:
                event = contract.parse_event(raw, seq)
                judged.append((seq, event, keepable(self._store, topic, event, bytes(raw)).decode()))
            except Impossible as error:
                self.result.rejected += 1
                self._reject(epoch, seq, str(error), bytes(raw), topic, arrived_at_ms, mac)
        return judged

    def touched(self, epoch: Epoch) -> EpochInTransaction:
        """Return the epoch as this transaction found it."""
        found = self._touched.get(epoch.key)
        if found is None:
            found = self._touched[epoch.key] = EpochInTransaction(epoch, self._fold.fresh(epoch.key))
        return found

    def _take_again(self, epoch: Epoch, seq: int, raw: bytes, topic: str, arrived_at_ms: int, mac: Mac | None) -> None:
        """Take in a number that was received before: a duplicate, or a conflict, in which the first content stays."""
        self._flush()
        first, is_kept_event = events.first_content(self._store, epoch.key, seq)
        is_same = json_content.same_as_kept if is_kept_event else json_content.same_content
        if first is None or is_same(first, raw):
            self.result.duplicates += 1
            if mac is Mac.VALID:
                events.note_valid(self._store, epoch.key, seq)
            return
        self.result.conflicts += 1
        self._reject(
            epoch, seq, "conflict: this number was received before with other content", raw, topic, arrived_at_ms, mac
        )

    def _reject(
        self, epoch: Epoch, seq: int, reason: str, raw: bytes, topic: str, arrived_at_ms: int, mac: Mac | None
    ) -> None:
        self._count_reject(reason, topic)
        hash_ = hashlib.sha256(json_content.canonical(raw)).hexdigest()
        rejects.save_reject(self._store, (epoch.key, seq), topic, reason, raw, hash_, arrived_at_ms, mac)

    def store_events(
        self, touched: EpochInTransaction, judged: list[JudgedEvent], arrived_at_ms: int, mac: int | None
    ) -> None:
        """Store events whose numbers are new, each as (number, event, text), and mark what they affect."""
        epoch, values = touched.epoch, self._values
        key, boots = epoch.key, epoch.boots
        for seq, event, raw in judged:
            kind, number, up_ms, at_ms = type(event), event.boot, event.up_ms, event.at_ms
            boot = boots.get(number)
            if boot is None or arrived_at_ms - up_ms < boot.arrival_offset_ms:
                boot = epoch.note_boot(number, arrived_at_ms - up_ms)
            if kind is ClockSet and at_ms is not None:
                boot.note_clock(seq, at_ms - up_ms)
            if boot.changed:
                touched.boots.add(number)
            if at_ms is None:
                boot.may_be_undated = True
                dated_at_ms, by = date_event(None, up_ms, boot.clock_offset_ms, boot.arrival_offset_ms)
            else:
                dated_at_ms, by = at_ms, "console"
            survey = event.survey if kind is SurveyClosed else None  # type: ignore[union-attr]
            values += key, seq, TYPES[kind], number, up_ms, at_ms, dated_at_ms, by, arrived_at_ms, survey, raw, mac
            mark = _MARKS.get(kind)
            if mark is not None:
                mark(self, touched, seq, event, dated_at_ms)
        if len(values) >= MAX_HELD_VALUES:
            self._flush()

    def _mark_opened(self, touched: EpochInTransaction, seq: int, event: SurveyOpened, at_ms: int) -> None:
        if seq <= touched.highest_before:
            self._fold.mark(touched.epoch.key, seq)
        elif seq in touched.fresh:
            touched.fresh[seq].note_opening(event, at_ms)
        else:
            touched.fresh[seq] = DecidingEvents(event, at_ms)
        touched.epoch.last_opener = max(touched.epoch.last_opener, seq)

    def _mark_closed(self, touched: EpochInTransaction, seq: int, event: SurveyClosed, at_ms: int) -> None:
        if event.survey <= touched.highest_before:
            self._fold.mark(touched.epoch.key, event.survey)
            return
        deciding = touched.fresh.get(event.survey)
        if deciding is None:
            deciding = touched.fresh[event.survey] = DecidingEvents()
        deciding.note_close(seq, event, at_ms)

    def _mark_force_majeure(
        self, touched: EpochInTransaction, seq: int, _event: ForceMajeureDeclared, _at_ms: int
    ) -> None:
        self._fold.mark_force_majeure(touched.epoch.key, seq)

    def _mark_settings(self, touched: EpochInTransaction, seq: int, event: SettingsApplied, _at_ms: int) -> None:
        if seq < touched.highest_before:
            self._flush()
        between = touched.epoch.note_applied(seq, event.revision)
        if between is not None:
            self._fold.mark_all(surveys.surveys_between(self._store, touched.epoch.key, *between))
        if touched.moves_settings:
            consoles.note_revision(self._store, touched.epoch.console, event.revision)

    def _mark_booted(self, touched: EpochInTransaction, seq: int, event: Booted, _at_ms: int) -> None:
        touched.epoch.last_opener = max(touched.epoch.last_opener, seq)
        touched.epoch.hardware_id = event.hardware_id
        epoch, console = touched.epoch, touched.epoch.console
        if touched.is_proved and console.proves_words and not console.has_proved_word(epoch.epoch, event.boot):
            consoles.note_started_unproved(self._store, console)

    def _flush(self) -> None:
        if self._values:
            events.insert_events(self._store, self._values)
            self._values.clear()


_MARKS: dict[type, Any] = {
    SurveyOpened: Intake._mark_opened,  # noqa: SLF001
    SurveyClosed: Intake._mark_closed,  # noqa: SLF001
    ForceMajeureDeclared: Intake._mark_force_majeure,  # noqa: SLF001
    SettingsApplied: Intake._mark_settings,  # noqa: SLF001
    Booted: Intake._mark_booted,  # noqa: SLF001
}
