"""All that happens at the bench, in order: pins, sounds, power, wire messages, events, rows, what was done."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from simulator.console.observations import Change, Fault, Power, Seen

KEPT = 20_000  # entries; hours of a busy bench
STANDING = {"button": "name", "figures": "", "lamp": "name", "outbox": "", "power": "", "switches": "", "wire": "leaf"}
LEAVES = {"health", "settings", "status"}


@dataclass(frozen=True)
class Entry:
    """Something that happened: its number (from 1), what kind, when (`time.monotonic`), and the rest."""

    number: int
    kind: str
    at_s: float
    facts: dict[str, Any]


Listener = Callable[[Entry], None]


class Journal:
    """Filled by several threads, read and waited for by any."""

    def __init__(self) -> None:
        self._grown = threading.Condition()
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._listeners: list[Listener] = []
        self._newest: dict[tuple[str, str], Entry] = {}
        self._last = 0
        self._to_wall_s = time.time() - time.monotonic()

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        return self._last

    def write(self, kind: str, at_s: float | None = None, **facts: Any) -> None:
        """Add an entry, and tell it to all who listen."""
        with self._grown:
            self._last += 1
            entry = Entry(self._last, kind, time.monotonic() if at_s is None else at_s, facts)
            self._entries.append(entry)
            if kind in STANDING and (kind != "wire" or facts["leaf"] in LEAVES):
                self._newest[kind, str(facts.get(STANDING[kind], ""))] = entry
            for listener in self._listeners:
                listener(entry)
            self._grown.notify_all()

    def see(self, seen: Seen) -> None:
        """Write down what a console shows."""
        match seen:
            case Change():
                self.write(seen.kind, seen.at_s, name=seen.name, on=seen.on)
            case Power():
                self.write("power", seen.at_s, on=seen.on, reset=seen.reset)
            case Fault():
                self.write("fault", seen.at_s, sentence=seen.sentence)
            case _:
                self.write("sound", seen.at_s, hertz=seen.hertz, track=seen.track)

    def listen(self, listener: Listener, latest: int = KEPT) -> list[Entry]:
        """Tell `listener` of each entry from now on, in the writer's thread.

        Answers the latest so far, at most so many, and before them those older ones that tell how things stand.
        """
        with self._grown:
            self._listeners.append(listener)
            entries = list(islice(reversed(self._entries), latest))[::-1]
            first = entries[0].number if entries else self._last + 1
            older = [entry for entry in self._newest.values() if entry.number < first]
            return sorted(older, key=lambda entry: entry.number) + entries

    def newest(self, kind: str, which: str = "") -> Entry | None:
        """The newest entry of that kind that tells how things stand: of that button, lamp or leaf; None: none yet."""
        with self._grown:
            return self._newest.get((kind, which))

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        with self._grown:
            self._listeners.remove(listener)

    def since(self, number: int) -> list[Entry]:
        """The entries after that number."""
        with self._grown:
            return list(islice(reversed(self._entries), self._last - number))[::-1]

    def wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Wait until the condition holds, which is asked again with each entry; what it says at the end."""
        with self._grown:
            return self._grown.wait_for(condition, limit_s)

    def message(self, entry: Entry) -> dict[str, Any]:
        """An entry as the page gets it."""
        return {"number": entry.number, "kind": entry.kind, "at_ms": self.wall_ms(entry.at_s), **entry.facts}

    def wall_ms(self, at_s: float) -> float:
        """Milliseconds since 1970 of a `time.monotonic`, by one clock however the machine's is stepped."""
        return round((at_s + self._to_wall_s) * 1000, 1)
