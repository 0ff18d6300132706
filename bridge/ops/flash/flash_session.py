"""A technician's session: boards are seen as they are plugged in, and each is done by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridge.errors import TrivoxError
from bridge.ops.flash import flash_log
from bridge.ops.flash.flash_board import FlashJob, Outcome, TechnicianPrompt, flash
from bridge.ops.flash.label import label_text, write_label
from bridge.ops.flash.micropython_image import write_to_volume
from bridge.ops.flash.ports import Port, boot_volumes, seen

LOOK_S = 0.3
GONE_S = 3.0  # a board that restarts is away for less

Place = TypeVar("Place", Port, Path)
Seats = Callable[[str], AbstractContextManager[TechnicianPrompt]]
"""A place at the technician's screen for the board at that port, for as long as it takes."""


@dataclass(frozen=True)
class FlashRun:
    """Where boards are looked for, how many, how long (seconds) without any, and what is kept of them."""

    patterns: list[str]
    count: int
    patience_s: float
    log: Path
    labels: Path
    version: str

    @property
    def is_fixed(self) -> bool:
        """Whether the ports were named one by one: then each is tried once."""
        return bool(self.patterns) and not any(set(pattern) & set("*?[") for pattern in self.patterns)


class FlashSession:
    """`run` works until `bench.count` boards are done; `made` and `failures` tell of them."""

    def __init__(self, work: FlashJob, bench: FlashRun, seats: Seats) -> None:
        self.made = 0
        self.failures: list[str] = []
        self._work, self._bench, self._seats = work, bench, seats
        self._busy: dict[str, threading.Thread] = {}
        self._left_at_s: dict[str, float] = {}  # boards that are finished with, by when they were last seen
        self._lock = threading.Lock()
        self._stirred_s = time.monotonic()
        self._defect: BaseException | None = None

    def run(self) -> bool:
        """Whether all that were wanted are done."""
        while not self._is_over():  # Ctrl-C leaves boards as a pulled cable would, which they bear
            self._look()
            time.sleep(LOOK_S)
        if self._defect:
            raise self._defect
        return self.made >= self._bench.count

    def _look(self) -> None:
        for port in self._seen():
            key = port.serial_number or port.path
            if self._is_new(key) and self.made + len(self._busy) < self._bench.count:
                self._begin(key, self._one, port)
        for volume in boot_volumes() if self._work.base else []:
            if self._is_new(str(volume)):
                self._begin(str(volume), self._volume, volume)
        now_s = time.monotonic()
        with self._lock:
            self._left_at_s = {key: s for key, s in self._left_at_s.items() if now_s - s < GONE_S}
            if self._busy:
                self._stirred_s = now_s

    def _seen(self) -> list[Port]:
        if self._bench.is_fixed:
            return [Port(path) for path in self._bench.patterns]
        return seen(self._bench.patterns)

    def _is_over(self) -> bool:
        with self._lock:
            idle = not self._busy
        if self._defect or (self.made >= self._bench.count and idle):
            return True
        tried = len(self._left_at_s)
        if self._bench.is_fixed and idle and tried >= len(self._bench.patterns):
            return True
        return idle and time.monotonic() - self._stirred_s > self._bench.patience_s

    def _is_new(self, key: str) -> bool:
        """Whether what is seen is not in work, and not one that was done and is still there."""
        with self._lock:
            if key in self._left_at_s:
                self._left_at_s[key] = time.monotonic()
                return False
            return key not in self._busy

    def _begin(self, key: str, do: Callable[[Place], bool], place: Place) -> None:
        def run() -> None:
            left = True
            try:
                left = do(place)
            except BaseException as error:  # noqa: BLE001 - a mistake of ours: told by the main thread
                self._defect = error
            with self._lock:
                del self._busy[key]
                if left:
                    self._left_at_s[key] = time.monotonic()

        with self._lock:
            self._busy[key] = threading.Thread(target=run, daemon=True)
            self._busy[key].start()

    def _one(self, port: Port) -> bool:
        """Do one board; whether it is finished with (else it comes back as a volume, and then as a board)."""
        outcome = Outcome(port.path)
        with self._seats(port.path) as desk:
            try:
                flash(port, self._work, desk, outcome)
                if not outcome.becomes_volume:
                    self._keep(outcome, desk)
                    self.made += 1
            except TrivoxError as error:
                self._failed(outcome, desk, str(error))
        return not outcome.becomes_volume

    def _keep(self, outcome: Outcome, desk: TechnicianPrompt) -> None:
        assert outcome.board is not None  # noqa: S101 - for the types
        assert outcome.wanted is not None  # noqa: S101
        who = (*outcome.wanted.identity, outcome.board.kind, outcome.board.hardware_id)
        path = write_label(self._bench.labels, *who)
        flash_log.append(self._bench.log, outcome, self._bench.version, None)
        desk.note(f"{label_text(*who)}\n(label: {path})")
        desk.stage("done", 1, 1)

    def _failed(self, outcome: Outcome, desk: TechnicianPrompt, reason: str) -> None:
        with self._lock:
            self.failures.append(reason)
        if outcome.wanted:
            self._work.roster.give_back(outcome.wanted)
        desk.note(f"{outcome.port}: {reason}" if outcome.port not in reason else reason)
        desk.stage("failed")
        flash_log.append(self._bench.log, outcome, self._bench.version, reason)

    def _volume(self, volume: Path) -> bool:
        base = self._work.base
        assert base is not None  # noqa: S101 - for the types
        with self._seats(str(volume)) as desk:
            try:
                desk.stage(f"writing {base.path.name}")
                write_to_volume(base, volume)
            except TrivoxError as error:
                with self._lock:
                    self.failures.append(str(error))
                desk.note(str(error))
        return True
