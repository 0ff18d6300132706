"""Limit a report to the sites, consoles, sellers and the key question that the user names; refuse unknown names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames
from bridge.errors import UsageError
from bridge.store import places
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.reports.report_query import ReportQuery
    from bridge.store import Store


def limit(
    store: Store, query: ReportQuery, sites: Sequence[str], consoles: Sequence[str], sellers: Sequence[str]
) -> ReportQuery:
    """Return the query, limited to what is named; nothing named is no limit. Raises UsageError for unknown names."""
    known = KnownNames(store)
    if query.question_id is not None:
        known.check_question(query.question_id)
    for site_id in sites:
        known.check_site(site_id)
    for seller_id in sellers:
        known.check_seller(seller_id)
    named = [name for console in consoles for name in _consoles(store, known, console, sites)]
    return replace(
        query,
        site_ids=tuple(sites) or None,
        consoles=tuple(f"{site_id}/{console_id}" for site_id, console_id in named) or None,
        seller_ids=tuple(sellers) or None,
    )


def _consoles(store: Store, known: KnownNames, console: str, sites: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (site_id, console_id) of the consoles that a name stands for: SITE/CONSOLE, or CONSOLE at any site."""
    site_id, slash, console_id = console.partition("/")
    if slash:
        known.check_console(site_id, console_id)
        if sites and site_id not in sites:
            raise UsageError(f"--console names site {printable(site_id)}, which --site leaves out: name it there too.")
        yield site_id, console_id
        return
    found = [name for name in places.consoles(store) if name[1] == console and (not sites or name[0] in sites)]
    if not found:
        for at_site in sites[:1]:
            known.check_console(at_site, console)
        known.check_console_anywhere(console)
    yield from found
