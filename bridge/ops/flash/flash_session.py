"""Flash boards as they are plugged in, each in a thread of its own."""

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
from bridge.ops.flash.enter_repl import resume
from bridge.ops.flash.errors import NotHeardError
from bridge.ops.flash.flash_board import FlashJob, FlashResult, TechnicianPrompt, flash_board
from bridge.ops.flash.label import label_text, write_label
from bridge.ops.flash.micropython_image import write_to_volume
from bridge.ops.flash.ports import Port, find_boot_volumes, find_ports

POLL_S = 0.3
GONE_S = 3.0  # a board that restarts is away for less time
STOP_LIMIT_S = 15.0

Target = TypeVar("Target", Port, Path)
OpenPrompt = Callable[[str], AbstractContextManager[TechnicianPrompt]]
"""Makes the prompt for the board at a port, or for a volume, as a context."""


@dataclass(frozen=True)
class FlashRun:
    """A run of flashing: ports, number of boards, seconds to wait for one, and the files to record them in."""

    patterns: list[str]
    count: int
    patience_s: float
    log: Path
    labels: Path
    version: str

    @property
    def is_fixed(self) -> bool:
        """True if the ports were named one by one: then each is tried once."""
        return bool(self.patterns) and not any(set(pattern) & set("*?[") for pattern in self.patterns)


class FlashSession:
    """A run at a technician's desk.

    `unheard_count` of the `done_count` consoles were not listened for at the broker. `failed_count` boards were not
    flashed, or, as `silent_count` of them, were listened for but not heard.
    """

    def __init__(self, job: FlashJob, flash_run: FlashRun, open_prompt: OpenPrompt) -> None:
        self.done_count = self.unheard_count = self.failed_count = self.silent_count = 0
        self._job, self._flash_run, self._open_prompt = job, flash_run, open_prompt
        self._busy: dict[str, threading.Thread] = {}
        self._results: list[FlashResult] = []
        self._finished_s: dict[str, float] = {}  # finished boards, and when they were last seen
        self._lock = threading.Lock()
        self._last_active_s = time.monotonic()
        self._internal_error: BaseException | None = None

    def run(self) -> bool:
        """Flash boards until `count` are done or none comes any more. Return whether all are done."""
        try:
            while not self._is_over():
                self._start_new()
                time.sleep(POLL_S)
        except KeyboardInterrupt:  # the next one leaves boards as they are
            self._hand_back_boards()
            raise
        if self._internal_error:
            raise self._internal_error
        return self.done_count >= self._flash_run.count

    def _hand_back_boards(self) -> None:
        """Have each board that is not flashed yet go on as it was."""
        self._job.stopped.set()
        end_s = time.monotonic() + STOP_LIMIT_S
        for result in list(self._results):
            while result.is_stopped and time.monotonic() < end_s:
                if result.asking and result.board:
                    resume(result.asking, was_serving=result.board.serving)
                    break
                time.sleep(POLL_S)

    def _start_new(self) -> None:
        for port in self._ports():
            key = port.serial_number or port.path
            if self._is_new(key) and self.done_count + len(self._busy) < self._flash_run.count:
                self._start_thread(key, self._flash_one, port)
        for volume in find_boot_volumes() if self._job.micropython else []:
            if self._is_new(str(volume)):
                self._start_thread(str(volume), self._write_volume, volume)
        now_s = time.monotonic()
        with self._lock:
            self._finished_s = {key: s for key, s in self._finished_s.items() if now_s - s < GONE_S}
            if self._busy:
                self._last_active_s = now_s

    def _ports(self) -> list[Port]:
        if self._flash_run.is_fixed:
            return [Port(path) for path in self._flash_run.patterns]
        return find_ports(self._flash_run.patterns)

    def _is_over(self) -> bool:
        with self._lock:
            is_idle = not self._busy
        if self._internal_error or (self.done_count >= self._flash_run.count and is_idle):
            return True
        tried_count = len(self._finished_s)
        if self._flash_run.is_fixed and is_idle and tried_count >= len(self._flash_run.patterns):
            return True
        return is_idle and time.monotonic() - self._last_active_s > self._flash_run.patience_s

    def _is_new(self, key: str) -> bool:
        """Return whether a board or volume is neither being worked on nor finished and still plugged in."""
        with self._lock:
            if key in self._finished_s:
                self._finished_s[key] = time.monotonic()
                return False
            return key not in self._busy

    def _start_thread(self, key: str, work: Callable[[Target], bool], target: Target) -> None:
        def run() -> None:
            is_finished = True
            try:
                is_finished = work(target)
            except BaseException as error:  # noqa: BLE001 - a mistake of ours: the main thread raises it
                self._internal_error = error
            with self._lock:
                del self._busy[key]
                if is_finished:
                    self._finished_s[key] = time.monotonic()

        with self._lock:
            self._busy[key] = threading.Thread(target=run, daemon=True)
            self._busy[key].start()

    def _flash_one(self, port: Port) -> bool:
        """Flash one board. Return whether it is finished; else it comes back as a volume, and then as a board."""
        result = FlashResult(port.path)
        self._results.append(result)
        with self._open_prompt(port.path) as prompt:
            try:
                flash_board(port, self._job, prompt, result)
                if not result.becomes_volume:
                    self._record_done(result, prompt)
                    self.done_count += 1
            except TrivoxError as error:
                self._record_failed(result, prompt, error)
        return not result.becomes_volume

    def _record_done(self, result: FlashResult, prompt: TechnicianPrompt) -> None:
        assert result.board is not None  # noqa: S101 - for the type checker
        assert result.assignment is not None  # noqa: S101
        label_fields = (*result.assignment.identity, result.board.kind, result.board.hardware_id)
        path = write_label(self._flash_run.labels, *label_fields)
        flash_log.append(self._flash_run.log, result, self._flash_run.version)
        prompt.note(f"{label_text(*label_fields)}\n(label: {path})")
        if result.unheard:
            self.unheard_count += 1
            prompt.note(f"{result.assignment.name} is flashed, but was not heard at the broker, as {result.unheard}.")
        prompt.stage("flashed, not heard" if result.unheard else "done", 1, 1)

    def _record_failed(self, result: FlashResult, prompt: TechnicianPrompt, error: TrivoxError) -> None:
        if isinstance(error, NotHeardError):  # the board keeps the name
            self.silent_count += 1
        elif result.assignment:
            self._job.assignments.give_back(result.assignment)
        self._fail(prompt, result.port, str(error))
        prompt.stage("flashed, not heard" if isinstance(error, NotHeardError) else "failed")
        flash_log.append(self._flash_run.log, result, self._flash_run.version, error)

    def _write_volume(self, volume: Path) -> bool:
        micropython = self._job.micropython
        assert micropython is not None  # noqa: S101 - for the type checker
        with self._open_prompt(str(volume)) as prompt:
            try:
                prompt.stage(f"writing {micropython.path.name}")
                write_to_volume(micropython, volume)
            except TrivoxError as error:
                self._fail(prompt, str(volume), str(error))
        return True

    def _fail(self, prompt: TechnicianPrompt, place: str, reason: str) -> None:
        with self._lock:
            self.failed_count += 1
        prompt.fail(reason if place in reason else f"{place}: {reason}")
