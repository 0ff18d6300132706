"""Record which events one board stored, gave thanks for and lost, and which acknowledgements it heard.

The ledger puts itself between the firmware's modules.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.chaos.virtual.failures import Failed

if TYPE_CHECKING:
    from tests.chaos.virtual.board import VirtualPowerCycle
    from tests.chaos.virtual.flash import Name, VirtualFlash


class Ledger:
    """The events of one board: `stored` if `append` returned, `uncertain` if power went while they were written."""

    def __init__(self) -> None:
        self.stored: dict[Name, dict[str, Any]] = {}
        self.uncertain: dict[Name, list[dict[str, Any]]] = {}
        self.ram: set[Name] = set()
        self.gone_from_ram: set[Name] = set()
        self.through: dict[str, int] = {}  # the highest number that the firmware heard acknowledged, by epoch
        self.first: dict[
            str, int
        ] = {}  # the highest `first` of a batch, by epoch: all numbers below are acknowledged or gone
        self._ack: dict[str, Any] | None = None  # the one being handled
        self.thanks: list[tuple[VirtualPowerCycle, Name]] = []
        self.attempts: list[tuple[VirtualPowerCycle, dict[str, Any], int | None]] = []

    def tap(self, cycle: VirtualPowerCycle, outbox: Any, ram_outbox: Any, lamps: Any) -> None:
        """Put this ledger between the firmware's parts."""
        limit, slots = cycle.board.limit, cycle.board.slots
        ledger, original_outbox, original_ram, original_lamps = self, outbox.Outbox, ram_outbox.RamOutbox, lamps.Lamps

        class TappedOutbox(original_outbox):  # type: ignore[misc, valid-type]
            def __init__(self, root: str, encode: Any, decode: Any, prog_size: int) -> None:
                super().__init__(root, encode, decode, prog_size, limit)
                if slots is not None:
                    self._slot_size, self._slot_count = slots

            def append(self, event: dict[str, Any], button: int | None = None) -> int:
                ledger.attempts.append((cycle, event, button))
                return ledger.append(self, super().append, event, button)

        class TappedRam(original_ram):  # type: ignore[misc, valid-type]
            def append(self, event: dict[str, Any], button: int | None = None) -> int:
                seq: int = super().append(event, button)
                ledger.attempts.append((cycle, event, button))
                ledger.stored[self.epoch, seq] = event
                ledger.ram.add((self.epoch, seq))
                if self.first > 1:
                    ledger.gone_from_ram.add((self.epoch, self.first - 1))
                cycle.board.note("keeps in RAM", self.epoch, seq, event)
                return seq

        class TappedLamps(original_lamps):  # type: ignore[misc, valid-type]
            def thanks(self, button: int, now_ms: int) -> None:
                super().thanks(button, now_ms)
                ledger.thanked(cycle, button, now_ms)

        outbox.Outbox, ram_outbox.RamOutbox, lamps.Lamps = TappedOutbox, TappedRam, TappedLamps

    def append(self, outbox: Any, append: Any, event: dict[str, Any], button: int | None) -> int:
        """Append an event to the outbox in flash, and record it."""
        name = (outbox.epoch, outbox.next)
        self.uncertain.setdefault(name, []).append(event)
        seq: int = append(event, button)
        if (outbox.epoch, seq) != name or name in self.stored:
            raise Failed(f"number {seq} of {outbox.epoch} was given twice, or is not {name}")
        self.stored[name] = event
        del self.uncertain[name]
        cycle = self.attempts[-1][0]
        if name not in cycle.board.flash.copies:
            raise Failed(f"{name} is not in flash when append returns")
        cycle.board.note("keeps", *name, event)
        return seq

    def tap_new_epoch(self, flash: VirtualFlash, new_epoch_module: Any) -> None:
        """Record that events move to a new epoch, where they have new names."""
        original = new_epoch_module.carry_over

        def carry_over(outbox: Any, doubt: int) -> None:
            old, end = outbox.epoch, outbox.next
            first, self.first[old] = self.first.get(old, 1), end  # they count as gone from the old epoch
            try:
                original(outbox, doubt)
            finally:
                self.first[old] = first
            for seq in range(doubt, end if outbox.next > 1 else doubt):
                new_name = (outbox.epoch, seq - doubt + 1)
                self._moves((old, seq), new_name, doubt - 1)
                if (old, seq) in flash.dropped:
                    flash.dropped.add(new_name)

        new_epoch_module.carry_over = carry_over

    def _moves(self, name: Name, new_name: Name, sunk_by: int) -> None:
        for event in [*self.uncertain.pop(name, ()), *([self.stored.pop(name)] if name in self.stored else ())]:
            moved = {**event, "survey": event["survey"] - sunk_by} if event.get("survey") else event
            self.stored[new_name] = moved

    def thanked(self, cycle: VirtualPowerCycle, button: int, now_ms: int) -> None:
        """Check that thanks are given only for an event that is stored."""
        name, event = next(reversed(self.stored.items()))
        if event["type"] != "survey_closed" or event["cause"] != "answered":
            raise Failed(f"thanks without an answer: {event}")
        if name not in self.ram and name not in cycle.board.flash.copies:
            raise Failed(f"thanks before {name} is in flash")
        self.thanks.append((cycle, name))
        cycle.thanked.append((button, now_ms))

    def sends(self, cycle: VirtualPowerCycle, payload: str) -> None:
        """Check a batch that is sent: its `first` is the lowest number that the outbox still holds."""
        batch = json.loads(payload)
        outbox = cycle.app.link._delivery.outbox
        parts = getattr(outbox, "_parts", ())
        if parts and parts[0][1] == batch["epoch"] and batch["first"] > parts[0][2] and not outbox._gap:
            raise Failed(f"first is {batch['first']} in a batch of {batch['epoch']}, and {parts[0][2]} is held")
        self.first[batch["epoch"]] = max(self.first.get(batch["epoch"], 1), batch["first"])
        cycle.board.note("sends", batch["epoch"], batch["first"], batch["base"], len(batch["events"]))

    def heard_ack(self, cycle: VirtualPowerCycle, payload: bytes) -> None:
        """Record an acknowledgement that reaches the firmware: from now on it may delete."""
        ack = json.loads(payload)
        delivery = cycle.app.link._delivery
        self._ack = None
        if delivery is not None and delivery.outbox.delivery()[0] == ack["epoch"]:
            self._ack = ack
            self.through[ack["epoch"]] = max(self.through.get(ack["epoch"], 0), ack["through"])

    def took_ack(self) -> None:
        """Record that it was handled: if it went back, the numbers that it takes back may no longer be deleted."""
        if self._ack is not None:
            self.through[self._ack["epoch"]] = self._ack["through"]

    def may_lose(self, name: Name) -> bool:
        """Return whether the last copy may be deleted: the bridge has the event, or a batch reported it as gone."""
        epoch, seq = name
        return seq <= self.through.get(epoch, 0) or seq < self.first.get(epoch, 1)

    def power_went(self, cycle: VirtualPowerCycle) -> None:
        """Record that events which were only in RAM are gone, unless they were delivered."""
        app = cycle.app
        if app is None:
            return
        outbox = app.outbox
        for epoch, seq in self.ram:
            if epoch == outbox.epoch and seq >= outbox.first:
                self.gone_from_ram.add((epoch, seq))
