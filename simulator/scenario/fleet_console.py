"""A fleet's consoles: the firmware's own survey table, events and delivery on CPython, under virtual time.

Around them stands what `console/app.py` does with a fact and nothing more: no lamps, no flash, no radio. So thousands
of consoles fit in one process, and a day of theirs takes a fraction of a second.
"""

import json
from collections.abc import Callable
from typing import Any, Literal

from simulator.console.firmware_modules import Firmware
from simulator.people.diary import Entry

BUTTONS = {"yes": 0, "no": 1, "cant_say": 2, "seller": 3}
BOARD = "unix"
BOOT_MS = 300  # from power to the first event
CLOCK_MS = 1800  # … to the time from the network
LIMIT = 5000  # events that wait, as in flash
REVISION = 1  # of the settings that the scenario's commands make
HEAP_FREE = 50_000  # bytes that a board has free, about; a fleet's console has no heap of its own

# Numbers that stand in an event's text while a template is made of it; each has digits of its own.
_BOOT, _UP, _AT, _SURVEY, _OPENED = 700_000_001, 900_000_003, 1_600_000_000_005, 500_000_007, 800_000_002


class Outbox:
    """Events as JSON in memory, with what the firmware's delivery asks of an outbox."""

    __slots__ = ("_texts", "doubt", "epoch", "first", "lost", "next")

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.doubt = 0
        self.first = self.next = 1
        self.lost = 0
        self._texts: list[str] = []

    def append(self, text: str) -> int:
        """Keep an event; its number."""
        self._texts.append(text)
        self.next += 1
        if len(self._texts) > LIMIT:
            del self._texts[0]
            self.first += 1
            self.lost += 1
        return self.next - 1

    def delivery(self) -> tuple[str, int, int]:
        """Epoch, lowest number not acknowledged, next number."""
        return self.epoch, self.first, self.next

    def held(self) -> int:
        """The lowest number that is held."""
        return self.first

    def batch(self, seq: int, max_events: int = 32) -> tuple[int, list[str]]:
        """Events from a number on."""
        base = min(max(seq, self.first), self.next)
        place = base - self.first
        return base, self._texts[place : place + max_events]

    def acknowledge(self, epoch: str, through: int) -> bool:
        """Let go of what is acknowledged; False for another epoch."""
        if epoch != self.epoch:
            return False
        count = min(through + 1, self.next) - self.first
        if count > 0:
            del self._texts[:count]
            self.first += count
        return True

    def waiting(self) -> int:
        """How many are not acknowledged."""
        return len(self._texts)


class Speller:
    """Facts to events in JSON: each shape is spelt once by the firmware, then only its numbers change."""

    def __init__(self, firmware: Firmware) -> None:
        self._events = firmware.events
        self._templates: dict[tuple[Any, ...], str] = {}
        self._closed = firmware.events.SURVEY_CLOSED
        self._declared = firmware.events.FORCE_MAJEURE_DECLARED
        self._answered = firmware.events.ANSWERED
        self._rare = {firmware.events.BOOTED, firmware.events.CLOCK_SET}

    def spell(self, fact: tuple[Any, ...], boot: int, at_ms: int | None, survey: int | None) -> str:
        """The event, as the firmware's delivery would send it."""
        kind = fact[0]
        at: int | str = "null" if at_ms is None else at_ms
        if kind == self._closed:
            key = (kind, *fact[4:])
            numbers: tuple[Any, ...] = (boot, fact[1], at, survey, fact[3])
            if fact[7] == self._answered:
                numbers = (*numbers, fact[1] - fact[3])
        elif kind == self._declared:
            key = (kind, *fact[2:])
            numbers = (boot, fact[1], at, survey) if fact[2] else (boot, fact[1], at)
        elif kind in self._rare:
            return self._text(fact, boot, at_ms, survey)
        else:
            key = (kind, *fact[2:])
            numbers = (boot, fact[1], at)
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = self._template(fact)
        return template % numbers

    def _text(self, fact: tuple[Any, ...], boot: int, at_ms: int | None, survey: int | None) -> str:
        return json.dumps(self._events.event(fact, boot, at_ms, survey), separators=(",", ":"))

    def _template(self, fact: tuple[Any, ...]) -> str:
        values = [fact[0], _UP, *fact[2:]]
        if fact[0] == self._closed:
            values[3] = _OPENED
        text = self._text(tuple(values), _BOOT, _AT, _SURVEY).replace("%", "%%")
        for number in (_BOOT, _UP, _SURVEY, _OPENED, _UP - _OPENED):
            text = text.replace(f":{number},", ":%d,").replace(f":{number}}}", ":%d}")
        return text.replace(f":{_AT},", ":%s,")


