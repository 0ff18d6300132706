"""A fleet's consoles: the firmware's own survey table, events and delivery on CPython, under virtual time.

Around them is only what `firmware/console/app.py` does with a fact: no lamps, no flash, no radio. So thousands of
consoles fit in one process, and the day of one takes a fraction of a second.
"""

import json
from collections.abc import Callable
from typing import Any, Literal

from simulator.console.firmware_modules import FirmwareModules
from simulator.people.diary import DiaryEntry

BUTTONS = {"yes": 0, "no": 1, "cant_say": 2, "seller": 3}
BOARD = "unix"
BOOT_MS = 300  # from power to the first event
CLOCK_MS = 1800  # from power to the time from the network
LIMIT = 5000  # events that can wait, as in flash
REVISION = 1  # of the settings that prepare.sh makes
HEAP_FREE = 50_000  # bytes; about what a board has free, since a fleet console has no heap of its own

# Placeholder numbers in an event's text while it becomes a template; no two share their digits.
_BOOT, _UP, _AT, _SURVEY, _OPENED = 700_000_001, 900_000_003, 1_600_000_000_005, 500_000_007, 800_000_002


class FleetOutbox:
    """Events as JSON in memory, with the methods that the firmware's delivery calls."""

    __slots__ = ("_texts", "doubt", "epoch", "first", "lost", "next")

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.doubt = 0
        self.first = self.next = 1
        self.lost = 0
        self._texts: list[str] = []

    def append(self, text: str) -> int:
        """Store an event and return its number; the oldest event is lost if the outbox is full."""
        self._texts.append(text)
        self.next += 1
        if len(self._texts) > LIMIT:
            del self._texts[0]
            self.first += 1
            self.lost += 1
        return self.next - 1

    def delivery(self) -> tuple[str, int, int]:
        """Return the epoch, the lowest number not acknowledged, and the next number."""
        return self.epoch, self.first, self.next

    def held(self) -> int:
        """Return the lowest number that is stored."""
        return self.first

    def event(self, seq: int) -> tuple[int, str | None]:
        """Return the number and the event from `seq` on; no event if that one is lost, or not there yet."""
        if seq < self.first:
            return self.first, None
        return seq, self._texts[seq - self.first] if seq < self.next else None

    def acknowledge(self, epoch: str, through: int) -> bool:
        """Delete acknowledged events; return False if they are of another epoch."""
        if epoch != self.epoch:
            return False
        count = min(through + 1, self.next) - self.first
        if count > 0:
            del self._texts[:count]
            self.first += count
        return True

    def waiting(self) -> int:
        """Return how many events are not acknowledged."""
        return len(self._texts)


class EventEncoder:
    """Facts to events in JSON: the firmware encodes each shape once, then only the numbers change."""

    def __init__(self, firmware: FirmwareModules) -> None:
        self._events = firmware.events
        self._templates: dict[tuple[Any, ...], str] = {}
        self._closed = firmware.events.SURVEY_CLOSED
        self._declared = firmware.events.FORCE_MAJEURE_DECLARED
        self._answered = firmware.events.ANSWERED
        self._rare = {firmware.events.BOOTED, firmware.events.CLOCK_SET}

    def encode(self, fact: tuple[Any, ...], boot: int, at_ms: int | None, survey: int | None) -> str:
        """Return the event's JSON as the firmware's delivery would send it."""
        events = self._events
        kind, up_ms, values = fact[events.TYPE], fact[events.UP_MS], fact[events.UP_MS + 1 :]
        at: int | str = "null" if at_ms is None else at_ms
        if kind == self._closed:
            opened_up_ms = fact[events.OPENED_UP_MS]
            key = (kind, *fact[events.OPENED_UP_MS + 1 :])
            numbers: tuple[Any, ...] = (boot, up_ms, at, survey, opened_up_ms)
            if fact[events.CAUSE] == self._answered:
                numbers = (*numbers, up_ms - opened_up_ms)
        elif kind == self._declared:
            is_open = values[0]
            key = (kind, *values)
            numbers = (boot, up_ms, at, survey) if is_open else (boot, up_ms, at)
        elif kind in self._rare:
            return self._text(fact, boot, at_ms, survey)
        else:
            key = (kind, *values)
            numbers = (boot, up_ms, at)
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = self._template(fact)
        return template % numbers

    def _text(self, fact: tuple[Any, ...], boot: int, at_ms: int | None, survey: int | None) -> str:
        return json.dumps(self._events.event(fact, boot, at_ms, survey), separators=(",", ":"))

    def _template(self, fact: tuple[Any, ...]) -> str:
        events = self._events
        stand_in = list(fact)
        stand_in[events.UP_MS] = _UP
        if fact[events.TYPE] == self._closed:
            stand_in[events.OPENED_UP_MS] = _OPENED
        text = self._text(tuple(stand_in), _BOOT, _AT, _SURVEY).replace("%", "%%")
        for number in (_BOOT, _UP, _SURVEY, _OPENED, _UP - _OPENED):
            text = text.replace(f":{number},", ":%d,").replace(f":{number}}}", ":%d}")
        return text.replace(f":{_AT},", ":%s,")


