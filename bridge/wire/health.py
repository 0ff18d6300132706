"""Read a console's health message for display: each field by itself; an invalid one counts as missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from bridge.text import printable
from bridge.wire.contract import AtMs, Natural

MAX_FAULTS = 20
MAX_TEXT_LENGTH = 60  # of a name or a fault


class OutboxFigures(Struct):
    """The numbers of the events that a console holds, from `first` up to but not including `next`."""

    first: Natural
    next: Natural


@dataclass(frozen=True)
class HealthFigures:
    """The figures of a health message; None: missing or invalid. All texts are printable."""

    at_ms: int | None = None
    outbox: int | None = None  # number of events it holds
    loop_lag_max_ms: int | None = None
    heap_free: int | None = None
    rssi_dbm: int | None = None  # strength of the Wi-Fi signal
    firmware: str | None = None
    board: str | None = None
    hardware_id: str | None = None
    faults: tuple[str, ...] = ()
    on_trial: bool = False  # the firmware is new and not confirmed yet


_fields = msgspec.json.Decoder(dict[str, Raw])
_name = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_natural = msgspec.json.Decoder(Natural)
_dbm = msgspec.json.Decoder(Annotated[int, Meta(ge=-200, le=100)])
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    "at_ms": msgspec.json.Decoder(AtMs),
    "outbox": msgspec.json.Decoder(OutboxFigures),
    "loop_lag_max_ms": _natural,
    "heap_free": _natural,
    "rssi": _dbm,
    "firmware": _name,
    "board": _name,
    "hardware_id": _name,
    "faults": msgspec.json.Decoder(list[Raw]),
    "on_trial": msgspec.json.Decoder(bool),
}


def read_figures(health: str | bytes | None) -> HealthFigures:
    """Read the figures of a health message. Never fails: whatever cannot be read is left out."""
    fields = _decoded(_fields, health or b"{}") or {}
    values = {name: _decoded(decoder, fields[name]) for name, decoder in _decoders.items() if name in fields}
    outbox, faults = values.get("outbox"), values.get("faults") or []
    names = {
        name: printable(values[name], MAX_TEXT_LENGTH)
        for name in ("firmware", "board", "hardware_id")
        if values.get(name)
    }
    fault_names = [printable(text, MAX_TEXT_LENGTH) for raw in faults[:MAX_FAULTS] if (text := _decoded(_name, raw))]
    return HealthFigures(
        at_ms=values.get("at_ms"),
        outbox=outbox.next - outbox.first if outbox is not None and outbox.next >= outbox.first else None,
        loop_lag_max_ms=values.get("loop_lag_max_ms"),
        heap_free=values.get("heap_free"),
        rssi_dbm=values.get("rssi"),
        faults=tuple(fault_names),
        on_trial=values.get("on_trial") or False,
        **names,
    )


def _decoded(decoder: msgspec.json.Decoder[Any], text: str | bytes | Raw) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