class Fleet:
    """What the consoles of a process share."""

    def __init__(self) -> None:
        self.firmware = Firmware()
        self.speller = Speller(self.firmware)

    def settings(self, **values: Any) -> Any:
        """The firmware's settings with these values, other than its defaults."""
        settings = self.firmware.settings.Settings()
        for name, value in values.items():
            if not hasattr(settings, name):
                raise AttributeError(f"the firmware has no setting {name}")
            setattr(settings, name, value)
        return settings


class FleetConsole:
    """One console. Instants are ms since 1970 UTC; nothing happens until `power_on`."""

    __slots__ = (
        *("_clock_at_ms", "_clock_source", "_fleet", "_last_ms", "_presses", "_settings", "_spell", "_survey"),
        *("_utc_known", "boot", "delivery", "hardware_id", "outbox", "started_ms", "table"),
    )

    def __init__(self, fleet: Fleet, settings: Any, epoch: str, hardware_id: str) -> None:
        self._fleet = fleet
        self._spell: Callable[..., str] = fleet.speller.spell
        self._settings = settings
        self.hardware_id = hardware_id
        self.outbox = Outbox(epoch)
        self.delivery = fleet.firmware.delivery.Delivery(self.outbox)
        self.table: Any = None
        self.boot = 0
        self.started_ms = 0
        self._survey: int | None = None
        self._clock_at_ms: int | None = None
        self._clock_source = 0
        self._utc_known = False
        self._last_ms = 0  # up to when all is settled
        self._presses = [0, 0, 0, 0]  # of earlier boots

    def power_on(self, at_ms: int, *, clock_after_ms: int = CLOCK_MS, source: Literal["ntp", "bridge"] = "ntp") -> None:
        """Power comes; the time is known `clock_after_ms` later."""
        firmware = self._fleet.firmware
        events = firmware.events
        if self.table is not None:
            self._presses = self._counted()
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

    def settings_came(self, settings: Any) -> None:
        """Checked settings from the bridge (a str: why they can't be used), in force from the next survey on."""
        if isinstance(settings, str):
            return
        used = self._settings
        if used.text is None and settings.revision == used.revision:
            used.text, used.kind = settings.text, settings.kind  # which it was made without
        if self._fleet.firmware.settings.is_news(settings, used):
            self._settings = settings
            if self.table is not None:
                self.table.apply(settings, self._last_ms + 1)

    @property
    def heartbeat_ms(self) -> int:
        """How often it tells of its health."""
        return int(self._settings.heartbeat_ms)

    def record(self, fact: tuple[Any, ...]) -> None:
        """Keep a fact as an event."""
        at_ms = self.started_ms + fact[1] if self._utc_known else None
        number = self.outbox.append(self._spell(fact, self.boot, at_ms, self._survey))
        if fact[0] == self._fleet.firmware.events.SURVEY_OPENED:
            self._survey = number

    def happens(self, entry: Entry) -> None:
        """What people do here. Everything before it is settled; what follows from it is, when the next thing comes."""
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
        """Time has come so far, and all presses up to now were told."""
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
        """Nobody presses any more: settle all of it, and wait for the time if it is not known yet."""
        self.settle(max(at_ms, self._clock_at_ms or 0))

    def status(self, *, is_online: bool) -> dict[str, Any]:
        """What it, or its will, says of being there."""
        status: dict[str, Any] = self._fleet.firmware.events.status(is_online, self.outbox.epoch, self.hardware_id)
        return status

    def health(self, at_ms: int) -> dict[str, Any]:
        """What it says of itself at this instant, as `console/health.py` does on a board."""
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
            "presses": dict(zip(BUTTONS, self._counted(), strict=True)),
            "faults": [f"stuck:{name}" for name, button in BUTTONS.items() if self.table.stuck[button]],
        }

    def _counted(self) -> list[int]:
        """Presses of each button over the epoch."""
        return [before + now for before, now in zip(self._presses, self.table.presses, strict=True)]
