"""`trivox history`: who changed what, when, and what was before."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, Database, day_of
from bridge.cli.output import print_aligned, print_json, print_line
from bridge.data_formats import to_json
from bridge.errors import UsageError
from bridge.model.history import KINDS
from bridge.model.local_time import day_starts_ms
from bridge.store import audits, open_store
from bridge.store import history as table
from bridge.text import printable, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.model.history import HistoryChange, RecordedChange, State

LONGEST_SHOWN = 60  # characters of a value that was changed
BEFORE_A_DIFFERENCE = 12
NOT_YET = "until a second expert has judged it, too"


def history(
    site: Annotated[
        str | None, typer.Option("--site", help="Only changes to this site, and those that concern all sites.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only changes to this kind of thing, such as shift.")
    ] = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day on which they were made (UTC).")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The day after the last one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects, for programs.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Show who changed what, when, by which command, and what was before. A star marks changes to time already past."""
    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind {printable(kind)!r} is not a kind of thing: give one of {', '.join(KINDS)}.")
    period = {"from_ms": _instant("--from", from_day), "to_ms": _instant("--to", to_day)}
    store = open_store(database)
    try:
        changes = table.changes(store, site_id=site, kind=kind, **period)
        if site is not None and all(recorded.change.site_id != site for recorded in changes):
            KnownNames(store).check_site(site)  # a removed one is known by its history alone
        waiting = {str(audit_id) for audit_id in audits.waiting_for_second(store)}
    finally:
        store.close()
    changes = [_blind(recorded, waiting) for recorded in changes]
    if as_json:
        print_json(to_json([_as_object(recorded) for recorded in changes], indent=1) + "\n")
        return
    if not changes:
        print_line("No such change is known.")
    print_aligned([_cells(recorded) for recorded in changes])


def _blind(recorded: RecordedChange, waiting: set[str]) -> RecordedChange:
    """Withhold what an expert found of an audit for as long as another one is to judge it without knowing that."""
    change = recorded.change
    if change.kind != "audit" or change.name not in waiting:
        return recorded
    return recorded._replace(change=change._replace(before={"verdict": "not told"}, after={"verdict": NOT_YET}))


def _instant(option: str, text: str | None) -> int | None:
    day = day_of(option, text)
    return None if day is None else day_starts_ms(day, "UTC")


def _as_object(recorded: RecordedChange) -> dict[str, Any]:
    who, command = recorded.origin
    kind, site_id, name, before, after, *_ = recorded.change
    return {
        "changed_at": datetime.fromtimestamp(recorded.changed_at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "who": who,
        "command": command,
        "kind": kind,
        "site_id": site_id or None,
        "name": name or None,
        "before": before,
        "after": after,
        "is_correction": recorded.is_correction,
    }


def _cells(recorded: RecordedChange) -> list[str]:
    change = recorded.change
    thing = "/".join(part for part in (change.site_id, change.name) if part) or "all"
    at = utc(recorded.changed_at_ms) + (" *" if recorded.is_correction else "")
    return [
        at,
        *map(printable, (recorded.origin.who, recorded.origin.command, f"{change.kind} {thing}")),
        _what(change),
    ]


def _what(change: HistoryChange) -> str:
    """Say which fields were changed, from what to what."""
    before, after = _flat(change.before or {}), _flat(change.after or {})
    parts = []
    for field in [*before, *(field for field in after if field not in before)]:
        old, new = before.get(field), after.get(field)
        if change.before is None or change.after is None:
            parts.append(f"{field} {_value(old if change.after is None else new)}")
        elif old != new:
            parts.append(f"{field} {' → '.join(_cut(_value(old), _value(new)))}")
    word = "added: " if change.before is None else "removed: " if change.after is None else ""
    return printable(word + ", ".join(parts))


def _flat(state: State) -> dict[str, Any]:
    """Return a state with a field for each value of a field that holds several, such as the texts of a question."""
    flat: dict[str, Any] = {}
    for field, value in state.items():
        flat |= {f"{field}.{name}": part for name, part in value.items()} if isinstance(value, dict) else {field: value}
    return flat


def _cut(old: str, new: str) -> Iterator[str]:
    """Yield two values, long ones cut to what is different and a little before it."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = max(0, same - BEFORE_A_DIFFERENCE)
    for text in (old, new):
        shown = text if len(text) <= LONGEST_SHOWN or not start else f"…{text[start:]}"
        yield shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(history)
