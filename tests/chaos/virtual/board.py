"""A console: flash that outlives its lives, and in each life the real firmware, its buttons in your hand."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.chaos.virtual.failures import Failed
from tests.chaos.virtual.flash import Flash, PowerCut
from tests.chaos.virtual.hardware import TICKS_PERIOD, Pin, stand_ins
from tests.chaos.virtual.image import Image
from tests.chaos.virtual.ledger import Ledger
from tests.chaos.virtual.timeline import Loop, Poll
from tests.chaos.virtual.transport import transport_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.virtual.broker import Broker
    from tests.chaos.virtual.timeline import Timeline
    from tests.chaos.virtual.wire import Network

BUTTONS = ("yes", "no", "cant_say", "seller")
POLL_MS = 10
POLL_LIMIT_MS = 4000  # the supervisor wants to hear of the buttons each 5 s
POWER_ON, WATCHDOG, SOFT = 0, 3, 2
BOARDS = (("esp32", 32), ("pico_w", 256))


class Press:
    """A button held from its first contact for some time; times are those of the world."""

    __slots__ = ("at_ms", "button", "held_ms")

    def __init__(self, button: int, at_ms: int, held_ms: int) -> None:
        self.button, self.at_ms, self.held_ms = button, at_ms, held_ms


class Life:
    """From power to the loss of it. What the firmware says and does is noted in the board's ledger."""

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
        self.presses: list[Press] = []
        self.thanked: list[tuple[int, int]] = []  # button, up_ms
        self.bites_at_ms = 1 << 60
        self.flash_failed = False
        self.boot: int | None = None
        self.app: Any = None
        self.transport = transport_of(self)
        self._image = Image(stand_ins(self), board.flash.open)
        self._reset = reset

    def begin(self) -> None:
        """Power comes."""
        try:
            app_module = self._load()
            self.app = app_module.App(self.board.constants, self.board.config, "", self._reset, {})
            self.boot = self.app.outbox.boot
            self.loop.create_task(self.app.main())
        except PowerCut:
            self.board.power_off("power went while it started")

    def _load(self) -> Any:
        load = self._image.load
        ledger = self.board.ledger
        self._image.hooks["outbox_new_epoch"] = lambda module: ledger.tap_carrying(self.board.flash, module)
        ledger.tap(self, load("outbox"), load("outbox_ram"), load("lamps"))
        load("buttons").POLL_MS = Poll(POLL_MS)
        for plant in self.board.planted:
            plant(load)
        return load("app")

    def up_ms(self) -> int:
        """Milliseconds of this life."""
        return self.timeline.now_ms - self.began_ms

    def end(self) -> None:
        """Power goes."""
        self.ended_ms = self.timeline.now_ms
        self.loop.die()

    def press(self, press: Press) -> None:
        """A finger comes down."""
        self.presses.append(press)
        pin = self.inputs.get(self.board.constants.BUTTONS[press.button])
        if pin is not None:
            pin.becomes(0)
            self.loop.poll_soon(self.timeline.now_ms + POLL_MS - self.up_ms() % POLL_MS)

    def release(self, button: int) -> None:
        """It goes up again."""
        pin = self.inputs.get(self.board.constants.BUTTONS[button])
        if pin is not None:
            pin.becomes(1)
            self.loop.poll_soon(self.timeline.now_ms + POLL_MS - self.up_ms() % POLL_MS)

    def hears(self, topic: str, payload: bytes) -> None:
        """A message reaches the firmware."""
        if topic.endswith("/ack"):
            self.board.ledger.heard_ack(self, payload)
        self.board.note("hears", topic.rpartition("/")[2], payload)

    def has_heard(self, topic: str) -> None:
        """It has done what the message asks for; the survey table may have something to look at."""
        if topic.endswith("/ack"):
            self.board.ledger.took_ack()
        self.loop.poll_soon(self.timeline.now_ms + POLL_MS - self.up_ms() % POLL_MS)

    def said(self, text: str) -> None:
        """The firmware reports to the serial port."""
        self.board.note("reports", text.strip())
        if text.startswith("flash"):
            self.flash_failed = True

    def wants_restart(self) -> None:
        """`machine.reset`."""
        raise Failed("a restart that nobody ordered")

    def _next_poll_ms(self) -> int:
        """How long until a look at the buttons can find anything, on the 10 ms grid of looks."""
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
        if isinstance(error, PowerCut):
            self.board.power_off("power went during a change of flash")
            return
        raise error


class Board:
    """One console's hardware. `planted` are functions that change the firmware's modules before each life."""

    def __init__(
        self, timeline: Timeline, chance: random.Random, name: tuple[str, str, str], network: Network, broker: Broker
    ) -> None:
        self.timeline = timeline
        self.chance = chance
        self.site_id, self.console_id, self.hardware_id = name
        self.network = network
        self.broker = broker
        self.ledger = Ledger()
        self.flash = Flash(random.Random(chance.getrandbits(32)), 1 << 20, self.ledger.may_lose)
        self.limit = 5000
        self.slots: tuple[int, int] | None = None  # size and number of the outbox's slots; None: the board's own
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
        self.lives: list[Life] = []
        self.life: Life | None = None
        self.trace: Callable[..., None] | None = None
        self.comes_back_after_ms: Callable[[], int] = lambda: 500

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.console_id}/{self.hardware_id}"

    def note(self, *what: Any) -> None:
        """Put something into the trace, if there is one."""
        if self.trace is not None:
            self.trace(self.name, *what)

    def power_on(self, reset: int = POWER_ON) -> None:
        """Power comes, unless it is there."""
        if self.life is None:
            self.flash.dead = False
            self.flash.cut_in(0, after=False)
            self.life = Life(self, reset)
            self.lives.append(self.life)
            self.note("power on, life", len(self.lives))
            self.life.begin()

    def power_off(self, why: str) -> None:
        """Power goes, and comes back after a while."""
        life, self.life = self.life, None
        if life is None:
            return
        self.note("power off:", why)
        self.flash.dead = True
        life.end()
        self.ledger.power_went(life)
        self.timeline.after(self.comes_back_after_ms(), self.power_on)

    def comes_back_soon(self) -> None:
        """Power comes in a moment."""
        self.timeline.after(5, self.power_on)

    def press(self, button: int, held_ms: int) -> None:
        """Somebody presses now, and releases later."""
        life = self.life
        if life is None:
            return
        self.note("press", BUTTONS[button], held_ms)
        life.press(Press(button, self.timeline.now_ms, held_ms))

        def release() -> None:
            if self.life is life:
                life.release(button)

        self.timeline.after(held_ms, release)

    def check_alive(self) -> None:
        """The firmware feeds its watchdog."""
        life = self.life
        if life is not None and life.up_ms() > life.bites_at_ms:
            raise Failed(f"{self.name}: the watchdog bites")

    def may_overflow(self) -> bool:
        """Whether flash or outbox may have been full for a while."""
        return self.flash.was_full or self.limit < len(self.ledger.kept)

    def is_quiet(self) -> bool:
        """Whether no survey is open, and everything that it has is delivered."""
        life = self.life
        if life is None or life.app is None or not life.app.link._is_up:
            return False
        if life.app.table.opened_ms is not None:
            return False
        outbox = life.app.in_delivery()
        _, first, end = outbox.delivery()
        return outbox is life.app.outbox and outbox.epoch == outbox.delivery()[0] and first == end


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
