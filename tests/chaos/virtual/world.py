"""Run one virtual world: consoles, broker, bridge, people and faults, all from one seed."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from bridge.admin.commands import ALL_CONSOLES, SetSettings
from tests.chaos.virtual.board import Board
from tests.chaos.virtual.bridge_node import BridgeNode, copy_of, template
from tests.chaos.virtual.broker import VirtualBroker
from tests.chaos.virtual.checks import check, check_ack
from tests.chaos.virtual.failures import Failed
from tests.chaos.virtual.faults import SETTINGS, Faults
from tests.chaos.virtual.network import Network
from tests.chaos.virtual.outside_check import check_from_outside
from tests.chaos.virtual.people import VirtualPeople
from tests.chaos.virtual.timeline import VirtualTimeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.virtual.bridge_node import ArrivedMessage

BEGAN_MS = 1_763_780_000_000
QUIET_LIMIT_MS = 240_000
LOOK_MS = 1000
SETTINGS_SIZE = 1500  # bytes that they take in flash, old and new
SITE = "s1"
_templates: list[Any] = []

EventName = tuple[str, str, int]  # console, epoch, number


class VirtualWorld:
    """A world whose `run` raises Failed if something is wrong; `plant(world)` may put a bug into it beforehand."""

    def __init__(
        self, seed: int, trace: Callable[..., None] | None = None, plant: Callable[[VirtualWorld], None] | None = None
    ) -> None:
        self.seed = seed
        self.trace = trace
        chance = self.chance = random.Random(seed)
        self.timeline = VirtualTimeline()
        self.wall_error_ms = 0
        self.seen_from_outside = False
        self.forgotten: set[EventName] = set()  # what bridges had committed before older databases were put back
        if not _templates:
            _templates.append(template())
        self.database = copy_of(_templates[0])
        self.broker = VirtualBroker(self.timeline, random.Random(chance.getrandbits(32)))
        self.bridge_network = Network(self.timeline, random.Random(chance.getrandbits(32)))
        self.bridge = BridgeNode(
            self.timeline,
            random.Random(chance.getrandbits(32)),
            self.database,
            self.bridge_network,
            self.broker,
            self.bridge_ms,
        )
        self.bridge.note = self._note_of("bridge")
        self.bridge.before_ack = lambda topic, payload: check_ack(self, topic, payload)
        self.boards = [self._board(*name) for name in chance.choice(CASTS)]
        self._vary()
        self.faults = Faults(self, random.Random(chance.getrandbits(32)))
        if plant is not None:
            plant(self)

    def _board(self, console_id: str, hardware_id: str) -> Board:
        chance = random.Random(self.chance.getrandbits(32))
        network = Network(self.timeline, random.Random(chance.getrandbits(32)))
        board = Board(self.timeline, chance, (SITE, console_id, hardware_id), network, self.broker)
        board.wall_ms = self.true_ms
        board.trace = self.note if self.trace else None
        board.comes_back_after_ms = lambda: chance.choice((5, 300, 2000, 15_000))
        return board

    def _vary(self) -> None:
        """Draw in which ways this world is odd; most are."""
        chance = self.chance
        if chance.random() < 0.3:
            self.broker.duplicate_rate = 0.1
        if chance.random() < 0.2:
            self.broker.lost_puback_rate = 0.01
        if chance.random() < 0.2:
            self.broker.slow_ms = 300
        if chance.random() < 0.2:
            self.bridge.slow_ms = chance.choice((200, 3000))
        for board in self.boards:
            if chance.random() < 0.6:
                board.slots = chance.choice(((128, 4), (128, 8), (200, 5)))
        if chance.random() < 0.3:
            self._make_flash_small()

    def _make_flash_small(self) -> None:
        """Leave little room in flash or outbox and the bridge off for long: the oldest events go, and are counted."""
        chance = self.chance
        for board in self.boards:
            size, count = board.slots = chance.choice(((128, 4), (128, 6), (200, 5)))
            board.limit = chance.choice((20, 40, 90, 5000))
            board.flash.room = size * count + SETTINGS_SIZE + chance.choice((300, 900, 2000, 20_000))
        began_ms = chance.randrange(1000, 20_000)
        self.timeline.at(began_ms, self.bridge.kill)
        self.timeline.at(began_ms + chance.choice((30_000, 60_000, 100_000)), self.bridge.start)

    # Time.

    def true_ms(self) -> int:
        """Return the right time, UTC."""
        return BEGAN_MS + self.timeline.now_ms

    def bridge_ms(self) -> int:
        """Return the time by the clock of the bridge's machine, UTC."""
        return self.true_ms() + self.wall_error_ms

    # What faults do.

    def choose_settings(self, values: dict[str, str]) -> None:
        """Set settings as a command would."""
        self.bridge.perform(SetSettings(scope=ALL_CONSOLES, values=values))

    def note_forgotten(self, committed: list[ArrivedMessage]) -> None:
        """Record that an older database, made of these messages, was put back."""
        self.forgotten |= events_in(self.bridge.committed) - events_in(committed)
        self.bridge.committed = list(committed)

    # The run.

    def run(self) -> None:
        """Let people press and things fail; then heal everything, wait until it is quiet, and check it."""
        try:
            self._run_until_healed()
            if check(self) == 0:
                self.seen_from_outside = check_from_outside(self)
        finally:
            for board in self.boards:
                if board.cycle is not None:
                    board.cycle.end()

    def _run_until_healed(self) -> None:
        chance, timeline = self.chance, self.timeline
        until_ms = chance.choice((30_000, 60_000, 90_000, 120_000))
        for board in self.boards:
            timeline.at(chance.choice((0, 0, 3000, 15_000)), board.power_on)
            people = random.Random(chance.getrandbits(32))
            timeline.at(
                chance.randrange(4000), lambda board=board, people=people: VirtualPeople(board, people, until_ms)
            )
        timeline.at(chance.choice((0, 0, 0, 20_000)), self.bridge.start)
        if chance.random() < 0.9:
            first = {**SETTINGS[0], **chance.choice(SETTINGS)}
            timeline.at(20_000 if chance.random() < 0.3 else 1, lambda: self.choose_settings(first))
        self.faults.spread(chance.randrange(16), until_ms)
        for end_ms in range(LOOK_MS, until_ms + LOOK_MS, LOOK_MS):
            timeline.run_until(end_ms)
            self._look()
        self._finish()

    def _look(self) -> None:
        for board in self.boards:
            board.check_alive()

    def _finish(self) -> None:
        """Heal, press once more everywhere, and wait; then restart boards whose flash failed, and do it again."""
        self.note("world", "is healed")
        self.faults.heal()
        self._step(5000)
        self._press_everywhere()
        self._become_quiet()
        failed = [board for board in self.boards if board.cycle is not None and board.cycle.app._flash_failed]
        if failed:
            for board in failed:
                board.power_off("flash is well again")
            self._step(16_000)
            self._press_everywhere()
            self._become_quiet()

    def _press_everywhere(self) -> None:
        for button in (3, 0):
            for board in self.boards:
                board.press(button, 60)
            self._step(400)

    def _step(self, length_ms: int) -> None:
        end_ms = self.timeline.now_ms + length_ms
        while self.timeline.now_ms < end_ms:
            self.timeline.run_until(min(self.timeline.now_ms + LOOK_MS, end_ms))
            self._look()

    def _become_quiet(self) -> None:
        limit_ms = self.timeline.now_ms + QUIET_LIMIT_MS
        in_a_row = 0
        while in_a_row < 3:
            if self.timeline.now_ms > limit_ms:
                raise Failed(f"the world does not become quiet: {self._busy_parts()}")
            self._step(LOOK_MS)
            in_a_row = 0 if self._busy_parts() else in_a_row + 1

    def _busy_parts(self) -> list[str]:
        busy = [board.name for board in self.boards if not board.is_quiet()]
        if not self.bridge.is_idle():
            busy.append("bridge")
        if not self.broker.is_idle():
            busy.append("broker")
        return busy

    # The trace.

    def note(self, who: str, *what: Any) -> None:
        """Add to the trace, if there is one."""
        if self.trace is not None:
            self.trace(self.timeline.now_ms, who, *what)

    def _note_of(self, who: str) -> Callable[..., None]:
        return lambda *what: self.note(who, *what)


CASTS = (
    (("c1", "aabbccdd0001"),),
    (("c1", "aabbccdd0001"),),
    (("c1", "aabbccdd0001"), ("c2", "aabbccdd0002")),
    (("c1", "aabbccdd0001"), ("c1", "aabbccdd0003")),
)


def events_in(messages: list[ArrivedMessage]) -> set[EventName]:
    """Return the names of the events in these messages."""
    found = set()
    for message in messages:
        batch = json.loads(message.payload)
        console = message.topic.split("/")[3]
        found |= {(console, batch["epoch"], seq) for seq in range(batch["base"], batch["base"] + len(batch["events"]))}
    return found
