"""Model a console: flash that lasts, and in each power cycle the real firmware, whose buttons can be pressed."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.chaos.virtual.console_mqtt import transport_of
from tests.chaos.virtual.failures import Failed
from tests.chaos.virtual.flash import VirtualFlash, VirtualPowerCut
from tests.chaos.virtual.hardware import TICKS_PERIOD, Pin, stand_ins
from tests.chaos.virtual.image import Image
from tests.chaos.virtual.ledger import Ledger
from tests.chaos.virtual.timeline import Loop, Poll

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.virtual.broker import VirtualBroker
    from tests.chaos.virtual.network import Network
    from tests.chaos.virtual.timeline import VirtualTimeline

BUTTONS = ("yes", "no", "cant_say", "seller")
POLL_MS = 10
POLL_LIMIT_MS = 4000  # the supervisor expects a look at the buttons every 5 s
POWER_ON, WATCHDOG, SOFT = 0, 3, 2
BOARDS = (("esp32", 32), ("pico_w", 256))


class VirtualPress:
    """A button held for some time from its first contact; times are those of the world."""

    __slots__ = ("at_ms", "button", "held_ms")

    def __init__(self, button: int, at_ms: int, held_ms: int) -> None:
        self.button, self.at_ms, self.held_ms = button, at_ms, held_ms


class VirtualPowerCycle:
    """A board from power-on to power-off; the board's ledger records what its firmware reports and does."""

    def __init__(self, board: Board, reset: int) -> None:
        self.board = board
        self.timeline = board.timeline
        self.began_ms = board.timeline.now_ms
        self.ended_ms: int | None = None
        self.chance = random.Random(board.chance.getrandbits(32))
        self.ticks_start = self.chance.choice((0, TICKS_PERIOD - 60_000, self.chance.randrange(TICKS_PERIOD)))
        self.loop = Loop(board.timeline, self._task_ended)
        self.loop.next_poll_ms = self._next_poll_ms
        self.inputs: dict[int, Pin] = {}
        self.presses: list[VirtualPress] = []
        self.thanked: list[tuple[int, int]] = []  # button, up_ms
        self.watchdog_due_ms = 1 << 60
        self.flash_failed = False
        self.boot: int | None = None
        self.app: Any = None
        self.transport = transport_of(self)
        self._image = Image(stand_ins(self), board.flash.open)
        self._reset = reset

    def begin(self) -> None:
        """Start the firmware."""
        try:
            app_module = self._load()
            self.app = app_module.App(self.board.constants, self.board.config, "", self._reset, {})
            self.boot = self.app.outbox.boot
            self.loop.create_task(self.app.main())
        except VirtualPowerCut:
            self.board.power_off("power went during the start")

    def _load(self) -> Any:
        load = self._image.load
        ledger = self.board.ledger
        self._image.hooks["outbox_new_epoch"] = lambda module: ledger.tap_new_epoch(self.board.flash, module)
        ledger.tap(self, load("outbox"), load("outbox_ram"), load("lamps"))
        load("buttons").POLL_MS = Poll(POLL_MS)
        for plant in self.board.planted:
            plant(load)
        return load("app")

    def up_ms(self) -> int:
        """Return the milliseconds since power came."""
        return self.timeline.now_ms - self.began_ms

    def end(self) -> None:
        """End the firmware, as a power cut does."""
        self.ended_ms = self.timeline.now_ms
        self.loop.die()

    def press(self, press: VirtualPress) -> None:
        """Close the contact of a button."""
        self.presses.append(press)
        pin = self.inputs.get(self.board.constants.BUTTONS[press.button])
        if pin is not None:
            pin.becomes(0)
            self.loop.poll_soon(self.timeline.now_ms + POLL_MS - self.up_ms() % POLL_MS)

    def release(self, button: int) -> None:
        """Open the contact of a button."""
        pin = self.inputs.get(self.board.constants.BUTTONS[button])
        if pin is not None:
            pin.becomes(1)
            self.loop.poll_soon(self.timeline.now_ms + POLL_MS - self.up_ms() % POLL_MS)

    def on_message(self, topic: str, payload: bytes) -> None:
        """Record a message that reaches the firmware."""
        if topic.endswith("/ack"):
            self.board.ledger.heard_ack(self, payload)
        self.board.note("hears", topic.rpartition("/")[2], payload)

    def on_message_handled(self, topic: str) -> None:
        """Record that the firmware has handled the message; the survey table may have something to do."""
        if topic.endswith("/ack"):
            self.board.ledger.took_ack()
        self.loop.poll_soon(self.timeline.now_ms + POLL_MS - self.up_ms() % POLL_MS)

    def on_output(self, text: str) -> None:
        """Record what the firmware writes to the serial port."""
        self.board.note("reports", text.strip())
        if text.startswith("flash"):
            self.flash_failed = True

    def on_reset(self) -> None:
        """Fail: the firmware called `machine.reset`."""
        raise Failed("a restart that nobody ordered")

    def _next_poll_ms(self) -> int:
        """Return how long until a look at the buttons can find anything, on the 10 ms grid of looks."""
        app, now_ms = self.app, self.up_ms()
        due_ms = now_ms + POLL_LIMIT_MS
        table = app.table
        debounce_ms = table.settings.debounce_ms
        deadline_ms = table._next_deadline()[0]
        if deadline_ms is not None:
            due_ms = min(due_ms, deadline_ms)
        if table._inputs:
            due_ms = min(due_ms, table._inputs[0][0] + debounce_ms)
        for debounce in app.buttons._debounces:
            if debounce._first is not None:
                due_ms = min(due_ms, debounce._since + debounce.debounce_ms)
        if app.buttons._ring.peek() is not None:
            due_ms = now_ms
        return max(POLL_MS, due_ms + -due_ms % POLL_MS - now_ms)

    def _task_ended(self, error: BaseException) -> None:
        if isinstance(error, VirtualPowerCut):
            self.board.power_off("power went during a change of flash")
            return
        raise error


