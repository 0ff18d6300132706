"""Record what a console does: changes of its lamps and buttons, tones and tracks, each with its moment."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from simulator.console.pinmap import PinMap
from simulator.errors import ConsoleError

_WRAP_US = 1 << 30  # where a 32-bit board's count of microseconds wraps; no delay here is as long
_PLAY_TRACK = {0x03, 0x12}  # the player's commands that play: by number, by number in its folder "mp3"
_PLAYER_FRAME_BYTES = 10
_STANDSTILL_MS = 100


@dataclass(frozen=True)
class Sound:
    """A tone of the piezo (`hertz`; 0 when it ends) or a `track` of the player; `at_s` as in `Change`."""

    at_s: float
    hertz: int | None = None
    track: int | None = None


class Change(NamedTuple):
    """A change of a lamp or button: `at_s` on this machine's `time.monotonic`, `ticks_ms` on the console's clock.

    `caught_ms` is when the firmware's interrupt for a button had run, on the console's clock; None: it has not run.
    """

    kind: Literal["lamp", "button"]
    name: str
    on: bool
    at_s: float
    ticks_ms: int
    caught_ms: int | None = None


class Round(NamedTuple):
    """A round of the firmware's main loop, begun after `stood_ms` at a standstill; times as in `Change`.

    `waited_ms`: how long the firmware's thread has waited for a processor of this machine since the round reported
    before; so no more of the standstill than that is this machine's fault.
    """

    at_s: float
    ticks_ms: int
    stood_ms: int = 0
    waited_ms: int = 0


class Power(NamedTuple):
    """The beginning (`on`; `reset` says why) or end of a run; `at_s` as in `Change`."""

    on: bool
    reset: str
    at_s: float


class Fault(NamedTuple):
    """A rule of the board that the firmware broke, in one sentence; `at_s` as in `Change`."""

    sentence: str
    at_s: float


Observation = Change | Sound | Power | Fault
Observer = Callable[[Observation], None]


@dataclass(frozen=True)
class ConsoleRun:
    """The record of a console from power-on or a reset (`reset` says which) until the run ended.

    `began_at_s` and `ended_at_s` (None while it runs) are as in `Change`. `output` is what it wrote to its serial line,
    `held` are the buttons that were held when it began. As the board itself reports its main loop: `first_round` is
    its first, `stood` are the rounds after a standstill of more than 100 ms, and `last_round` is the last one reported,
    at most 500 ms before the end.
    """

    reset: str
    began_at_s: float
    ended_at_s: float | None
    changes: tuple[Change, ...]
    output: str
    held: frozenset[str]
    first_round: Round | None = None
    stood: tuple[Round, ...] = ()
    last_round: Round | None = None


@dataclass
class _Span:
    reset: str
    began_at_s: float
    first_change: int
    first_byte: int
    held: frozenset[str]
    last_change: int | None = None
    ended_at_s: float | None = None
    first_round: Round | None = None
    stood: list[Round] = field(default_factory=list)
    last_round: Round | None = None
    waited_ms: int = 0


class Record:
    """The record of one console over all its runs; the thread that listens to the console writes, any may read."""

    def __init__(self, pins: PinMap) -> None:
        self._pins = pins
        self._lamp_names = {pin: name for name, pin in pins.lamps.items()}
        self._button_names = {pin: name for name, pin in pins.buttons.items()}
        self._changed = threading.Condition()
        self._lamps = dict.fromkeys(pins.lamps, False)
        self._changes: list[Change] = []
        self._sounds: list[Sound] = []
        self._spans: list[_Span] = []
        self._observers: list[Observer] = []
        self.faults: list[str] = []

    def watch(self, observer: Observer) -> None:
        """Pass each observation from now on to `observer`, in order, in the thread that listens to the console.

        The observer has to return at once, and must not call the console.
        """
        with self._changed:
            self._observers.append(observer)

    def clear_sounds(self) -> None:
        """Forget the sounds before power-on."""
        with self._changed:
            self._sounds = []

    def begin_run(self, reset: str, output_bytes: int, closed: set[int]) -> None:
        """Begin a run.

        Args:
            reset: why it begins.
            output_bytes: how many bytes the serial line brought before.
            closed: the pins whose contacts are closed.
        """
        held = frozenset(name for pin, name in self._button_names.items() if pin in closed)
        with self._changed:
            now_s = time.monotonic()
            self._spans.append(_Span(reset, now_s, len(self._changes), output_bytes, held))
            self._notify(Power(on=True, reset=reset, at_s=now_s))

    def end_run(self) -> None:
        """End the run: power has gone, and all lamps are dark."""
        with self._changed:
            if self._spans and self._spans[-1].ended_at_s is None:
                now_s = self._spans[-1].ended_at_s = time.monotonic()
                self._spans[-1].last_change = len(self._changes)
                self._notify(Power(on=False, reset=self._spans[-1].reset, at_s=now_s))
            for name, on in self._lamps.items():
                if on:
                    self._change("lamp", name, [0, _stamp(time.monotonic())], on=False)

    def take(self, message: list[Any], waited_ms: int = 0) -> None:
        """Record a message of the board.

        With a `round` comes `waited_ms`: how long the firmware's thread has waited for a processor since its start.
        """
        kind, *rest = message
        with self._changed:
            if kind == "pin" and rest[0] in self._lamp_names:
                self._change("lamp", self._lamp_names[rest[0]], rest[2:], on=bool(rest[1]))
            elif kind == "contact":
                self._change("button", self._button_names[rest[0]], rest[2:], on=rest[1])
            elif kind == "tone" and rest[0] == self._pins.sounder:
                self._add_sound(Sound(_moment(rest[3]), hertz=rest[1]))
            elif kind == "uart" and rest[0] == self._pins.player:
                self._take_player_frame(bytes.fromhex(rest[1]), _moment(rest[3]))
            elif kind == "caught":
                self._mark_caught(self._button_names[rest[0]], *rest[1:])
            elif kind == "round" and self._spans:
                self._add_round(self._spans[-1], Round(_moment(rest[2]), rest[1], rest[0]), waited_ms)
            elif kind == "fault":
                self.fault(rest[0])
            elif kind == "ended" and rest[0]:
                self.fault(f"main.py ended by {rest[0]}")
            self._changed.notify_all()

    def fault(self, sentence: str) -> None:
        """Record that the firmware broke a rule of its board."""
        with self._changed:
            self.faults.append(sentence)
            self._notify(Fault(sentence, time.monotonic()))

    def lamps(self) -> dict[str, bool]:
        """Return for each lamp whether it is lit."""
        with self._changed:
            return dict(self._lamps)

    def changes(self) -> list[Change]:
        """Return all changes of lamps and buttons."""
        with self._changed:
            return list(self._changes)

    def runs(self, output: bytes) -> list[ConsoleRun]:
        """Return all runs; `output` is all that the serial line brought."""
        with self._changed:
            ends = [span.first_byte for span in self._spans[1:]] + [len(output)] * bool(self._spans)
            return [
                ConsoleRun(
                    span.reset,
                    span.began_at_s,
                    span.ended_at_s,
                    tuple(self._changes[span.first_change : span.last_change]),
                    output[span.first_byte : end].decode(errors="replace"),
                    span.held,
                    span.first_round,
                    tuple(span.stood),
                    span.last_round,
                )
                for span, end in zip(self._spans, ends, strict=True)
            ]

    def sounds(self) -> list[Sound]:
        """Return all sounds since power-on."""
        with self._changed:
            return list(self._sounds)

    def wait_lamp(self, name: str, timeout_s: float, *, on: bool) -> float:
        """Wait until the lamp is lit (or dark); return the moment of its last change.

        Raises ConsoleError if it does not change in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._lamps[name] == on, timeout_s):
                raise ConsoleError(f"The lamp {name} did not {'light up' if on else 'go dark'} within {timeout_s} s.")
            moments = (change.at_s for change in reversed(self._changes) if change[:2] == ("lamp", name))
            return next(moments, 0.0)

    def _change(self, kind: Literal["lamp", "button"], name: str, moment: list[int], *, on: bool) -> None:
        if kind == "lamp":
            self._lamps[name] = on
        self._changes.append(Change(kind, name, on, _moment(moment[1]), moment[0]))
        self._notify(self._changes[-1])
        self._changed.notify_all()

    def _mark_caught(self, name: str, changed_ms: int, caught_ms: int) -> None:
        """Note that the interrupt of the contact that changed at `changed_ms` has run."""
        for place in range(len(self._changes) - 1, self._spans[-1].first_change - 1, -1):
            change = self._changes[place]
            if change.kind == "button" and (change.name, change.ticks_ms) == (name, changed_ms):
                self._changes[place] = change._replace(caught_ms=caught_ms)
                return

    def _add_round(self, span: _Span, loop_round: Round, waited_ms: int) -> None:
        loop_round = loop_round._replace(waited_ms=max(0, waited_ms - span.waited_ms))
        span.waited_ms = max(span.waited_ms, waited_ms)
        span.first_round = span.first_round or loop_round
        span.last_round = loop_round
        if loop_round.stood_ms > _STANDSTILL_MS:
            span.stood.append(loop_round)

    def _add_sound(self, sound: Sound) -> None:
        self._sounds.append(sound)
        self._notify(sound)

    def _notify(self, observation: Observation) -> None:
        for observer in self._observers:
            observer(observation)

    def _take_player_frame(self, frame: bytes, at_s: float) -> None:
        """Decode a DFPlayer frame: 7E FF 06 command feedback parameter(2) checksum(2) EF."""
        total = int.from_bytes(frame[7:9], "big") + sum(frame[1:7])
        if len(frame) != _PLAYER_FRAME_BYTES or frame[:3] != b"\x7e\xff\x06" or frame[9:] != b"\xef" or total & 0xFFFF:
            self.fault(f"the player does not understand {frame.hex(' ')}")
        elif frame[3] in _PLAY_TRACK:
            self._add_sound(Sound(at_s, track=int.from_bytes(frame[5:7], "big")))


def _stamp(at_s: float) -> int:
    return int(at_s * 1e6) % _WRAP_US


def _moment(stamp_us: int) -> float:
    """Return the `time.monotonic` of a microsecond count that the console took from the same clock a moment ago."""
    now_us = time.monotonic_ns() // 1000
    return (now_us - (now_us - stamp_us) % _WRAP_US) / 1e6
