"""One simulated console: a MicroPython process that runs the unmodified firmware, with everything around it in hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

if TYPE_CHECKING:
    from simulator.micropython import Architecture

Button = Literal["yes", "no", "cant_say", "seller"]
BUTTONS: tuple[Button, ...] = ("yes", "no", "cant_say", "seller")


@dataclass(frozen=True)
class Sound:
    """A tone of the piezo (`hertz`, 0 when it ends) or a `track` of the player; seconds are `time.monotonic`'s."""

    at_s: float
    hertz: int | None = None
    track: int | None = None


class Change(NamedTuple):
    """A lamp or button that changed: `at_s` on this machine's `time.monotonic`, `ticks_ms` on the console's clock."""

    kind: Literal["lamp", "button"]
    name: str
    on: bool
    at_s: float
    ticks_ms: int


class Console:
    """A console in `folder` (its flash file, serial output); nothing runs until `power_on` or `with`.

    Args:
        folder: where the flash file and the serial output live; a console made again on it goes on from its flash.
        site_id: written into `console.json` on the flash, with the following, as a technician would.
        console_id: this console within its site.
        board: `unix`, `esp32`, `pico_w` or `pico`: whose pins, modules and interrupts the stand-ins offer.
        architecture: `amd64`, or `i386` with the object sizes and the clock's wrap of a 32-bit board.
        broker: `mqtt://user:password@host:port` (or `mqtts://`); None leaves the console without a broker.
        ca: the PEM file of the authority that signed the broker's certificate.
        firmware: the root of the board's filesystem: `.py` files, or what `compile_firmware` made.
        interrupts: how contacts reach the firmware on the `unix` board: `hard` as on RP2040, `soft` as on ESP32.
        flash_kb: the size of the flash; 848 is what a Pico W leaves.
        prog_size: bytes in one program operation: 256 on RP2040, 32 is what ESP32 uses.
        heap_kb: the heap given to MicroPython; None for its default.
        hardware_id: six bytes in hex, else made from site and console.
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
        firmware: Path | None = None,
        interrupts: Literal["hard", "soft"] = "hard",
        flash_kb: int = 848,
        prog_size: int = 256,
        heap_kb: int | None = None,
        hardware_id: str | None = None,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Power on."""
        raise NotImplementedError

    def __exit__(self, *error: object) -> None:
        """Power off."""
        raise NotImplementedError

    def power_on(self) -> None:
        """Start the process; returns once the board runs its `main.py`."""
        raise NotImplementedError

    def power_off(self) -> None:
        """Cut the power: the process is killed wherever it is."""
        raise NotImplementedError

    def press(self, button: str, held_ms: int = 120) -> None:
        """Press and let go; returns once released."""
        raise NotImplementedError

    def hold(self, button: str) -> None:
        """Press and keep pressed."""
        raise NotImplementedError

    def release(self, button: str) -> None:
        """Let go."""
        raise NotImplementedError

    def bounce(self, button: str, held_ms: int = 120, times: int = 4, gap_us: int = 800) -> None:
        """Press and let go with contacts that bounce `times` at both ends, `gap_us` apart."""
        raise NotImplementedError

    def lamps(self) -> dict[str, bool]:
        """Which lamps are lit: yes, no, cant_say, seller."""
        raise NotImplementedError

    def wait_lamp(self, button: str, on: bool = True, timeout_s: float = 10.0) -> float:  # noqa: FBT001, FBT002
        """Wait until that lamp is lit (or dark); answers the moment (`time.monotonic`) of its last change."""
        raise NotImplementedError

    def changes(self) -> list[Change]:
        """All changes of lamps and buttons since the console was made, in order."""
        raise NotImplementedError

    def sounds(self) -> list[Sound]:
        """Tones and tracks since power-on."""
        raise NotImplementedError

    def wifi(self, on: bool) -> None:  # noqa: FBT001
        """Take the radio network away (streams are cut, new ones refused), or bring it back."""
        raise NotImplementedError

    def hang(self, on: bool) -> None:  # noqa: FBT001
        """Let the network hang: connected, but nothing arrives or leaves."""
        raise NotImplementedError

    def stall(self, ms: int) -> None:
        """Block the main loop for that long, as a TLS handshake does; returns once the stall has begun."""
        raise NotImplementedError

    def step(self, ms: int) -> None:
        """Let time jump forward in pieces under 3 days, the main loop running between them."""
        raise NotImplementedError

    def heap(self) -> int:
        """Live bytes of the firmware after a collection, less what the stand-ins hold."""
        raise NotImplementedError

    def flash_counts(self) -> tuple[int, int]:
        """Block erases and program operations since power-on."""
        raise NotImplementedError

    def output(self) -> str:
        """What the console wrote to its serial line, over all power-ons."""
        raise NotImplementedError
