"""Judge counts of transactions and visitors, assign each to a console and a seller, and store it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bridge.model.history import HistoryChange
from bridge.model.local_time import DAY_MS, hour_of, local, typed_ms
from bridge.model.periods import NOT_TYPED, Placement, Timeline, TypedTimes
from bridge.store import counts as table
from bridge.store import kept, places
from bridge.store.cache import SitePlaces
from bridge.store.history import has_corrections, record_changes, was_removed
from bridge.text import is_visible, printable, valid_id
from bridge.wire.contract import MAX_MESSAGE_BYTES, AtMs, Natural, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bridge.store import Store

    Pair = tuple[table.CountRow | None, table.CountRow]
    """The count in force and the next one of its name."""

Text = Annotated[str, Meta(min_length=1, max_length=64)]
LATEST_MS = 253_402_300_799_999
ASSIGNED_AT_ONCE = 2_000


class CountMessage(Struct, omit_defaults=True):
    """A count of transactions or visitors from `from_ms` to `to_ms`, its end not included."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    kind: Literal["transactions", "visitors"]
    from_ms: AtMs
    to_ms: AtMs
    count: Natural
    checkout_point_id: Text | None = None
    seller_id: Text | None = None


_decoder = msgspec.json.Decoder(CountMessage)


class CountsIntake:
    """Takes in the counts of one transaction: `take` or `keep` each, then `finish`, or `stage` those of an import."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._given: list[tuple[table.CountRow, str]] = []

    def take(self, site_id: str, source_id: str, payload: bytes) -> dict[str, Any]:
        """Take in a `counts` message; return the acknowledgement. Raises Unreadable with the reason."""
        if len(payload) > MAX_MESSAGE_BYTES:
            raise Unreadable(f"size: more than {MAX_MESSAGE_BYTES} bytes")
        try:
            message = _decoder.decode(payload)
            topic = f"trivox/v1/{site_id}/{source_id}/counts"
            if len(payload) > kept.FREE_BYTES:
                known = msgspec.json.encode(message)
                if not kept.reserve(self._store, topic, kept.UNKNOWN_FIELDS, max(len(payload) - len(known), 0)):
                    payload = known
            raw = payload.decode()
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise Unreadable(f"payload: {printable(str(error))}") from error
        self.keep(site_id, source_id, message, raw)
        return {"id": message.id}

    def keep(
        self, site_id: str, source_id: str, message: CountMessage, raw: str, typed: TypedTimes = NOT_TYPED
    ) -> None:
        """Take in a count, with its times as typed, if they were. Raises Unreadable with the reason."""
        if message.to_ms < message.from_ms:
            raise Unreadable("impossible value: to is before from")
        for field in ("id", "checkout_point_id", "seller_id"):
            if not is_visible(getattr(message, field) or ""):
                raise Unreadable(f"impossible value: {field} holds characters that cannot be seen")
        if not (valid_id(site_id) and valid_id(source_id)):
            raise Unreadable("impossible value: the site or source is not a valid id")
        count = table.CountRow(
            site_id,
            source_id,
            message.id,
            message.kind,
            message.from_ms,
            message.to_ms,
            message.count,
            message.checkout_point_id,
            message.seller_id,
            None,
            None,
            "",
            *typed,
        )
        self._given.append((_assigned(count, _site_places(self._store, site_id)), raw))

    def finish(self) -> None:
        """Store the counts that differ from what is in force."""
        in_force = table.in_force(self._store, [count[:3] for count, _ in self._given])
        before = dict(in_force)
        changed = self._changed(in_force)
        received = [(*count[:3], self._store.now_ms, raw) for count, raw in changed]
        self._ensure_places(changed)
        self._record_late([(before.get(count[:3]), count) for count, _ in changed])
        table.keep(self._store, received, list({count[:3]: count for count, _ in changed}.values()))

    def stage(self) -> int:
        """Stage the counts that differ from what is in force, as part of an import; return how many replace others."""
        in_force = table.in_force(self._store, [count[:3] for count, _ in self._given])
        before = dict(in_force)
        changed = self._changed(in_force)
        table.stage(self._store, list(changed))
        pairs = [(before.get(count[:3]), count) for count, _ in changed]
        replaced = record_changes(self._store, _replacements(self._store, pairs), pending=True)
        record_changes(self._store, _returns(self._store, pairs), pending=True)
        return replaced

    def _record_late(self, pairs: list[Pair]) -> None:
        """Record corrections; for a day a source may complete what it counted."""
        last_ms = self._store.now_ms - DAY_MS
        late = [(old, new) for old, new in pairs if (old or new).to_ms <= last_ms]
        record_changes(self._store, chain(_replacements(self._store, late), _returns(self._store, late)))

    def _changed(self, in_force: dict[table.Name, table.CountRow]) -> list[tuple[table.CountRow, str]]:
        changed = []
        for count, raw in self._given:
            if in_force.get(count[:3]) != count:  # a count sent again changes nothing
                in_force[count[:3]] = count
                changed.append((count, raw))
        self._given.clear()
        return changed

    def _ensure_places(self, changed: list[tuple[table.CountRow, str]]) -> None:
        for site_id, checkout_point_id in {(count.site_id, count.checkout_point_id) for count, _ in changed}:
            places.ensure_site(self._store, site_id)
            if checkout_point_id is not None:
                places.ensure_checkout_point(self._store, site_id, checkout_point_id)


def _replacements(store: Store, pairs: list[Pair]) -> Iterator[HistoryChange]:
    """Yield the change from each figure in force to the next one."""
    for old, new in pairs:
        if old is not None:
            timezone = places.timezone(store, new.site_id) or "UTC"
            before, after = (state_of_count(count, timezone) for count in (old, new))
            period = min(old.from_ms, new.from_ms), max(old.to_ms, new.to_ms)
            yield HistoryChange("count", new.site_id, f"{new.source_id}/{new.id}", before, after, *period)


def _returns(store: Store, pairs: list[Pair]) -> Iterator[HistoryChange]:
    """Yield each count that takes the place of one that was removed: that corrects what its removal has left."""
    added = [new for old, new in pairs if old is None]
    starts = [new.from_ms for new in added]
    if not added or not has_corrections(store, "count", min(starts), max(starts)):  # which is usual
        return
    for new in added:
        thing = "count", new.site_id, f"{new.source_id}/{new.id}"
        if was_removed(store, *thing, new.from_ms):
            after = state_of_count(new, places.timezone(store, new.site_id) or "UTC")
            yield HistoryChange(*thing, None, after, new.from_ms, new.to_ms, corrects=True)


def state_of_count(count: table.CountRow, timezone: str) -> dict[str, Any]:
    """Return a count as the history keeps it."""
    from_, to = (local(at_ms, timezone).isoformat() for at_ms in (count.from_ms, count.to_ms))
    return {
        "kind": count.kind,
        "from": from_,
        "to": to,
        "count": count.figure,
        "checkout_point_id": count.checkout_point_id,
        "console_id": count.at_console_id,
        "seller_id": count.of_seller_id,
    }


def assign(store: Store, site_id: str, from_ms: int = 0, to_ms: int = LATEST_MS) -> None:
    """Assign the counts of a site again, after a change to shifts, placements or the time zone."""
    for _ in assign_steps(store, site_id, from_ms, to_ms):
        pass


def assign_steps(store: Store, site_id: str, from_ms: int = 0, to_ms: int = LATEST_MS) -> Iterator[None]:
    """Assign the counts of a site again in steps, each of which may be a transaction of its own."""
    store.cache.places.pop(site_id, None)
    last: table.Name | None = None
    while found := table.some_of_site(store, site_id, from_ms, to_ms, last, ASSIGNED_AT_ONCE):
        site = _site_places(store, site_id)
        table.put_in_force(store, [new for old in found if (new := _assigned(old, site)) != old])
        last = found[-1][:3]
        yield


def assign_all(store: Store) -> None:
    """Assign all counts again."""
    for site_id in places.timezones(store):
        assign(store, site_id)


def _site_places(store: Store, site_id: str) -> SitePlaces:
    site = store.cache.places.get(site_id)
    if site is None:
        timezone = places.timezone(store, site_id) or "UTC"
        placements: dict[str | None, list[Placement]] = {}
        for placement in places.placements(store, site_id):
            placements.setdefault(placement.checkout_point_id, []).append(placement)
        keys = {placement.console_key for found in placements.values() for placement in found}
        shifts = {key: Timeline(places.shifts(store, key)) for key in keys}
        site = store.cache.places[site_id] = SitePlaces(timezone, placements, shifts)
    return site


def _assigned(count: table.CountRow, site: SitePlaces) -> table.CountRow:
    """Assign a count to the console at its checkout point at `from_ms`, if there is one, and its seller on shift.

    Times as typed are resolved anew.
    """
    if count.from_as is not None:
        count = count._replace(from_ms=typed_ms(count.from_as, site.timezone))
    if count.to_as is not None:
        count = count._replace(to_ms=typed_ms(count.to_as, site.timezone))
    at_ms = count.from_ms
    standing = [
        placement
        for placement in site.placements.get(count.checkout_point_id, ())
        if placement.from_ms <= at_ms and (placement.to_ms is None or at_ms < placement.to_ms)
    ]
    sellers = {site.shifts[placement.console_key].at(at_ms)[2] for placement in standing} - {None}
    return count._replace(
        at_console_id=standing[0].console_id if len(standing) == 1 else None,
        of_seller_id=count.seller_id or (sellers.pop() if len(sellers) == 1 else None),
        hour=hour_of(at_ms, site.timezone),
    )
