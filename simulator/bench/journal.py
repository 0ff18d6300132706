"""The bench's journal: all that happens, in order. Pins, sounds, power, wire messages, events, rows, actions."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from simulator.console.observations import Change, Fault, Observation, Power

ENTRIES_MAX = 20_000  # hours of a busy bench
# Kinds of which the newest entry says how things are now, with the fact that names the thing; of `wire` these leaves.
STATE_KINDS = {
    "broker": "",
    "button": "name",
    "fault": "",
    "figures": "",
    "lamp": "name",
    "outbox": "",
    "power": "",
    "switches": "",
    "wire": "leaf",
}
STATE_LEAVES = {"health", "settings", "status"}


@dataclass(frozen=True)
class JournalEntry:
    """Something that happened: its number (from 1), its kind, when (`time.monotonic`), and its other facts."""

    number: int
    kind: str
    at_s: float
    facts: dict[str, Any]


Listener = Callable[[JournalEntry], None]


class Journal:
    """The newest `ENTRIES_MAX` entries; several threads write, and any may read or wait."""

    def __init__(self) -> None:
        self._grown = threading.Condition()
        self._entries: deque[JournalEntry] = deque(maxlen=ENTRIES_MAX)
        self._listeners: list[Listener] = []
        self._newest: dict[tuple[str, str], JournalEntry] = {}
        self._last = 0
        self._to_wall_s = time.time() - time.monotonic()

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        return self._last

    def write(self, kind: str, at_s: float | None = None, **facts: Any) -> None:
        """Add an entry, and pass it to all listeners."""
        with self._grown:
            self._last += 1
            entry = JournalEntry(self._last, kind, time.monotonic() if at_s is None else at_s, facts)
            self._entries.append(entry)
            if kind in STATE_KINDS and (kind != "wire" or facts["leaf"] in STATE_LEAVES):
                self._newest[kind, str(facts.get(STATE_KINDS[kind], ""))] = entry
            for listener in self._listeners:
                listener(entry)
            self._grown.notify_all()

    def write_observation(self, observation: Observation) -> None:
        """Add what a console was observed to do."""
        match observation:
            case Change():
                self.write(observation.kind, observation.at_s, name=observation.name, on=observation.on)
            case Power():
                self.write("power", observation.at_s, on=observation.on, reset=observation.reset)
            case Fault():
                self.write("fault", observation.at_s, sentence=observation.sentence)
            case _:
                self.write("sound", observation.at_s, hertz=observation.hertz, track=observation.track)

    def listen(self, listener: Listener, latest: int = ENTRIES_MAX) -> list[JournalEntry]:
        """Pass each entry from now on to `listener`, in the writer's thread.

        Return the `latest` entries so far, and before them the older ones that say how things are now.
        """
        with self._grown:
            self._listeners.append(listener)
            entries = list(islice(reversed(self._entries), latest))[::-1]
            first = entries[0].number if entries else self._last + 1
            older = [entry for entry in self._newest.values() if entry.number < first]
            return sorted(older, key=lambda entry: entry.number) + entries

    def newest(self, kind: str, name: str = "") -> JournalEntry | None:
        """Return the newest entry of a state kind, for the button, lamp or leaf of that name; None if there is none."""
        with self._grown:
            return self._newest.get((kind, name))

    def leave(self, listener: Listener) -> None:
        """Stop passing entries to `listener`."""
        with self._grown:
            self._listeners.remove(listener)

    def since(self, number: int) -> list[JournalEntry]:
        """Return the entries after that number."""
        with self._grown:
            return list(islice(reversed(self._entries), self._last - number))[::-1]

    def wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Wait until the condition holds, checking it again with each entry; return whether it holds at the end."""
        with self._grown:
            return self._grown.wait_for(condition, limit_s)

    def message(self, entry: JournalEntry) -> dict[str, Any]:
        """Return an entry as the page receives it."""
        return {"number": entry.number, "kind": entry.kind, "at_ms": self.wall_ms(entry.at_s), **entry.facts}

    def wall_ms(self, at_s: float) -> float:
        """Convert a `time.monotonic` to milliseconds since 1970, steadily even if the machine's clock is stepped."""
        return round((at_s + self._to_wall_s) * 1000, 1)
