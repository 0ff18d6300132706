"""Take in what consoles say about themselves: `status`, `health` and `reply`.

Such words move nothing that the console's own key does not prove. Until a console has proved one (it was never
enrolled, or its firmware is older and does not sign them), they are shown, and steer its own update, but no more.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import UNSET

from bridge.model.console import EarlyWord
from bridge.store import consoles
from bridge.surveys.facts import (
    ConsoleCameOnline,
    ConsoleWentOffline,
    HealthReported,
    ReplyReceived,
    WordsUnproved,
)
from bridge.wire import contract
from bridge.wire.contract import Health, Status
from bridge.wire.health import read_figures
from bridge.wire.signature import Mac, verify_word

if TYPE_CHECKING:
    from bridge.keyring import KeyCache
    from bridge.model.console import KnownConsole
    from bridge.store import Store
    from bridge.surveys.facts import Emit
    from bridge.wire.contract import ConsoleWord


class WordsIntake:
    """Takes in the words of one transaction: `take` each, then `finish`."""

    def __init__(self, store: Store, emit: Emit, keys: KeyCache) -> None:
        self._store = store
        self._emit = emit
        self._keys = keys
        self._macs: Counter[tuple[KnownConsole, Mac]] = Counter()

    def take(
        self, console: KnownConsole, leaf: str, word: ConsoleWord, payload: bytes, arrived_at_ms: int, *, is_live: bool
    ) -> bool:
        """Take in one word; return whether it shows that the console is there, if it came live."""
        if isinstance(word, Status) and word.state == "offline":  # the last will, which nobody can sign
            consoles.note_status(self._store, console, online=False)
            self._emit(ConsoleWentOffline(console.name))
            return False
        mac = self._check(console, leaf, word, payload)
        if mac is not None and is_live:  # what the broker retained was counted when it came, or is from before
            self._macs[console, mac] += 1
        if mac is Mac.STALE:
            stamp = contract.read_stamp(payload)
            if stamp is not None and stamp.epoch is not None and not console.has_proved_word(stamp.epoch, 0):
                console.early_word = EarlyWord(stamp.epoch, leaf, payload, arrived_at_ms, is_live)
        is_proved = mac is Mac.VALID
        if console.proves_words and not is_proved:
            return False
        if isinstance(word, Status) or (is_proved and is_live):  # … whatever was said in its name meanwhile
            consoles.note_status(self._store, console, online=True)
        if isinstance(word, Status):
            self._emit(ConsoleCameOnline(console.name, is_live))
        elif isinstance(word, Health):
            self._take_health(console, word, payload, arrived_at_ms if is_live else None, is_proved=is_proved)
        else:
            self._emit(ReplyReceived(console.name, word, is_proved))
        return True

    def judge_early(self, console: KnownConsole, epoch: str) -> None:
        """Judge a word that came too early again, as an event of its epoch is proved now.

        A console says that it is online before it sends events, also the first ones after its flash was wiped.
        """
        early, console.early_word = console.early_word, None
        if early is not None and early.epoch == epoch:
            word = contract.read_word(early.leaf, early.payload)
            self.take(console, early.leaf, word, early.payload, early.arrived_at_ms, is_live=early.is_live)

    def finish(self) -> None:
        """Store how many words came with which MAC."""
        counted = [(console.key, mac, count) for (console, mac), count in self._macs.items()]
        consoles.note_word_macs(self._store, counted, self._store.now_ms)
        for (console, mac), count in self._macs.items():
            if mac is not Mac.VALID:
                self._emit(WordsUnproved(console.name, mac, count))

    def _check(self, console: KnownConsole, leaf: str, word: ConsoleWord, payload: bytes) -> Mac | None:
        """Check a word's MAC, and that it is later than those proved before; None if it has no MAC and never had."""
        if word.mac is UNSET:
            return Mac.MISSING if console.proves_words else None
        key = self._keys.get(*console.name)
        if key is None:
            return Mac.NO_KEY
        if not verify_word(leaf, payload, key):
            return Mac.FAILED
        stamp = contract.read_stamp(payload)
        if stamp is None or not console.is_later(stamp):
            return Mac.STALE
        consoles.note_proved(self._store, console, console.prove(stamp))
        return Mac.VALID

    def _take_health(
        self, console: KnownConsole, health: Health, payload: bytes, sent_at_ms: int | None, *, is_proved: bool
    ) -> None:
        """Take in a console's health; `sent_at_ms` is None where the broker had kept the message."""
        consoles.note_health(self._store, console, payload.decode(), sent_at_ms)
        if is_proved or not console.enrolled:
            consoles.note_revision(self._store, console, health.settings_revision)
        if sent_at_ms is not None and health.hardware_id:
            consoles.note_board(self._store, console, health.hardware_id, sent_at_ms)
        self._emit(HealthReported(console.name, read_figures(payload), sent_at_ms, is_proved))
