"""Read and store surveys and force majeures, and read the events that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.survey import LONG_SURVEY_MS, ForceMajeureRow, StoredEvent, SurveyRow

if TYPE_CHECKING:
    from bridge.store.connection import Row, Store


_STORED = "SELECT boot, up_ms, dated_at_ms, raw FROM event WHERE epoch_key = ?"
_FORCE_MAJEURE = "SELECT * FROM force_majeure WHERE "


def opening(store: Store, epoch_key: int, survey: int) -> StoredEvent | None:
    """Return the `survey_opened` with this number."""
    row = store.one(f"{_STORED} AND seq = ? AND type = 'survey_opened'", (epoch_key, survey))
    return StoredEvent(*row) if row else None


def closing(store: Store, epoch_key: int, survey: int) -> StoredEvent | None:
    """Return the `survey_closed` that decides a survey: of several, the one with the lowest number."""
    row = store.one(f"{_STORED} AND survey = ? ORDER BY seq LIMIT 1", (epoch_key, survey))
    return StoredEvent(*row) if row else None


def declaration(store: Store, epoch_key: int, seq: int) -> StoredEvent | None:
    """Return the `force_majeure_declared` with this number."""
    row = store.one(f"{_STORED} AND seq = ? AND type = 'force_majeure_declared'", (epoch_key, seq))
    return StoredEvent(*row) if row else None


def survey_row(store: Store, epoch_key: int, survey: int) -> SurveyRow | None:
    """Return a survey as it is stored."""
    row = store.one("SELECT * FROM survey WHERE epoch_key = ? AND survey = ?", (epoch_key, survey))
    return SurveyRow(*row) if row else None


def force_majeure_row(store: Store, epoch_key: int, seq: int) -> ForceMajeureRow | None:
    """Return a force majeure as it is stored."""
    row = store.one(f"{_FORCE_MAJEURE} epoch_key = ? AND seq = ?", (epoch_key, seq))
    return ForceMajeureRow(*row) if row else None


def save_surveys(store: Store, rows: list[SurveyRow]) -> None:
    """Store surveys, in the place of any with the same numbers."""
    store.insert("INSERT OR REPLACE INTO survey", rows)


def save_force_majeures(store: Store, rows: list[ForceMajeureRow]) -> None:
    """Store force majeures, in the place of any with the same numbers."""
    store.insert("INSERT OR REPLACE INTO force_majeure", rows)


def force_majeures_dated(store: Store, console_key: int, from_ms: int, to_ms: int) -> list[ForceMajeureRow]:
    """Return a console's force majeures from one date to another, both included."""
    rows = store.all(f"{_FORCE_MAJEURE} console_key = ? AND dated_at_ms BETWEEN ? AND ?", (console_key, from_ms, to_ms))
    return [ForceMajeureRow(*row) for row in rows]


def force_majeures_of_boot(store: Store, epoch_key: int, boot: int, from_ms: int, to_ms: int) -> list[ForceMajeureRow]:
    """Return a boot's force majeures from one `up_ms` to another, both included."""
    rows = store.all(
        f"{_FORCE_MAJEURE} epoch_key = ? AND boot = ? AND up_ms BETWEEN ? AND ?", (epoch_key, boot, from_ms, to_ms)
    )
    return [ForceMajeureRow(*row) for row in rows]


def is_named_by_force_majeure(store: Store, epoch_key: int, survey: int) -> bool:
    """Return whether a force majeure names this survey as the one that was open when it was declared."""
    return store.one("SELECT 1 FROM force_majeure WHERE epoch_key = ? AND survey = ?", (epoch_key, survey)) is not None


def surveys_near(store: Store, row: ForceMajeureRow, scope_ms: int) -> list[Row]:
    """Return (epoch_key, survey) of every survey that this force majeure may affect, and of some that it does not."""
    at, up = row.dated_at_ms, row.up_ms
    return store.all(
        "SELECT epoch_key, survey FROM survey WHERE console_key = ?1 AND opened_at_ms BETWEEN ?2 AND ?3"
        " UNION SELECT epoch_key, survey FROM survey WHERE epoch_key = ?4 AND boot = ?5"
        " AND opened_up_ms BETWEEN ?6 AND ?7"
        " UNION SELECT epoch_key, survey FROM survey WHERE console_key = ?1 AND long = 1"
        " UNION SELECT epoch_key, survey FROM survey WHERE epoch_key = ?4 AND survey = ?8",
        (
            *(row.console_key, at - LONG_SURVEY_MS, at + scope_ms, row.epoch_key, row.boot),
            *(up - LONG_SURVEY_MS, up + scope_ms, row.survey),
        ),
    )


def surveys_between(store: Store, epoch_key: int, after: int, upto: int | None) -> list[Row]:
    """Return (epoch_key, survey) of an epoch's surveys numbered above `after`, up to `upto` (None: no end).

    `upto` is included: a close may name a survey whose number belongs to another event.
    """
    return store.all(
        "SELECT epoch_key, survey FROM survey WHERE epoch_key = ? AND survey > ? AND survey <= ?",
        (epoch_key, after, 2**62 if upto is None else upto),
    )


def surveys_opened(store: Store, console_key: int, from_ms: int, to_ms: int) -> list[Row]:
    """Return (epoch_key, survey) of a console's surveys opened between two instants, both included."""
    return store.all(
        "SELECT epoch_key, survey FROM survey WHERE console_key = ? AND opened_at_ms BETWEEN ? AND ?",
        (console_key, from_ms, to_ms),
    )


def has_any(store: Store) -> bool:
    """Return whether there is any survey."""
    return store.one("SELECT 1 FROM survey LIMIT 1") is not None


def open_since(store: Store, at_ms: int) -> list[Row]:
    """Return (epoch_key, survey) of the open surveys that were opened at or before this instant."""
    return store.all("SELECT epoch_key, survey FROM survey WHERE outcome = 'open' AND opened_at_ms <= ?", (at_ms,))


def clear(store: Store) -> None:
    """Delete all surveys and force majeures, before a rebuild."""
    store.run("DELETE FROM survey")
    store.run("DELETE FROM force_majeure")
