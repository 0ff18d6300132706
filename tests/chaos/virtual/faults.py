"""Draw from the seed, before a world begins, what goes wrong in it, when, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.admin.commands import Rebuild, Sweep
from tests.chaos.virtual.bridge_node import copy_of, put_back

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.chaos.virtual.world import VirtualWorld

SETTINGS: tuple[dict[str, str], ...] = (
    {"survey_window_ms": "2000"},
    {"survey_window_ms": "700", "reopen_guard_ms": "0"},
    {"survey_window_ms": "4000", "stuck_ms": "2000"},
    {"stuck_ms": "1600", "heartbeat_ms": "5000"},
    {"ask_every": "5", "question_id": "office"},
    {"question_id": "loyalty", "debounce_ms": "30"},
    {"question_id": "default", "ask_every": "2"},
)


class Faults:
    """The faults of a world, put on its timeline; `heal` ends all of them."""

    def __init__(self, world: VirtualWorld, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._copies: list[Any] = []
        self._is_over = False
        self._kinds: list[Callable[[], None]] = [
            *[self._power] * 3,
            *[self._power_at_a_change] * 4,
            *[self._radio] * 2,
            self._hang,
            self._cut,
            self._slow,
            *[self._broker_dies] * 3,
            *[self._bridge_dies] * 4,
            self._bridge_network,
            self._database_full,
            self._chooses_settings,
            self._rebuilds,
            self._moves_clock,
            self._moves_ntp,
        ]
        if chance.random() < 0.3:
            self._kinds += [self._flash_fails] * 2 + [self._flash_fails_after_a_start]
        if chance.random() < 0.3:
            self._kinds += [self._copies_database, self._restores] * 2
            world.timeline.after(chance.randrange(1000, 60_000), self._copies_database)

    def spread(self, count: int, until_ms: int) -> None:
        """Put a number of faults on the timeline, anywhere up to that time."""
        for _ in range(count):
            self._world.timeline.at(self._chance.randrange(until_ms), self._chance.choice(self._kinds))

    def heal(self) -> None:
        """End all faults."""
        self._is_over = True
        world = self._world
        for board in world.boards:
            board.network.is_up, board.network.slow_ms = True, 0
            board.flash.fails = False
            board.flash.cut_in(0, after=False)
            if board.ntp_error_ms is None:
                board.ntp_error_ms = 0
            board.power_on()
        world.bridge_network.is_up, world.bridge_network.slow_ms = True, 0
        world.broker.is_up, world.broker.slow_ms = True, 0
        world.broker.duplicate_rate = world.broker.lost_puback_rate = 0.0
        self._database_has_room()
        world.bridge.slow_ms = 0
        world.bridge.start()

    def _after_one_of(self, lengths_ms: tuple[int, ...], end: Callable[[], None]) -> None:
        self._world.timeline.after(self._chance.choice(lengths_ms), end)

    def _board(self) -> Any:
        return self._chance.choice(self._world.boards)

    # Consoles.

    def _power(self) -> None:
        self._board().power_off("the plug was pulled")

    def _power_at_a_change(self) -> None:
        board = self._board()
        after = self._chance.random() < 0.5
        board.flash.cut_in(self._chance.choice((1, 1, 2, 3, 4, 6, 9, 14)), after=after)

    def _flash_fails(self) -> None:
        if self._is_over:
            return
        board = self._board()
        board.note("flash fails")
        board.flash.fails = True

        def heals() -> None:
            board.flash.fails = False
            board.note("flash works")

        self._after_one_of((20, 400, 5000, 30_000), heals)

    def _flash_fails_after_a_start(self) -> None:
        """Cut the power and let flash fail soon after the next start."""
        board = self._board()
        board.power_off("flash is about to fail")
        board.comes_back_soon()
        board.timeline.after(self._chance.randrange(6, 2500), self._flash_fails)

    def _moves_ntp(self) -> None:
        board = self._board()
        board.ntp_error_ms = self._chance.choice((None, 0, -700, 40_000, -3_600_000, 86_400_000, -1_763_000_000_000))
        board.note("NTP is wrong by", board.ntp_error_ms)

    # Networks.

    def _radio(self) -> None:
        board = self._board()
        board.note("no Wi-Fi")
        board.network.set_up(is_up=False)
        self._after_one_of((300, 2000, 9000, 40_000), lambda: board.network.set_up(is_up=True))

    def _hang(self) -> None:
        board = self._board()
        board.note("its connections hang")
        board.network.hang()

    def _cut(self) -> None:
        board = self._board()
        board.note("its connections are cut")
        board.network.cut()

    def _slow(self) -> None:
        network = self._chance.choice([self._world.bridge_network, *[board.network for board in self._world.boards]])
        network.slow_ms = self._chance.choice((50, 900, 4000))

        def fast() -> None:
            network.slow_ms = 0

        self._after_one_of((500, 5000, 20_000), fast)

    def _bridge_network(self) -> None:
        world = self._world
        what = self._chance.choice(("cut", "hang", "away"))
        world.bridge.note("its network:", what)
        if what == "cut":
            world.bridge_network.cut()
        elif what == "hang":
            world.bridge_network.hang()
        else:
            world.bridge_network.set_up(is_up=False)
            self._after_one_of((500, 6000, 40_000), lambda: world.bridge_network.set_up(is_up=True))

    # The broker.

    def _broker_dies(self) -> None:
        world = self._world
        forgets = self._chance.choice((0, 1, 2))
        world.note("broker", "dies; forgets", ("nothing", "queues", "sessions")[forgets])
        world.broker.stop(forgets_queues=forgets > 0, forgets_sessions=forgets == 2)
        self._after_one_of((50, 1500, 12_000), self._broker_comes)

    def _broker_comes(self) -> None:
        self._world.broker.is_up = True
        self._world.note("broker", "is back")

    # The bridge.

    def _bridge_dies(self) -> None:
        bridge = self._world.bridge
        bridge.kill()
        self._after_one_of((10, 800, 8000, 30_000), bridge.start)

    def _database_full(self) -> None:
        database = self._world.database
        self._world.note("bridge", "database is full")
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        self._after_one_of((300, 4000, 25_000), self._database_has_room)

    def _database_has_room(self) -> None:
        self._world.database.execute("PRAGMA max_page_count = 1073741823")

    def _chooses_settings(self) -> None:
        self._world.choose_settings(self._chance.choice(SETTINGS))

    def _rebuilds(self) -> None:
        self._world.bridge.perform(self._chance.choice((Rebuild(), Sweep())))

    def _moves_clock(self) -> None:
        self._world.wall_error_ms = self._chance.choice((0, 3000, -3000, 3_600_000, -90_000_000, 90_000_000))
        self._world.note("bridge", "clock is wrong by", self._world.wall_error_ms)

    def _copies_database(self) -> None:
        world = self._world
        world.note("bridge", "a copy of the database is made")
        self._copies.append((copy_of(world.database), list(world.bridge.committed)))

    def _restores(self) -> None:
        world = self._world
        if not self._copies:
            return
        copy, committed = self._chance.choice(self._copies)
        world.bridge.kill()
        self._database_has_room()
        world.note("bridge", "an older database is put back")
        put_back(world.database, copy)
        world.note_forgotten(committed)
        self._after_one_of((10, 3000), world.bridge.start)
