"""Keep virtual time, and run MicroPython's asyncio on it: only what the firmware uses, a loop for each power cycle.

Nothing here reads a clock. Things due at the same millisecond happen in the order in which they were put there.
"""

from __future__ import annotations

from heapq import heappop, heappush
from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator


class VirtualTimeline:
    """A queue of what is to happen and when; `now_ms` never goes back."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.steps = 0
        self._due: list[tuple[int, int, Any, int]] = []
        self._count = 0

    def at(self, at_ms: int, act: Callable[[], None]) -> None:
        """Call `act` at that time."""
        self.put(at_ms, act, -1)

    def after(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Call `act` after a delay."""
        self.put(self.now_ms + delay_ms, act, -1)

    def put(self, at_ms: int, what: Any, turn: int) -> None:
        """Call a function (turn -1) at that time, or let a task go on unless its turn has passed by then."""
        self._count += 1
        heappush(self._due, (max(at_ms, self.now_ms), self._count, what, turn))

    def run_until(self, end_ms: int) -> None:
        """Do everything that is due up to that time."""
        due = self._due
        while due and due[0][0] <= end_ms:
            self.now_ms, _, what, turn = heappop(due)
            self.steps += 1
            if turn < 0:
                what()
            elif what.turn == turn:
                what.step()
        self.now_ms = end_ms


class CancelledError(BaseException):
    """Raised in a cancelled task, as by MicroPython."""


@coroutine
def _pause(what: Any) -> Generator[Any, None, None]:
    yield what


class VirtualTask:
    """A running coroutine; `turn` rises with every step, so that a late wake-up does nothing."""

    __slots__ = ("_cancelled", "_coroutine", "_loop", "_waited_for", "turn")

    def __init__(self, loop: Loop, work: Coroutine[Any, Any, Any]) -> None:
        self._loop = loop
        self._coroutine: Coroutine[Any, Any, Any] | None = work
        self._cancelled = False
        self._waited_for: VirtualEvent | None = None
        self.turn = 0
        self.wake_at(loop.timeline.now_ms)

    def wake_at(self, at_ms: int) -> None:
        """Let it go on at that time, and not at the time set before."""
        self.turn += 1
        self._loop.timeline.put(at_ms, self, self.turn)

    def cancel(self) -> bool:
        """Raise CancelledError where it waits, soon; return False if it has ended."""
        if self._coroutine is None:
            return False
        self._cancelled = True
        if self._waited_for is not None:
            self._waited_for.leave(self)
            self._waited_for = None
        self.wake_at(self._loop.timeline.now_ms)
        return True

    def step(self) -> None:
        """Run to the next wait."""
        loop, work = self._loop, self._coroutine
        if work is None or loop.is_dead:
            return
        self.turn += 1
        self._waited_for = None
        loop.current = self
        try:
            if self._cancelled:
                self._cancelled = False
                wanted = work.throw(CancelledError())
            else:
                wanted = work.send(None)
        except (StopIteration, CancelledError):
            self._coroutine = None
            return
        except BaseException as error:  # noqa: BLE001 - the board decides what it means
            self._coroutine = None
            loop.on_end(error)
            return
        if wanted.__class__ is VirtualEvent:
            self._waited_for = wanted
            wanted.join(self)
        else:
            loop.timeline.put(loop.timeline.now_ms + wanted, self, self.turn)

    def drop(self) -> None:
        """End it as a power cut does: no part of it runs any more."""
        work, self._coroutine = self._coroutine, None
        if work is not None:
            work.close()


class VirtualEvent:
    """An event as MicroPython has it."""

    __slots__ = ("_is_set", "_loop", "_waiting")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._is_set = False
        self._waiting: list[VirtualTask] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            task.wake_at(self._loop.timeline.now_ms)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> bool:
        if not self._is_set:
            await _pause(self)
        return True

    def join(self, task: VirtualTask) -> None:
        self._waiting.append(task)

    def leave(self, task: VirtualTask) -> None:
        if task in self._waiting:
            self._waiting.remove(task)


class Poll(int):
    """The pause between two looks at the buttons; as most looks find nothing, it lasts until one can find something."""


class Loop:
    """A stand-in for the module `asyncio` during one power cycle of a board.

    `on_end(error)` gets the error that ends a task; `next_poll_ms()` returns how long a `Poll` lasts.
    """

    CancelledError = CancelledError
    TimeoutError = TimeoutError

    def __init__(self, timeline: VirtualTimeline, on_end: Callable[[BaseException], None]) -> None:
        self.timeline = timeline
        self.on_end = on_end
        self.next_poll_ms: Callable[[], int] = int
        self.is_dead = False
        self.current: VirtualTask | None = None
        self.poller: VirtualTask | None = None
        self._tasks: list[VirtualTask] = []

    def create_task(self, work: Coroutine[Any, Any, Any]) -> VirtualTask:
        task = VirtualTask(self, work)
        self._tasks.append(task)
        return task

    def sleep_ms(self, ms: int) -> Any:
        if self.is_dead:
            raise GeneratorExit  # after a power cut a task does nothing any more, not even its `finally`
        if ms.__class__ is Poll:
            self.poller = self.current
            ms = self.next_poll_ms()
        return _pause(ms)

    def Event(self) -> VirtualEvent:  # noqa: N802 - MicroPython's name
        return VirtualEvent(self)

    def poll_soon(self, at_ms: int) -> None:
        """Have the next look at the buttons at that time, as something happened."""
        if self.poller is not None and not self.is_dead:
            self.poller.wake_at(at_ms)

    def die(self) -> None:
        """End all tasks, as a power cut does."""
        self.is_dead = True
        for task in self._tasks:
            task.drop()
        self._tasks.clear()
        self.poller = None
