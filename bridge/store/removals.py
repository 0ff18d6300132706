"""Find out what hangs on a name, and delete names on which nothing hangs that was received."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.store import coverage, flags
from bridge.store.counts import COUNT_COLUMNS, CountRow
from bridge.store.coverage import CountedTimes

if TYPE_CHECKING:
    from bridge.store.connection import Row, Store


class Received(NamedTuple):
    """How much was received from a console."""

    epochs: int
    events: int
    surveys: int


class RemovedShift(NamedTuple):
    """A shift to be removed."""

    console_key: int
    site_id: str
    console_id: str
    started_at_ms: int
    ended_at_ms: int
    seller_id: str


def received_from(store: Store, console_key: int) -> Received:
    """Return how much was received from a console."""
    row = store.one(
        "SELECT (SELECT count(*) FROM epoch WHERE console_key = ?1), (SELECT CAST(total(high - low + 1) AS INTEGER)"
        " FROM received JOIN epoch USING (epoch_key) WHERE console_key = ?1),"
        " (SELECT count(*) FROM survey WHERE console_key = ?1)",
        (console_key,),
    )
    return Received(*row) if row else Received(0, 0, 0)


def placements_of(store: Store, console_key: int, checkout_point_id: str | None = None) -> list[tuple[int, str]]:
    """Return (from_ms, checkout_point_id) of a console's placements, all or those at one point."""
    return store.all(
        "SELECT from_ms, checkout_point_id FROM placement WHERE console_key = ?1"
        " AND (?2 IS NULL OR checkout_point_id = ?2) ORDER BY 1",
        (console_key, checkout_point_id),
    )


def delete_placement(store: Store, console_key: int, from_ms: int) -> None:
    """Delete a placement: the one before it then holds on."""
    coverage.mark_placement(store, console_key, from_ms)
    store.run("DELETE FROM placement WHERE console_key = ? AND from_ms = ?", (console_key, from_ms))


def consoles_at(store: Store, site_id: str, checkout_point_id: str) -> list[tuple[int, str]]:
    """Return (console_key, console_id) of the consoles that were ever placed at a checkout point."""
    return store.all(
        "SELECT DISTINCT console_key, console_id FROM placement JOIN console USING (console_key)"
        " WHERE site_id = ? AND checkout_point_id = ? ORDER BY 2",
        (site_id, checkout_point_id),
    )


def delete_checkout_point(store: Store, site_id: str, checkout_point_id: str) -> None:
    """Delete a checkout point without placements."""
    store.run("DELETE FROM checkout_point WHERE site_id = ? AND checkout_point_id = ?", (site_id, checkout_point_id))


def delete_console(store: Store, console_key: int, site_id: str, console_id: str) -> None:
    """Delete a console that sent no events, with what people decided about it."""
    coverage.mark_sites(store, [site_id])
    for table in ("shift", "placement", "board", "console_mac", "word_mac", "proved_word", "update_order", "console"):
        store.run(f"DELETE FROM {table} WHERE console_key = ?", (console_key,))  # noqa: S608 - the names above
    _delete_settings(store, site_id, console_id)
    store.run("UPDATE settings_sent SET published = 1 WHERE site_id = ? AND console_id = ?", (site_id, console_id))


def delete_site(store: Store, site_id: str) -> None:
    """Delete a site without consoles and counts."""
    _delete_settings(store, site_id, "")
    store.run("DELETE FROM checkout_point WHERE site_id = ?", (site_id,))
    store.run("DELETE FROM seller_at_site WHERE site_id = ?", (site_id,))
    store.run("DELETE FROM site WHERE site_id = ?", (site_id,))


def settings_of(store: Store, site_id: str, console_id: str) -> list[tuple[str, str]]:
    """Return (name, value as JSON) of what was chosen for a console, or for a site if `console_id` is empty."""
    return store.all(
        "SELECT name, value FROM setting WHERE site_id = ? AND console_id = ? ORDER BY 1", (site_id, console_id)
    )


def _delete_settings(store: Store, site_id: str, console_id: str) -> None:
    store.run("DELETE FROM setting WHERE site_id = ? AND console_id = ?", (site_id, console_id))


