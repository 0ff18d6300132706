"""What a console's health message says, field by field: what is sane is a typed figure, all else was not said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from bridge.text import printable
from bridge.wire.contract import AtMs, Natural

MOST_FAULTS = 20
MOST_SIGNS = 60  # of a name or a fault


class OutboxFigures(Struct):
    """The numbers that a console holds, from `first` up to, not including, `next`."""

    first: Natural
    next: Natural


@dataclass(frozen=True)
class HealthFigures:
    """What a health message says and can be; None: it does not say so. Texts are fit to be shown."""

    at_ms: int | None = None
    outbox: int | None = None  # how many events it holds
    loop_lag_max_ms: int | None = None
    heap_free: int | None = None
    rssi_dbm: int | None = None  # of the Wi-Fi signal
    firmware: str | None = None
    board: str | None = None
    hardware_id: str | None = None
    faults: tuple[str, ...] = ()
    on_trial: bool = False  # the firmware is new, and not confirmed yet


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
    """The figures of a health message, whatever it holds."""
    fields = _decoded(_fields, health or b"{}") or {}
    said = {name: _decoded(decoder, fields[name]) for name, decoder in _decoders.items() if name in fields}
    outbox, faults = said.get("outbox"), said.get("faults") or []
    names = {name: printable(said[name], MOST_SIGNS) for name in ("firmware", "board", "hardware_id") if said.get(name)}
    told = [printable(text, MOST_SIGNS) for one in faults[:MOST_FAULTS] if (text := _decoded(_name, one))]
    return HealthFigures(
        at_ms=said.get("at_ms"),
        outbox=outbox.next - outbox.first if outbox is not None and outbox.next >= outbox.first else None,
        loop_lag_max_ms=said.get("loop_lag_max_ms"),
        heap_free=said.get("heap_free"),
        rssi_dbm=said.get("rssi"),
        faults=tuple(told),
        on_trial=said.get("on_trial") or False,
        **names,
    )


def _decoded(decoder: msgspec.json.Decoder[Any], text: str | bytes | Raw) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
