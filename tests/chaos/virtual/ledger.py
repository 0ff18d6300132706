"""What one board has kept, thanked for, heard and lost, to the event: noted where the firmware's parts meet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.chaos.virtual.failures import Failed

if TYPE_CHECKING:
    from tests.chaos.virtual.board import Life
    from tests.chaos.virtual.flash import Flash, Name


class Ledger:
    """`kept` is what `append` returned for; `perhaps` what power went for while it was written."""

    def __init__(self) -> None:
        self.kept: dict[Name, dict[str, Any]] = {}
        self.perhaps: dict[Name, list[dict[str, Any]]] = {}
        self.ram: set[Name] = set()
        self.gone_from_ram: set[Name] = set()
        self.through: dict[str, int] = {}  # the last acknowledgement that the firmware heard, by epoch
        self.first: dict[str, int] = {}  # the highest that an envelope told: below it all is acknowledged or gone
        self._ack: dict[str, Any] | None = None  # the one that is being dealt with
        self.thanks: list[tuple[Life, Name]] = []
        self.attempts: list[tuple[Life, dict[str, Any], int | None]] = []

    def tap(self, life: Life, outbox: Any, ram_outbox: Any, lamps: Any) -> None:
        """Put this ledger between the firmware's parts."""
        limit, slots = life.board.limit, life.board.slots
        ledger, plain_outbox, plain_ram, plain_lamps = self, outbox.Outbox, ram_outbox.RamOutbox, lamps.Lamps

        class TappedOutbox(plain_outbox):  # type: ignore[misc, valid-type]
            def __init__(self, root: str, encode: Any, decode: Any, prog_size: int) -> None:
                super().__init__(root, encode, decode, prog_size, limit)
                if slots is not None:
                    self._slot_size, self._slot_count = slots

            def append(self, event: dict[str, Any], button: int | None = None) -> int:
                ledger.attempts.append((life, event, button))
                return ledger.append(self, super().append, event, button)

        class TappedRam(plain_ram):  # type: ignore[misc, valid-type]
            def append(self, event: dict[str, Any], button: int | None = None) -> int:
                seq: int = super().append(event, button)
                ledger.attempts.append((life, event, button))
                ledger.kept[self.epoch, seq] = event
                ledger.ram.add((self.epoch, seq))
                if self.first > 1:
                    ledger.gone_from_ram.add((self.epoch, self.first - 1))
                life.board.note("keeps in RAM", self.epoch, seq, event)
                return seq

        class TappedLamps(plain_lamps):  # type: ignore[misc, valid-type]
            def thanks(self, button: int, now_ms: int) -> None:
                super().thanks(button, now_ms)
                ledger.thanked(life, button, now_ms)

        outbox.Outbox, ram_outbox.RamOutbox, lamps.Lamps = TappedOutbox, TappedRam, TappedLamps

    def append(self, outbox: Any, append: Any, event: dict[str, Any], button: int | None) -> int:
        """An event goes into the outbox in flash."""
        name = (outbox.epoch, outbox.next)
        self.perhaps.setdefault(name, []).append(event)
        seq: int = append(event, button)
        if (outbox.epoch, seq) != name or name in self.kept:
            raise Failed(f"number {seq} of {outbox.epoch} was given twice, or another than {name}")
        self.kept[name] = event
        del self.perhaps[name]
        life = self.attempts[-1][0]
        if name not in life.board.flash.copies:
            raise Failed(f"{name} is not in flash when append returns")
        life.board.note("keeps", *name, event)
        return seq

    def tap_carrying(self, flash: Flash, carrying: Any) -> None:
        """What goes over into a new epoch has its names there from then on."""
        plain = carrying.carry_over

        def carry_over(outbox: Any, doubt: int) -> None:
            old, end = outbox.epoch, outbox.next
            first, self.first[old] = self.first.get(old, 1), end  # as good as gone from the old epoch
            try:
                plain(outbox, doubt)
            finally:
                self.first[old] = first
            for seq in range(doubt, end if outbox.next > 1 else doubt):
                new_name = (outbox.epoch, seq - doubt + 1)
                self._moves((old, seq), new_name, doubt - 1)
                if (old, seq) in flash.gone_unsaid:
                    flash.gone_unsaid.add(new_name)

        carrying.carry_over = carry_over

    def _moves(self, name: Name, new_name: Name, sunk_by: int) -> None:
        for event in [*self.perhaps.pop(name, ()), *([self.kept.pop(name)] if name in self.kept else ())]:
            moved = {**event, "survey": event["survey"] - sunk_by} if event.get("survey") else event
            self.kept[new_name] = moved

    def thanked(self, life: Life, button: int, now_ms: int) -> None:
        """Thanks are given: the event must be kept."""
        name, event = next(reversed(self.kept.items()))
        if event["type"] != "survey_closed" or event["cause"] != "answered":
            raise Failed(f"thanks without an answer: {event}")
        if name not in self.ram and name not in life.board.flash.copies:
            raise Failed(f"thanks before {name} is in flash")
        self.thanks.append((life, name))
        life.thanked.append((button, now_ms))

    def sends(self, life: Life, payload: str) -> None:
        """A batch goes out: `first` is the lowest number that the outbox still holds."""
        batch = json.loads(payload)
        outbox = life.app.link._delivery.outbox
        parts = getattr(outbox, "_parts", ())
        if parts and parts[0][1] == batch["epoch"] and batch["first"] > parts[0][2] and not outbox._gap:
            raise Failed(f"first is {batch['first']} in a batch of {batch['epoch']}, and {parts[0][2]} is held")
        self.first[batch["epoch"]] = max(self.first.get(batch["epoch"], 1), batch["first"])
        life.board.note("sends", batch["epoch"], batch["first"], batch["base"], len(batch["events"]))

    def heard_ack(self, life: Life, payload: bytes) -> None:
        """An acknowledgement reaches the firmware: from now on it may delete."""
        ack = json.loads(payload)
        delivery = life.app.link._delivery
        self._ack = None
        if delivery is not None and delivery.outbox.delivery()[0] == ack["epoch"]:
            self._ack = ack
            self.through[ack["epoch"]] = max(self.through.get(ack["epoch"], 0), ack["through"])

    def took_ack(self) -> None:
        """It has been dealt with: if it went back, what it takes back may not be deleted any more."""
        if self._ack is not None:
            self.through[self._ack["epoch"]] = self._ack["through"]

    def may_lose(self, name: Name) -> bool:
        """Whether the last copy of an event may go from flash: the bridge has it, or was told that it is gone."""
        epoch, seq = name
        return seq <= self.through.get(epoch, 0) or seq < self.first.get(epoch, 1)

    def power_went(self, life: Life) -> None:
        """What was in RAM alone is gone, unless it was delivered."""
        app = life.app
        if app is None:
            return
        outbox = app.outbox
        for epoch, seq in self.ram:
            if epoch == outbox.epoch and seq >= outbox.first:
                self.gone_from_ram.add((epoch, seq))
