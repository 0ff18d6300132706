"""Import who was on shift where from a CSV file, all of it or nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.csv_file import CsvFile, Line
from bridge.admin.imports import ROWS_AT_ONCE, accept
from bridge.admin.known_names import KnownNames
from bridge.model.history import HistoryChange
from bridge.model.local_time import as_typed, instant_ms, local
from bridge.model.periods import NOT_TYPED, Shift, TypedTimes
from bridge.store import imports, places, seller_names
from bridge.store.consoles import find_console
from bridge.store.history import CorrectedTimes, record_changes
from bridge.text import is_visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.admin.commands import ImportShifts
    from bridge.admin.imports import Steps
    from bridge.model.history import State
    from bridge.store import Store

COLUMNS = ("site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at")
MAX_SELLER_ID = 64
NOTES = 10  # about single lines of a file
LONGEST_DAY_MS = 25 * 3_600_000  # when summer time ends


class ShiftLine(NamedTuple):
    """A valid line of the file: a shift at a console."""

    number: int
    site_id: str
    console_id: str
    seller_name: str
    shift: Shift
    typed: TypedTimes


def import_shifts(store: Store, command: ImportShifts) -> Steps:
    """Set the shifts of a CSV file, all or none, in steps; update surveys and counts. Raises TrivoxError."""
    file = CsvFile(command.name, command.text, COLUMNS)
    names = KnownNames(store, new=command.new)
    given: list[ShiftLine] = []
    for line in file:
        with line.reporting():
            given.append(_read_line(store, line))
            names.check_console(given[-1].site_id, given[-1].console_id)
        if line.number % ROWS_AT_ONCE == 0:
            yield
    yield from _refuse_overlaps(store, file, given)
    file.check()
    imports.begin(store)
    replaced, corrected = 0, CorrectedTimes(store, "shift")
    for start in range(0, len(given), ROWS_AT_ONCE):
        some = given[start : start + ROWS_AT_ONCE]
        changes = [_change(store, line, corrected) for line in some]
        record_changes(store, changes, pending=True)
        replaced += sum(change.before is not None and change.before != change.after for change in changes)
        places.stage_shifts(store, [(line.site_id, line.console_id, line.shift, line.typed) for line in some])
        seller_names.stage_names(store, [(line.site_id, line.shift.seller_id, line.seller_name) for line in some])
        yield
    renamed = record_changes(store, _renames(store), pending=True)
    notes = [*_notes(given), *_on_two_names(store)][:NOTES]
    made = names.make_new()
    accept(store)
    return {"shifts": len(given), "made": made, "replaced": replaced, "renamed": renamed, "notes": notes}


def _renames(store: Store) -> list[HistoryChange]:
    return [
        HistoryChange("seller", site_id, seller_id, {"seller_name": before}, {"seller_name": after}, corrects=False)
        for site_id, seller_id, before, after in seller_names.staged_renames(store)
    ]


def _on_two_names(store: Store) -> Iterator[str]:
    """Say which ids stand for two names at two sites, and so perhaps for two people."""
    for seller_id, site_id, name, other_site, other_name in seller_names.staged_differences(store):
        yield (
            f"{seller_id} is called {name} at {site_id} and {other_name} at {other_site}: if they are two people, give "
            "each a seller_id of his own"
        )


def _notes(given: list[ShiftLine]) -> list[str]:
    """Say which shifts are longer than people work, and who has several names."""
    names: dict[tuple[str, str], str] = {}
    notes = []
    for line in given:
        shift = line.shift
        if shift.ended_at_ms - shift.started_at_ms > LONGEST_DAY_MS:
            notes.append(f"line {line.number}: this shift of {shift.seller_id} lasts longer than a day")
        known_by = line.site_id, shift.seller_id
        if names.setdefault(known_by, line.seller_name) != line.seller_name and line.seller_name:
            notes.append(f"line {line.number}: {shift.seller_id} is called otherwise above; the last name is kept")
            names[known_by] = line.seller_name
    return notes


def _change(store: Store, line: ShiftLine, corrected: CorrectedTimes) -> HistoryChange:
    """Return what a line changes.

    A shift corrects what was known of its time if it takes the place of another, be it one of a longer time or one
    that was removed, or is put in before later ones.
    """
    timezone = places.timezone(store, line.site_id) or "UTC"
    new, console = line.shift, (line.site_id, line.console_id)
    old, is_known_on = places.known_shift(store, *console, new.started_at_ms)
    before, after = (shift and state_of_shift(shift, timezone) for shift in (old, new))
    period = new.started_at_ms, max(new.ended_at_ms, old.ended_at_ms if old else 0)
    was_known = old is not None or is_known_on or corrected.touch(*console, *period)
    return HistoryChange("shift", *console, before, after, *period, new.started_at_ms < store.now_ms and was_known)


def state_of_shift(shift: Shift, timezone: str) -> State:
    """Return a shift as the history keeps it."""
    started_at, ended_at = (local(at_ms, timezone).isoformat() for at_ms in (shift.started_at_ms, shift.ended_at_ms))
    return {"seller_id": shift.seller_id, "started_at": started_at, "ended_at": ended_at}


def _read_line(store: Store, line: Line) -> ShiftLine:
    site_id, console_id = line.identifier("site_id"), line.identifier("console_id")
    seller_id = line["seller_id"]
    if not 0 < len(seller_id) <= MAX_SELLER_ID or not is_visible(seller_id):
        raise ValueError(f"seller_id {seller_id!r} must be 1 to {MAX_SELLER_ID} printable characters")
    timezone = places.timezone(store, site_id) or "UTC"
    moments = [line.moment(column) for column in ("started_at", "ended_at")]
    started_at_ms, ended_at_ms = instant_ms(moments[0], timezone), instant_ms(moments[1], timezone, is_end=True)
    if ended_at_ms <= started_at_ms:
        raise ValueError("the shift must end after it starts")
    shift, typed = Shift(started_at_ms, ended_at_ms, seller_id), TypedTimes(*map(as_typed, moments))
    return ShiftLine(line.number, site_id, console_id, line["seller_name"], shift, typed)


def _refuse_overlaps(store: Store, file: CsvFile, given: list[ShiftLine]) -> Iterator[None]:
    """Add an error for each overlap that the import would leave; shifts that only touch are fine."""
    by_console: dict[tuple[str, str], list[ShiftLine]] = {}
    for line in given:
        by_console.setdefault((line.site_id, line.console_id), []).append(line)
    for name, lines in by_console.items():
        console = find_console(store, *name)
        before = places.shifts_of_console(store, console.key) if console else []
        if places.timezone_is_set(store, name[0]):
            file.errors += _overlaps([shift for shift, _ in before], lines)
        else:
            file.errors += _overlaps_in_any_zone(before, lines)
        yield


def _overlaps_in_any_zone(before: list[tuple[Shift, TypedTimes]], lines: list[ShiftLine]) -> Iterator[str]:
    """Yield a sentence for each two shifts that would overlap whatever the time zone is that nobody has set yet."""
    for is_typed in (False, True):
        some = [shift for shift, typed in before if (typed != NOT_TYPED) == is_typed]
        yield from _overlaps(some, [line for line in lines if (line.typed != NOT_TYPED) == is_typed])
    starts = {(shift.started_at_ms, typed != NOT_TYPED): "one that was imported before" for shift, typed in before}
    starts |= {(line.shift.started_at_ms, line.typed != NOT_TYPED): f"the one in line {line.number}" for line in lines}
    told: set[int] = set()
    for line in lines:
        start_ms = line.shift.started_at_ms
        other = starts.get((start_ms, line.typed == NOT_TYPED))
        if other is not None and start_ms not in told:
            told.add(start_ms)
            yield (
                f"line {line.number}: as long as nobody has set the time zone of {line.site_id}, the shift starts with "
                f"{other}, though one has an offset and the other has none: set it first, with `trivox site set`"
            )


def _overlaps(before: list[Shift], lines: list[ShiftLine]) -> Iterator[str]:
    """Yield a sentence for each two shifts of a console that would overlap."""
    numbers: dict[int, int] = {}
    for line in lines:
        first = numbers.setdefault(line.shift.started_at_ms, line.number)
        if first != line.number:
            yield f"line {line.number}: the shift overlaps the one in line {first}"
    after = {shift.started_at_ms: shift for shift in before} | {line.shift.started_at_ms: line.shift for line in lines}
    ordered = [after[start] for start in sorted(after)]
    for earlier, later in pairwise(ordered):
        if earlier.ended_at_ms <= later.started_at_ms:
            continue
        number, other = numbers.get(later.started_at_ms), numbers.get(earlier.started_at_ms)
        if number is not None and other is not None:
            yield f"line {max(number, other)}: the shift overlaps the one in line {min(number, other)}"
        elif number is not None or other is not None:
            seller_id = (earlier if number is not None else later).seller_id
            yield f"line {number or other}: the shift overlaps one of {seller_id} that was imported before"