class Board:
    """One console's hardware; the functions in `planted` change the firmware's modules before each start."""

    def __init__(
        self,
        timeline: VirtualTimeline,
        chance: random.Random,
        name: tuple[str, str, str],
        network: Network,
        broker: VirtualBroker,
    ) -> None:
        self.timeline = timeline
        self.chance = chance
        self.site_id, self.console_id, self.hardware_id = name
        self.network = network
        self.broker = broker
        self.ledger = Ledger()
        self.flash = VirtualFlash(random.Random(chance.getrandbits(32)), 1 << 20, self.ledger.may_lose)
        self.limit = 5000
        self.slots: tuple[int, int] | None = None  # size and number of the outbox's slots; None for the board's own
        self.constants = _constants(*chance.choice(BOARDS))
        self.config = {
            "site_id": self.site_id,
            "console_id": self.console_id,
            "broker": {"host": "10.0.0.1", "port": 1883},
            "wifi": {"ssid": "shop", "password": "secret"},
        }
        if chance.random() < 0.5:
            self.config["ntp_host"] = "10.0.0.1"
        self.ntp_error_ms: int | None = 0
        self.wall_ms: Callable[[], int] = int
        self.planted: list[Callable[[Any], None]] = []
        self.power_cycles: list[VirtualPowerCycle] = []
        self.cycle: VirtualPowerCycle | None = None
        self.trace: Callable[..., None] | None = None
        self.comes_back_after_ms: Callable[[], int] = lambda: 500

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.console_id}/{self.hardware_id}"

    def note(self, *what: Any) -> None:
        """Add to the trace, if there is one."""
        if self.trace is not None:
            self.trace(self.name, *what)

    def power_on(self, reset: int = POWER_ON) -> None:
        """Switch power on, unless it is on."""
        if self.cycle is None:
            self.flash.dead = False
            self.flash.cut_in(0, after=False)
            self.cycle = VirtualPowerCycle(self, reset)
            self.power_cycles.append(self.cycle)
            self.note("power on, cycle", len(self.power_cycles))
            self.cycle.begin()

    def power_off(self, why: str) -> None:
        """Switch power off; it comes back after a while."""
        cycle, self.cycle = self.cycle, None
        if cycle is None:
            return
        self.note("power off:", why)
        self.flash.dead = True
        cycle.end()
        self.ledger.power_went(cycle)
        self.timeline.after(self.comes_back_after_ms(), self.power_on)

    def comes_back_soon(self) -> None:
        """Switch power on in a moment."""
        self.timeline.after(5, self.power_on)

    def press(self, button: int, held_ms: int) -> None:
        """Press a button now, and release it later."""
        cycle = self.cycle
        if cycle is None:
            return
        self.note("press", BUTTONS[button], held_ms)
        cycle.press(VirtualPress(button, self.timeline.now_ms, held_ms))

        def release() -> None:
            if self.cycle is cycle:
                cycle.release(button)

        self.timeline.after(held_ms, release)

    def check_alive(self) -> None:
        """Fail if the firmware has not fed its watchdog in time."""
        cycle = self.cycle
        if cycle is not None and cycle.up_ms() > cycle.watchdog_due_ms:
            raise Failed(f"{self.name}: the watchdog was not fed")

    def may_overflow(self) -> bool:
        """Return whether flash or outbox may have been full for a while."""
        return self.flash.was_full or self.limit < len(self.ledger.stored)

    def is_quiet(self) -> bool:
        """Return whether no survey is open, and all events are delivered."""
        cycle = self.cycle
        if cycle is None or cycle.app is None or not cycle.app.link._is_up:
            return False
        if cycle.app.table.opened_ms is not None:
            return False
        outbox = cycle.app.in_delivery()
        _, first, end = outbox.delivery()
        return outbox is cycle.app.outbox and outbox.epoch == outbox.delivery()[0] and first == end


def _constants(name: str, prog_size: int) -> SimpleNamespace:
    return SimpleNamespace(
        NAME=name,
        PROG_SIZE=prog_size,
        RADIO=True,
        HARD_IRQ=True,
        SETS_RTC=False,
        WATCHDOG_MS=8000,
        BUTTONS=(2, 3, 4, 5),
        LAMPS=(6, 7, 8, 9),
        SOUNDER=15,
        PLAYER=(0, 12, 13),
    )
