"""Import transactions and visitors from a CSV file."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from bridge.admin.csv_file import CsvFile, Line
from bridge.admin.imports import ROWS_AT_ONCE, accept
from bridge.admin.known_names import KnownNames
from bridge.model.cell_values import has_time
from bridge.model.feed_faults import days_around, find_faults, in_words
from bridge.model.local_time import as_typed, instant_ms, iso_text
from bridge.model.periods import TypedTimes
from bridge.store import counts as counts_table
from bridge.store import imports, places
from bridge.surveys.counts import CountMessage, CountsIntake
from bridge.text import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Any

    from bridge.admin.commands import ImportCounts
    from bridge.admin.imports import Steps
    from bridge.store import Store


COLUMNS = ("site_id", "source_id", "kind", "from", "to", "count")
NOTES = 10  # about sellers
MORE_COLUMNS = ("id", "checkout_point_id", "seller_id")


def import_counts(store: Store, command: ImportCounts) -> Steps:
    """Store the counts of a CSV file, all or none, in steps. Raises TrivoxError."""
    file = CsvFile(command.name, command.text, COLUMNS, MORE_COLUMNS)
    names = KnownNames(store, new=command.new)
    nameless, sellers = _Nameless(store), dict[str, int]()  # … and the first line of each
    imports.begin(store)
    intake = CountsIntake(store)
    count = replaced = 0
    for count, line in enumerate(file, 1):
        with line.reporting():
            site_id, source_id = line.identifier("site_id"), line.identifier("source_id")
            names.check_site(site_id)
            if line.get("checkout_point_id"):
                names.check_checkout_point(site_id, line["checkout_point_id"])
            sellers.setdefault(line.get("seller_id", ""), line.number)
            moments = line.moment("from"), line.moment("to")
            message = _message(line, moments, places.timezone(store, site_id) or "UTC")
            typed = TypedTimes(*map(as_typed, moments))
            if not line.get("id"):
                message.id = nameless.id_of(site_id, source_id, message, typed.start)
            raw = msgspec.json.encode(message).decode()
            intake.keep(site_id, source_id, message, raw, typed)
        if count % ROWS_AT_ONCE == 0:
            replaced += intake.stage()
            yield
    replaced += intake.stage()
    file.check()
    made = names.make_new()
    notes = [*_notes(store), *nameless.notes(), *islice(_on_sellers(names, sellers), NOTES)]
    accept(store)
    return {"counts": count, "made": made, "notes": notes, "replaced": replaced}


def _on_sellers(names: KnownNames, sellers: dict[str, int]) -> Iterator[str]:
    """Say which sellers may be mistyped; each is given with his first line."""
    for seller_id, number in sellers.items():
        nearest = names.hint_of_seller(seller_id) if seller_id else None
        if nearest is not None:
            yield (
                f"line {number}: no shift names seller {printable(seller_id)}: did you mean {printable(nearest)}? Then "
                "import the file again with that name"
            )


class _Nameless:
    """The counts of a file that have no id: each is named by its kind and its `from` as typed.

    Once the time zone is set, a time with an offset and one without that mean the same instant name the same count. On
    a day that begins at 01:00, `0:00` and `1:00` are the same instant, but two names.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str, str, int], list[str | None]] = {}  # `from` as typed
        self._twins = 0

    def id_of(self, site_id: str, source_id: str, message: CountMessage, start: str | None) -> str:
        """Return the id of a count, which is that of the count in force that it replaces. Raises ValueError."""
        name = site_id, source_id, message.kind, message.from_ms
        zone_is_set = places.timezone_is_set(self._store, site_id)
        earlier = self._seen.setdefault(name, [])
        if any(_is_same(start, other, zone_is_set=zone_is_set) for other in earlier):
            raise ValueError("an earlier line has the same source, kind and `from`: give each an id")
        earlier.append(start)
        old = f"{message.kind}:{message.from_ms}"  # as older versions named it
        same = [
            (other != start, id_)
            for id_, other in counts_table.nameless(self._store, *name)
            if id_ == old or _is_same(start, other, zone_is_set=zone_is_set)
        ]
        self._twins += len(same) > 1
        return min(same)[1] if same else message.id

    def notes(self) -> Iterator[str]:
        """Say what is in force twice, as it was imported before the time zone was set."""
        if self._twins:
            yield (
                f"{plural(self._twins, 'count')} of this file may be counted twice: before the time zone was set, each "
                "was imported with an offset and without; see `trivox counts list --each`"
            )


def _is_same(start: str | None, other: str | None, *, zone_is_set: bool) -> bool:
    return start == other or (zone_is_set and None in {start, other})


def _notes(store: Store) -> list[str]:
    """Say what the file counts twice, together with what is stored, and which of its sources are silent."""
    faults = []
    for site_id, first_day, last_day in counts_table.days_of_staged(store):
        found = find_faults(counts_table.intervals(store, days_around(first_day, last_day), site_id, with_staged=True))
        faults += [fault for fault in found if first_day <= fault.day <= last_day]
    return in_words(faults)


def _message(line: Line, moments: tuple[datetime, datetime], timezone: str) -> CountMessage:
    """Turn a line into the message that a source would have sent. Raises ValueError."""
    from_ms, to_ms = instant_ms(moments[0], timezone), instant_ms(moments[1], timezone, is_end=True)
    fields: dict[str, Any] = {
        "id": line.get("id") or f"{line['kind']}:{iso_text(moments[0])}",
        "kind": line["kind"],
        "from_ms": from_ms,
        "to_ms": to_ms,
        "count": line.whole_number("count"),
        "checkout_point_id": line.get("checkout_point_id") or None,
        "seller_id": line.get("seller_id") or None,
    }
    if fields["kind"] not in {"transactions", "visitors"}:
        raise ValueError(f"kind must be transactions or visitors, not {fields['kind']!r}")
    if to_ms < from_ms:
        raise ValueError("`to` is before `from`")
    if moments[0] == moments[1] and not (has_time(line["from"]) or has_time(line["to"])):
        raise ValueError("`from` and `to` are the same day: for a whole day, give the day after as `to`")
    try:
        return msgspec.convert(fields, CountMessage)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