class Fleet:
    """The parts that consoles of one process share: the firmware's modules and the encoder of events."""

    def __init__(self) -> None:
        self.firmware = FirmwareModules()
        self.encoder = EventEncoder(self.firmware)

    def settings(self, **values: Any) -> Any:
        """Return the firmware's settings with these values; raises AttributeError for an unknown name."""
        settings = self.firmware.settings.Settings()
        for name, value in values.items():
            if not hasattr(settings, name):
                raise AttributeError(f"the firmware has no setting {name}")
            setattr(settings, name, value)
        return settings


class FleetConsole:
    """One console. Instants are ms since 1970 UTC; nothing happens until `power_on`."""

    __slots__ = (
        *("_clock_at_ms", "_clock_source", "_fleet", "_last_ms", "_presses", "_settings", "_encode", "_survey"),
        *("_utc_known", "boot", "delivery", "hardware_id", "outbox", "started_ms", "table"),
    )

    def __init__(self, fleet: Fleet, settings: Any, epoch: str, hardware_id: str) -> None:
        self._fleet = fleet
        self._encode: Callable[..., str] = fleet.encoder.encode
        self._settings = settings
        self.hardware_id = hardware_id
        self.outbox = FleetOutbox(epoch)
        self.delivery = fleet.firmware.delivery.Delivery(self.outbox)
        self.table: Any = None
        self.boot = 0
        self.started_ms = 0
        self._survey: int | None = None
        self._clock_at_ms: int | None = None
        self._clock_source = 0
        self._utc_known = False
        self._last_ms = 0  # `settle` was called up to here
        self._presses = [0, 0, 0, 0]  # in earlier boots

    def power_on(self, at_ms: int, *, clock_after_ms: int = CLOCK_MS, source: Literal["ntp", "bridge"] = "ntp") -> None:
        """Boot; the console knows the time `clock_after_ms` later."""
        firmware = self._fleet.firmware
        events = firmware.events
        if self.table is not None:
            self._presses = self._press_counts()
        self.boot += 1
        self.started_ms = at_ms
        self.table = firmware.survey.SurveyTable(self._settings)
        self._survey = None
        self._last_ms = BOOT_MS + 1
        self._utc_known = False
        self._clock_at_ms = at_ms + clock_after_ms
        self._clock_source = events.SOURCES.index(source)
        self.delivery.restart()
        self.record((events.BOOTED, BOOT_MS, events.POWER_ON, firmware.version, BOARD, self.hardware_id))
        if self._settings.revision:
            self.record((events.SETTINGS_APPLIED, BOOT_MS + 1, self._settings.revision))

    def apply_settings(self, settings: Any) -> None:
        """Apply checked settings from the next survey on; a str says why the firmware refused them, and is ignored."""
        if isinstance(settings, str):
            return
        current = self._settings
        if current.text is None and settings.revision == current.revision:
            current.text, current.kind = settings.text, settings.kind  # the first settings come without them
        if self._fleet.firmware.settings.replaces(settings, current):
            self._settings = settings
            if self.table is not None:
                self.table.apply(settings, self._last_ms + 1)

    def next_batch(self, up_ms: int) -> bytes | None:
        """Return the next message of leaf `events`, or None if there is nothing to send now."""
        for batch in self.delivery.next_batch(lambda: up_ms):
            if batch is not None:
                return b"".join(batch)
        return None

    @property
    def heartbeat_ms(self) -> int:
        """The time between two health messages."""
        return int(self._settings.heartbeat_ms)

    def record(self, fact: tuple[Any, ...]) -> None:
        """Store a fact as an event."""
        events = self._fleet.firmware.events
        at_ms = self.started_ms + fact[events.UP_MS] if self._utc_known else None
        number = self.outbox.append(self._encode(fact, self.boot, at_ms, self._survey))
        if fact[events.TYPE] == events.SURVEY_OPENED:
            self._survey = number

    def play(self, entry: DiaryEntry) -> None:
        """Make the presses of a diary entry.

        Everything before it is settled first; the events that follow from it are recorded at the next call.
        """
        if not entry.presses:
            return
        self.settle(entry.at_ms - 1)
        table, started_ms = self.table, self.started_ms
        for press in entry.presses:
            if press.why == "power_cut":
                self.settle(press.at_ms)
                self.power_on(press.until_ms)
                return
            up_ms = press.at_ms - started_ms
            button = BUTTONS[press.button]
            table.press(button, up_ms)
            table.release(button, up_ms + press.held_ms)

    def settle(self, at_ms: int) -> None:
        """Bring the firmware to this instant, when all presses up to it are made; record the events that follow."""
        if self._clock_at_ms is not None and at_ms >= self._clock_at_ms:
            clock_at_ms, self._clock_at_ms = self._clock_at_ms, None
            self.settle(clock_at_ms)
            self._utc_known = True
            events = self._fleet.firmware.events
            self.record((events.CLOCK_SET, clock_at_ms - self.started_ms, self._clock_source, None))
        settled_ms = self._last_ms = at_ms - self.started_ms
        take, record = self.table.take, self.record
        fact = take(settled_ms)
        while fact is not None:
            record(fact)
            fact = take(settled_ms)

    def settle_for_good(self, at_ms: int) -> None:
        """Settle everything after the last press; if the clock is not set by then, go on until it is."""
        self.settle(max(at_ms, self._clock_at_ms or 0))

    def status(self, *, is_online: bool) -> dict[str, Any]:
        """Return the status that the console, or its will, publishes."""
        status: dict[str, Any] = self._fleet.firmware.events.status(is_online, self.outbox.epoch, self.hardware_id)
        return status

    def health(self, at_ms: int) -> dict[str, Any]:
        """Return the heartbeat of this instant, as `firmware/console/health.py` makes it on a board."""
        outbox = self.outbox
        return {
            "epoch": outbox.epoch,
            "hardware_id": self.hardware_id,
            "firmware": self._fleet.firmware.version,
            "board": BOARD,
            "boot": self.boot,
            "up_ms": at_ms - self.started_ms,
            "at_ms": at_ms if self._utc_known else None,
            "outbox": {"first": outbox.first, "next": outbox.next},
            "heap_free": HEAP_FREE,
            "rssi": None,
            "loop_lag_max_ms": 0,
            "settings_revision": self._settings.revision,
            "presses": dict(zip(BUTTONS, self._press_counts(), strict=True)),
            "faults": [f"stuck:{name}" for name, button in BUTTONS.items() if self.table.stuck[button]],
        }

    def _press_counts(self) -> list[int]:
        """Return the presses of each button in this epoch."""
        return [earlier + current for earlier, current in zip(self._presses, self.table.presses, strict=True)]
