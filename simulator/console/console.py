"""Simulate one console: a MicroPython process that runs the unmodified firmware, with control of all around it."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from simulator.console.console_json import WIFI, broker_of, files, operations_of
from simulator.console.micropython_process import REPLY_LIMIT_S, BoardProcess
from simulator.console.observations import Change, ConsoleRun, Observer, Record, Sound
from simulator.console.pinmap import BUTTONS, FIRMWARE, pin_map
from simulator.console.power import OnEnd, PlannedCut, PowerSupply
from simulator.console.radio import RadioRelay
from simulator.console.serial_line import SerialLine
from simulator.errors import ConsoleError, FirmwareError

if TYPE_CHECKING:
    from simulator.console.micropython import Architecture

STEP_MS = 2 * 24 * 3600 * 1000  # the longest jump of the clock: 32-bit boards compare ticks up to 6.2 days apart
_DNS_PORT, _NTP_PORT = 53, 123
_ERASE_MS = 45  # of a healthy chip; a program takes less than a millisecond
_HURRY_LIMIT_S = 600.0  # a board that makes no headway reports so itself, see `board/hurry.py`
_PIECE = 1500  # bytes of a file in one reply, see `board/flash_files.py`
_HEADS = 16  # files whose first bytes are in one reply


class Console:
    """A console in `folder` (its flash file, serial output); nothing runs until `power_on` or `with`.

    Several threads may call its methods. Each method waits for a limited time; it raises ConsoleError if the console
    does not answer, and FirmwareError if the firmware has broken a rule of its board, or has ended.

    Args:
        folder: where the flash file and the serial output lie; a console made again on it goes on from its flash.
        site_id: its site; written into `console.json` on the flash, as a technician would.
        console_id: this console within its site; written there too.
        board: `unix`, `esp32`, `pico_w` or `pico`: the board whose pins, modules and interrupts the stand-ins offer.
        architecture: `amd64`, or `i386` with a 32-bit board's object sizes and clock wrap.
        broker: `mqtt://user:password@host:port` (or `mqtts://`); None leaves the console without a broker.
        ca: the PEM file of the authority that signed the broker's certificate.
        key: 64 hex digits that the console signs its batches with; None for a console that was never enrolled.
        broker_name: the broker's host name in `console.json`; None for the relay's address.
        ntp_host: the time server, as `HOST`, or `HOST:PORT` if its port is not 123.
        name_port: the port of the name server on loopback.
        firmware: the root of the board's filesystem: `.py` files, or the output of `compile_firmware`.
        own_image: a `pico` runs the project's own image of MicroPython, which formats nothing, and has a second place
            for `console.json` (the file `rom.bin` in `folder`).
        installed: run what is on the flash (`firmware` is copied onto a fresh one); else run `firmware` where it lies.
        interrupts: how contacts reach the firmware on the `unix` board: `hard` as on RP2040, `soft` as on ESP32.
        flash_kb: the size of the flash; 848 is what a Pico W has for the filesystem.
        prog_size: bytes in one program operation; None for the board's (256 on RP2040, 32 on ESP32).
        heap_kb: the size of MicroPython's heap; None for its default.
        hardware_id: six bytes in hex (eight on RP2040); by default derived from site and console.
        ticks_ms: the board's tick counter at power-on.
    """

    def __init__(
        self,
        folder: Path,
        *,
        site_id: str = "demo",
        console_id: str = "till-1",
        board: str = "unix",
        architecture: "Architecture" = "amd64",
        broker: str | None = None,
        ca: Path | None = None,
        key: str | None = None,
        broker_name: str | None = None,
        ntp_host: str | None = None,
        name_port: int = _DNS_PORT,
        firmware: Path | None = None,
        own_image: bool = False,
        installed: bool = False,
        interrupts: Literal["hard", "soft"] = "hard",
        flash_kb: int = 848,
        prog_size: int | None = None,
        heap_kb: int | None = None,
        hardware_id: str | None = None,
        ticks_ms: int = 0,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.flash = self.folder / "flash.bin"
        self.site_id, self.console_id = site_id, console_id
        self.board, self.architecture = board, architecture
        self._firmware = Path(firmware or FIRMWARE).resolve()
        self._pins = pin_map(board, self._firmware)
        self._record = Record(self._pins)
        self._heap_kb = heap_kb
        digits = 16 if board.startswith("pico") else 12
        self.hardware_id = hardware_id or hashlib.sha256(f"{site_id}/{console_id}".encode()).hexdigest()[:digits]
        self._broker, target = broker_of(broker, ca is not None, self._pins.flash)
        self._broker["host"] = broker_name or self._broker["host"]
        self._ca, self._key = ca, key
        self._ntp_host, _, time_port = (ntp_host or "").partition(":")
        self._radio = None if board == "pico" else RadioRelay(*target)
        self._line = SerialLine(self._serial_path, self.folder / "serial_port") if board == "pico" else None
        self._has_network = True
        self._closed: dict[str, int] = {}  # by pin, the level of contacts that are closed
        self._listing = threading.Lock()  # the board holds one list of files at a time
        self._fixed: dict[str, Any] = {
            "board": board,
            "interrupts": interrupts,
            "hardware_id": self.hardware_id,
            "firmware": str(self._firmware),
            "installed": installed,
            "flash": {
                "path": str(self.flash),
                "size": flash_kb * 1024,
                "prog_size": prog_size or self._pins.prog_size,
            },
            "ticks_ms": ticks_ms,
            "time_port": int(time_port or _NTP_PORT),
            "name_port": name_port,
            "wear": None,
            "rom": str(self.folder / "rom.bin") if own_image else None,
            **WIFI,
        }
        self._supply = PowerSupply(
            f"{site_id}/{console_id}", self._record, prepare=self._prepare, start=self._start, go_dark=self._go_dark
        )

    def __enter__(self) -> Self:
        """Power on."""
        self.power_on()
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        """Power off; raises FirmwareError if the firmware broke a rule, unless another error is being raised."""
        self.power_off()
        if kind is None:
            self.check()

    @property
    def powered(self) -> bool:
        """Whether power is on."""
        return self._supply.powered

    @property
    def resets(self) -> list[str]:
        """The resets while it had power, in order: `hard`, `soft` or `watchdog`."""
        return self._supply.resets

    @property
    def pid(self) -> int:
        """The process id, for sending it signals; raises ConsoleError without power."""
        return self._supply.pid

    @property
    def broker_port(self) -> int:
        """The port at which it finds its broker, through the radio; that of `console.json`."""
        if not self._radio:
            raise ConsoleError(f"The board {self.board} has no radio.")
        return self._radio.port

    @property
    def serial_port(self) -> str:
        """The path of the host's side of the USB serial line (board `pico`); the same after each power-on."""
        return str(self.cable.port)

    @property
    def cable(self) -> SerialLine:
        """The USB serial line (board `pico`): to `pull`, `plug` and `disturb`."""
        if self._line is None:
            raise ConsoleError(f"The board {self.board} has no serial line; choose pico.")
        return self._line

    def power_on(self) -> None:
        """Start the process; return once the firmware has started and hears its buttons."""
        self._supply.on()

    def power_off(self) -> None:
        """Cut the power: the process is killed wherever it is."""
        self._supply.off()

    def cut_power_at(self, operations: int, share: float = 0.5) -> None:
        """Cut the power at the n-th program or erase of the flash from now on; restarts count on, `power_off` cancels.

        `share` of that operation is still done: its first part, or below 0 its last part (see `board/flash.py`). The
        process ends at once.
        """
        self.check()
        self._supply.cut_at(operations, share, lambda: operations_of(self.flash))

    def fill_flash(self, free_blocks: int) -> None:
        """Fill the flash with another file up to that many free blocks, until `free_flash`; the firmware goes on."""
        while not self._ask("fill_flash", free_blocks):
            pass

    def free_flash(self) -> None:
        """Delete the file that fills the flash, if there is one."""
        self._ask("free_flash")

    def wear_out(
        self,
        *failing: Literal["program", "erase"],
        block: int | None = None,
        times_ms: dict[str, int] | None = None,
        code: int = 0,
    ) -> None:
        """Wear the flash's chip out, from now on and in later runs: failing operations take their time and do nothing.

        Args:
            failing: the kinds of operation that fail; none, for a chip that is only slow.
            block: the bad block; None for all.
            times_ms: how long operations take (`read`, `program`, `erase`); those of a healthy chip by default.
            code: what a failing operation returns: 0 if it tells nobody, -5 for EIO.
        """
        self._fixed["wear"] = [failing, block, {"erase": _ERASE_MS, **(times_ms or {})}, code]
        if self.powered:
            self._ask("wear_out", self._fixed["wear"])

    def flash_files(self, folder: str) -> dict[str, int]:
        """Return the files in a folder of the flash's filesystem with their sizes in bytes; {} without that folder."""
        listed: list[tuple[str, int]] = []
        with self._listing:
            while entries := self._ask("flash_files", folder, len(listed)):
                listed += entries
        return dict(listed)

    def flash_heads(self, folder: str, names: Sequence[str], length: int) -> dict[str, bytes]:
        """Return the first `length` (at most 100) bytes of each of these files, or all of a shorter file.

        Files that do not exist are left out.
        """
        heads: dict[str, bytes] = {}
        for at in range(0, len(names), _HEADS):
            batch = names[at : at + _HEADS]
            answers = self._ask("flash_heads", [f"{folder}/{name}" for name in batch], length)
            heads |= {name: bytes.fromhex(head) for name, head in zip(batch, answers, strict=True) if head is not None}
        return heads

    def flash_file(self, path: str) -> bytes | None:
        """Return the content of a file of the flash's filesystem; None if there is no such file."""
        content = b""
        while True:
            piece = self._ask("flash_read", path, len(content))
            if piece is None:
                return None
            content += bytes.fromhex(piece)
            if not piece or len(content) % _PIECE:
                return content

    def check(self) -> None:
        """Raise FirmwareError if the firmware broke a rule of its board, or ended with an error."""
        if self._record.faults:
            raise FirmwareError(f"{self.site_id}/{self.console_id}: {self._record.faults[0]}")

    def press(self, button: str, held_ms: int = 120) -> None:
        """Press and release; return once released. A board that is starting is pressed once it hears its buttons."""
        self._pin(button)
        self._supply.wait_at_work()
        self.hold(button)
        time.sleep(held_ms / 1000)
        self.release(button)

    def hold(self, button: str) -> None:
        """Press and keep pressed."""
        self._contact(button, 0)

    def release(self, button: str) -> None:
        """Release."""
        self._contact(button, None)

    def bounce(self, button: str, held_ms: int = 120, times: int = 4, gap_us: int = 800) -> None:
        """Press and release with contacts that bounce `times` at both ends, `gap_us` apart."""
        pin = self._pin(button)
        closing = [[0, gap_us], [None, gap_us]] * times
        self._ask("contacts", pin, [*closing, [0, 0]])
        time.sleep(held_ms / 1000)
        opening = [[None, gap_us], [0, gap_us]] * times
        self._ask("contacts", pin, [*opening, [None, 0]])

    def lamps(self) -> dict[str, bool]:
        """Return for each lamp (yes, no, cant_say, seller) whether it is lit."""
        return self._record.lamps()

    def wait_lamp(self, button: str, on: bool = True, timeout_s: float = 30.0) -> float:  # noqa: FBT001, FBT002
        """Wait until that lamp is lit (or dark); return the moment (`time.monotonic`) of its last change.

        Raises ConsoleError if that takes longer than `timeout_s`.
        """
        self._pin(button)
        try:
            return self._record.wait_lamp(button, timeout_s, on=on)
        finally:
            self.check()

    def changes(self) -> list[Change]:
        """Return all changes of lamps and buttons since this object was made, in order; a bounce counts as one."""
        return self._record.changes()

    def watch(self, observer: Observer) -> None:
        """Pass changes, sounds, power and faults to `observer` as they come; see `Record.watch`."""
        self._record.watch(observer)

    def runs(self) -> list[ConsoleRun]:
        """Return a run for each power-on and reset since this object was made, with what happened until the next."""
        return self._record.runs(self._serial_path.read_bytes() if self._serial_path.exists() else b"")

    def sounds(self) -> list[Sound]:
        """Return the tones and tracks since power-on."""
        return self._record.sounds()

    def wifi(self, on: bool) -> None:  # noqa: FBT001
        """Switch the radio network on or off; off cuts all streams and refuses new ones."""
        if not self._radio:
            raise ConsoleError(f"The board {self.board} has no radio.")
        self._has_network = on
        if self.powered:
            self._ask("radio", on)
            self._radio.up() if on else self._radio.down()

    def hang(self, on: bool) -> None:  # noqa: FBT001
        """Let the network hang, or end that: connected, but nothing arrives or leaves."""
        if not self._radio:
            raise ConsoleError(f"The board {self.board} has no radio.")
        self._radio.hang(on=on)

    def stall(self, ms: int, *, interrupts: bool = True) -> None:
        """Block the main loop for that long, as a TLS handshake does; return once the stall has begun.

        Without `interrupts`, hard interrupts wait too, as during a flash erase.
        """
        self._ask("stall", ms, interrupts)

    def come_round(self) -> None:
        """Wait until the main loop has finished its present task; by then it has caught all contacts."""
        self._ask("come_round")

    def step(self, ms: int) -> None:
        """Let the clock jump forward, in pieces of at most two days between which the main loop runs."""
        while ms > 0:
            self._ask("step", min(ms, STEP_MS), repeats=False)  # the next run is not to jump if this jump resets it
            ms -= STEP_MS

    def hurry(self, plan: list[tuple[int, str | None, bool]]) -> int:
        """Follow a timetable, with the clock jumping whenever the main loop has no work; return the ms jumped in all.

        Each entry of `plan`: ms after the entry before, a button (None: time just passes), and True to press it, False
        to release it.
        """
        entries = [(ms, name and self._pin(name), 0 if on else None) for ms, name, on in plan]
        return int(self._ask("hurry", entries, limit_s=_HURRY_LIMIT_S))

    def stand_ins_heap(self) -> int:
        """Return the bytes of the heap that the stand-ins hold."""
        return int(self._ask("stand_ins"))

    def heap(self) -> int:
        """Return the firmware's live bytes after a collection, without what the stand-ins hold."""
        return int(self._ask("heap"))

    def flash_counts(self) -> tuple[int, int]:
        """Return the block erases and the program operations over the life of the flash."""
        counts = self._ask("flash_counts")
        return counts["erases"], counts["programs"]

    def output(self) -> str:
        """Return what the console wrote to its serial line, over all power-ons."""
        path = self._serial_path
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def wait_output(self, text: str, timeout_s: float = 30.0) -> str:
        """Wait until the serial output contains `text`; return the whole output.

        Raises ConsoleError if that takes longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while text not in (output := self.output()):
            if time.monotonic() > deadline:
                raise ConsoleError(
                    f"The console did not write {text!r} within {timeout_s} s; its output ends with: {output[-300:]}"
                )
            time.sleep(0.01)
        return output

    @property
    def _serial_path(self) -> Path:
        return self.folder / "serial.log"

    def _pin(self, button: str) -> int:
        if button not in self._pins.buttons:
            raise ConsoleError(f"There is no button {button}; choose one of {', '.join(BUTTONS)}.")
        return self._pins.buttons[button]

    def _contact(self, button: str, level: int | None) -> None:
        pin = self._pin(button)
        if level is None:
            self._closed.pop(str(pin), None)
        else:
            self._closed[str(pin)] = level
        self._ask("contact", pin, level)

    def _ask(self, command: str, *arguments: Any, limit_s: float = REPLY_LIMIT_S, repeats: bool = True) -> Any:
        self.check()
        answer = self._supply.ask(command, *arguments, limit_s=limit_s, repeats=repeats)
        self.check()  # a fault reported before the answer is known by now
        return answer

    # What comes and goes with power, see `PowerSupply`.

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._radio:
            self._radio.open(up=self._has_network)
        if self._line:
            self._line.open()

    def _go_dark(self) -> None:
        self._record.end_run()
        if self._radio:
            self._radio.close()
        if self._line:
            self._line.close()

    def _start(self, reset: str, cut: PlannedCut | None, on_end: OnEnd) -> BoardProcess:
        from simulator.console.micropython import command  # noqa: PLC0415 - `python -m` also runs that module

        output_bytes = self._serial_path.stat().st_size if self._serial_path.exists() else 0
        self._record.begin_run(reset, output_bytes, {int(pin) for pin in self._closed})
        words = command(self.architecture)
        if self._heap_kb:
            words = [*words, "-X", f"heapsize={self._heap_kb}k"]
        config = {
            **self._fixed,
            "reset": reset,
            "radio": self._has_network,
            "contacts": self._closed,
            "cut": cut,
            "files": self._files(),
        }
        with self._streams() as (typed, serial):
            return BoardProcess(words, config, typed=typed, serial=serial, on_message=self._take, on_end=on_end)

    @contextmanager
    def _streams(self) -> Iterator[tuple[IO[bytes] | int, IO[bytes] | int]]:
        """Give standard input and output of the process."""
        if self._line:
            with self._line.streams() as streams:
                yield streams
        else:
            with self._serial_path.open("ab") as serial, Path("/dev/null").open("rb") as nothing:
                yield nothing, serial

    def _take(self, message: list[Any]) -> None:
        """Record a message of the board; called by the process's thread."""
        waited_ms = self._supply.waited_ms() if message[0] == "round" else 0
        self._record.take(message, waited_ms)

    def _files(self) -> dict[str, str]:
        config: dict[str, Any] = {"site_id": self.site_id, "console_id": self.console_id, "board": self.board}
        if self._key:
            config["key"] = self._key
        if self._radio:
            config["wifi"] = WIFI
            config["broker"] = {**self._broker, "port": self._radio.port}
            config["ntp_host"] = self._ntp_host or None
        return files(config, self._ca)
