"""The `list` commands, but for consoles: show what is known, defined and chosen."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, ConsoleOption, Database, FromDay, ToDay, day_of, scope
from bridge.cli.output import print_line, print_rows
from bridge.cli.shared_groups import (
    checkout_point_app,
    counts_app,
    join,
    question_app,
    seller_app,
    settings_app,
    shift_app,
    site_app,
    source_app,
    viewer_app,
)
from bridge.keyring import Keyring
from bridge.model.local_time import local
from bridge.store import listings, open_store
from bridge.store import settings as settings_table
from bridge.store.connection import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from bridge.store import Store

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list of objects, for programs.")]
OfSite = Annotated[str | None, typer.Option("--site", help="Only of this site.")]


def _opened(database: Database) -> AbstractContextManager[Store]:
    return closing(open_store(database))


@site_app.command("list")
def site_list(as_json: AsJson = False, database: Database = DATABASE) -> None:  # noqa: FBT002 - an option of the command line
    """List all sites."""
    with _opened(database) as store:
        rows = [
            {
                "site_id": site_id,
                "timezone": zone,
                "consoles": in_service,
                "retired": retired,
                "checkout_points": points,
                "last_heard": _local(seen_ms or None, zone),
                "timezone_is_set": bool(is_set),
            }
            for site_id, zone, is_set, in_service, retired, points, seen_ms in listings.sites(store)
        ]
    print_rows(rows, "No site is known yet: make one with `trivox site set`.", as_json=as_json)


@checkout_point_app.command("list")
def checkout_point_list(
    site: OfSite = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """List checkout points, and which console stands or stood there."""
    with _opened(database) as store:
        _check(store, site, "")
        rows = [
            {
                "site_id": site_id,
                "checkout_point_id": point,
                "console_id": console_id,
                "from": None if not from_ms else _local(from_ms, zone),  # 0: since its first event
                "to": _local(to_ms, zone),
            }
            for site_id, point, console_id, from_ms, to_ms, zone in listings.checkout_points(store, site)
        ]
    print_rows(rows, "No checkout point is known: make one with `trivox checkout-point set`.", as_json=as_json)


@shift_app.command("list")
def shift_list(
    site: OfSite = None,
    console: ConsoleOption = None,
    seller: Annotated[str | None, typer.Option("--seller", help="Only of this seller.")] = None,
    from_day: FromDay = None,
    to_day: ToDay = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """List who is and was on shift, the earliest first."""
    selected, days = scope(site, console, for_all=False), (day_of("--from", from_day), day_of("--to", to_day))
    site_id, console_id = (selected.site_id, selected.console_id) if selected else ("", "")
    with _opened(database) as store:
        _check(store, site_id, console_id)
        if seller is not None:
            KnownNames(store).check_seller(seller)
        rows = [
            {
                "site_id": at_site,
                "console_id": at_console,
                "seller_id": who,
                "seller_name": name,
                "started_at": _local(started_ms, zone),
                "ended_at": _local(ended_ms, zone),
            }
            for at_site, at_console, who, name, started_ms, ended_ms, zone in listings.shifts(
                store, (site_id, console_id, seller)
            )
        ]
    first, after = (day.isoformat() if day else None for day in days)
    rows = [
        row for row in rows if (not first or row["started_at"] >= first) and (not after or row["started_at"] < after)
    ]
    print_rows(rows, "No such shift is known: import some with `trivox shift import`.", as_json=as_json)


@counts_app.command("list")
def counts_list(
    site: OfSite = None,
    source: Annotated[str | None, typer.Option("--source", help="Only of this till or people counter.")] = None,
    each: Annotated[bool, typer.Option("--each", help="List each count, not their sums.")] = False,  # noqa: FBT002 - options of the command line
    as_json: AsJson = False,  # noqa: FBT002
    database: Database = DATABASE,
) -> None:
    """List what tills and people counters have counted: sums for each source, kind and checkout point."""
    with _opened(database) as store:
        _check(store, site, "")
        if source is not None:
            KnownNames(store).check_source(source)
        rows = list(_each_count(store, site, source) if each else _sums_of_counts(store, site, source))
    print_rows(rows, "No such count is known: import some with `trivox counts import`.", as_json=as_json)


def _each_count(store: Store, site: str | None, source: str | None) -> Iterator[dict[str, object]]:
    for site_id, source_id, id_, kind, from_ms, to_ms, count, point, seller, zone in listings.each_count(
        store, site, source
    ):
        yield {
            "site_id": site_id,
            "source_id": source_id,
            "id": id_,
            "kind": kind,
            "from": _local(from_ms, zone),
            "to": _local(to_ms, zone),
            "count": count,
            "checkout_point_id": point,
            "seller_id": seller,
        }


def _sums_of_counts(store: Store, site: str | None, source: str | None) -> Iterator[dict[str, object]]:
    for site_id, source_id, kind, point, count, total, from_ms, to_ms, zone in listings.counts(store, site, source):
        yield {
            "site_id": site_id,
            "source_id": source_id,
            "kind": kind,
            "checkout_point_id": point,
            "counts": count,
            "sum": total,
            "from": _local(from_ms, zone),
            "to": _local(to_ms, zone),
        }


@seller_app.command("list")
def seller_list(as_json: AsJson = False, database: Database = DATABASE) -> None:  # noqa: FBT002 - an option of the command line
    """List all sellers that shifts have named."""
    with _opened(database) as store:
        rows = [
            {"seller_id": seller_id, "seller_name": name, "shifts": shifts, "last_shift_ended": _local(ended_ms, zone)}
            for seller_id, name, shifts, ended_ms, zone in listings.sellers(store)
        ]
    print_rows(rows, "No seller is known yet: import shifts with `trivox shift import`.", as_json=as_json)


@source_app.command("list")
def source_list(database: Database = DATABASE) -> None:
    """List the tills and people counters that have a login."""
    require(database)
    _print_names(Keyring(database).sources(), "No source is enrolled: give one a login with `trivox source enroll`.")


@viewer_app.command("list")
def viewer_list(database: Database = DATABASE) -> None:
    """List the people and programs that have a login to read with."""
    require(database)
    _print_names(Keyring(database).viewers(), "No viewer is enrolled: give one a login with `trivox viewer enroll`.")


def _print_names(names: list[str], empty: str) -> None:
    for name in names or [empty]:
        print_line(name)


@question_app.command("list")
def question_list(database: Database = DATABASE) -> None:
    """List all key questions."""
    store = open_store(database)
    for question in settings_table.questions(store).values():
        revision = settings_table.newest_revision(store, question.question_id)
        if revision is None:
            continue
        since = f", {question.silent_weight_on}" if question.silent_weight_on else ""
        print_line(
            f"{question.question_id}, revision {revision.question_revision}, {revision.kind}, "
            f"silent weight {question.silent_weight:.3g} ({question.silent_weight_origin}{since})"
        )
        for language, text in revision.texts.items():
            print_line(f"  {language}: {text}")
    store.close()


@settings_app.command("list")
def settings_list(database: Database = DATABASE) -> None:
    """List the chosen settings. Those for all consoles come first, then those for sites and consoles."""
    store = open_store(database)
    chosen = settings_table.chosen(store)
    for site_id, console_id, name, value in chosen:
        consoles = f"{site_id}/{console_id}" if console_id else site_id or "all"
        print_line(f"{consoles}: {name}={value if isinstance(value, str) else json.dumps(value)}")
    if not chosen:
        print_line("No settings were chosen: all consoles use the defaults.")
    store.close()


def _check(store: Store, site_id: str | None, console_id: str) -> None:
    KnownNames(store).check_scope(site_id or "", console_id)


def _local(at_ms: int | None, timezone: str | None) -> str | None:
    """Return an instant in a site's time, as 2026-11-22T13:00+02:00."""
    return None if at_ms is None or timezone is None else local(at_ms, timezone).isoformat(timespec="minutes")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "site", site_app)
    join(app, "checkout-point", checkout_point_app)
    join(app, "shift", shift_app)
    join(app, "counts", counts_app)
    join(app, "seller", seller_app)
    join(app, "source", source_app)
    join(app, "viewer", viewer_app)
    join(app, "question", question_app)
    join(app, "settings", settings_app)