def shifts_beginning(
    store: Store, console_key: int, seller_id: str | None, from_ms: int, to_ms: int
) -> list[RemovedShift]:
    """Return a console's shifts that begin in a period, its end not included, of one seller or all."""
    rows = store.all(
        "SELECT console_key, site_id, console_id, started_at_ms, ended_at_ms, seller_id FROM shift"
        " JOIN console USING (console_key) WHERE console_key = ?1 AND started_at_ms >= ?2 AND started_at_ms < ?3"
        " AND (?4 IS NULL OR seller_id = ?4) ORDER BY started_at_ms",
        (console_key, from_ms, to_ms, seller_id),
    )
    return [RemovedShift(*row) for row in rows]


def delete_shifts(store: Store, shifts: list[RemovedShift]) -> None:
    """Delete shifts."""
    for shift in shifts:
        coverage.mark_shifts(store, shift.console_key, [(shift.started_at_ms, shift.ended_at_ms)])
    store.run_many(
        "DELETE FROM shift WHERE console_key = ? AND started_at_ms = ?",
        [(shift.console_key, shift.started_at_ms) for shift in shifts],
    )


def counts_beginning(
    store: Store, site_id: str, wanted: tuple[str | None, str | None, str | None], from_ms: int, to_ms: int
) -> list[CountRow]:
    """Return a site's counts that begin in a period, its end not included; `wanted`: source, kind and id, or all."""
    rows = store.all(
        f"SELECT {COUNT_COLUMNS} FROM counts"  # noqa: S608 - no outside text
        " WHERE site_id = ?1 AND from_ms >= ?2 AND from_ms < ?3 AND (?4 IS NULL OR source_id = ?4)"
        " AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR id = ?6) ORDER BY from_ms, source_id, id",
        (site_id, from_ms, to_ms, *wanted),
    )
    return [CountRow(*row) for row in rows]


def delete_counts(store: Store, site_id: str, counts: list[CountRow]) -> None:
    """Take counts out of force; as received they stay."""
    coverage.mark_counts(store, [CountedTimes(site_id, count.hour, count.from_ms, count.to_ms) for count in counts])
    flags.mark_due(store, {count.hour[:7] for count in counts})
    store.run_many(
        "DELETE FROM counts WHERE site_id = ? AND source_id = ? AND id = ?",
        [(site_id, count.source_id, count.id) for count in counts],
    )


def count_of_counts(store: Store, site_id: str, checkout_point_id: str | None = None) -> int:
    """Return how many counts of a site, or of one of its checkout points, are in force."""
    row = store.one(
        "SELECT count(*) FROM counts WHERE site_id = ?1 AND (?2 IS NULL OR checkout_point_id = ?2)",
        (site_id, checkout_point_id),
    )
    return int(row[0]) if row else 0


def uses_of_seller(store: Store, seller_id: str) -> tuple[int, int]:
    """Return how many shifts a seller has, and how many counts name him."""
    row = store.one(
        "SELECT (SELECT count(*) FROM shift WHERE seller_id = ?1), (SELECT count(*) FROM counts WHERE seller_id = ?1)",
        (seller_id,),
    )
    return (int(row[0]), int(row[1])) if row else (0, 0)


def seller_name(store: Store, seller_id: str) -> str | None:
    """Return a seller's name; None if shifts never named him."""
    row = store.one("SELECT seller_name FROM seller WHERE seller_id = ?", (seller_id,))
    return str(row[0]) if row else None


def delete_seller(store: Store, seller_id: str) -> None:
    """Delete a seller without shifts."""
    store.run("DELETE FROM seller WHERE seller_id = ?", (seller_id,))
    store.run("DELETE FROM seller_at_site WHERE seller_id = ?", (seller_id,))


def was_asked(store: Store, question_id: str) -> bool:
    """Return whether any customer was asked a key question."""
    row = store.one(
        "SELECT EXISTS (SELECT 1 FROM rollup_site_month WHERE question_id = ?1)"
        " OR EXISTS (SELECT 1 FROM survey WHERE outcome = 'open' AND question_id = ?1)",
        (question_id,),
    )
    return bool(row and row[0])


def choices_of_question(store: Store, question_id: str) -> list[Row]:
    """Return (site_id, console_id) of the scopes for which a key question was chosen."""
    return store.all(
        "SELECT site_id, console_id FROM setting WHERE name = 'question_id' AND value = json_quote(?) ORDER BY 1, 2",
        (question_id,),
    )


def delete_question(store: Store, question_id: str) -> None:
    """Delete a key question that nobody was asked, with its revisions."""
    store.run("DELETE FROM question_revision WHERE question_id = ?", (question_id,))
    store.run("DELETE FROM question WHERE question_id = ?", (question_id,))
