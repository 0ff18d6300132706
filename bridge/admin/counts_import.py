"""Import transactions and visitors from a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bridge.admin.csv_file import CsvFile, Line
from bridge.admin.imports import ROWS_AT_ONCE, accept
from bridge.admin.known_names import KnownNames
from bridge.model.feed_faults import find_faults, in_words
from bridge.model.local_time import as_typed, instant_ms, iso_text
from bridge.model.periods import TypedTimes
from bridge.store import counts as counts_table
from bridge.store import imports, places
from bridge.surveys.counts import CountMessage, CountsIntake

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from bridge.admin.commands import ImportCounts
    from bridge.admin.imports import Steps
    from bridge.store import Store


COLUMNS = ("site_id", "source_id", "kind", "from", "to", "count")
MORE_COLUMNS = ("id", "checkout_point_id", "seller_id")


def import_counts(store: Store, command: ImportCounts) -> Steps:
    """Store the counts of a CSV file, all or none, in steps. Raises TrivoxError."""
    file = CsvFile(command.name, command.text, COLUMNS, MORE_COLUMNS)
    names = KnownNames(store, new=command.new)
    seen: set[tuple[str, str, str, int]] = set()  # those without an id
    imports.begin(store)
    intake = CountsIntake(store)
    count = replaced = 0
    for count, line in enumerate(file, 1):
        with line.reporting():
            site_id, source_id = line.identifier("site_id"), line.identifier("source_id")
            names.check_site(site_id)
            if line.get("checkout_point_id"):
                names.check_checkout_point(site_id, line["checkout_point_id"])
            moments = line.moment("from"), line.moment("to")
            message = _message(line, moments, places.timezone(store, site_id) or "UTC")
            if not line.get("id"):
                nameless = site_id, source_id, message.kind, message.from_ms
                if nameless in seen:
                    raise ValueError("an earlier line has the same source, kind and `from`: give each an id")
                seen.add(nameless)
                message.id = counts_table.id_of_nameless(store, *nameless) or message.id
            raw = msgspec.json.encode(message).decode()
            intake.keep(site_id, source_id, message, raw, TypedTimes(*map(as_typed, moments)))
        if count % ROWS_AT_ONCE == 0:
            replaced += intake.stage()
            yield
    replaced += intake.stage()
    file.check()
    made = names.make_new()
    notes = _notes(store)
    accept(store)
    return {"counts": count, "made": made, "notes": notes, "replaced": replaced}


def _notes(store: Store) -> list[str]:
    """Say what the file counts twice, together with what is stored, and which of its sources are silent."""
    faults = []
    for site_id, first_day, last_day in counts_table.days_of_staged(store):
        hours = first_day, f"{last_day}T~"  # after the last hour, whatever its offset
        faults += find_faults(counts_table.intervals(store, hours, site_id, with_staged=True))
    return in_words(faults)


def _message(line: Line, moments: tuple[datetime, datetime], timezone: str) -> CountMessage:
    """Turn a line into the message that a source would have sent. Raises ValueError."""
    from_ms, to_ms = (instant_ms(moment, timezone) for moment in moments)
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
    try:
        return msgspec.convert(fields, CountMessage)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
