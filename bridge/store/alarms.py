"""Store alarms and what people do about them, and read them. Nothing is ever deleted."""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.connection import Store


class AlarmPlace(NamedTuple):
    """What an alarm is about; `checkout_point_id` None: the site as a whole. `answer`: the one that came so often."""

    site_id: str
    checkout_point_id: str | None
    question_id: str
    question_revision: int
    answer: str


class AlarmFigures(NamedTuple):
    """Why an alarm was raised: the quarter of an hour, what was found in it, and what is usual."""

    from_ms: int
    to_ms: int
    answers: int
    counted: int
    usual_answers: int
    usual_counted: int
    usual_of: str
    chance: float


class AlarmRow(NamedTuple):
    """An alarm, with its site's time zone."""

    alarm_id: int
    place: AlarmPlace
    state: str
    raised_at_ms: int
    figures: AlarmFigures
    met_at_ms: int
    closed_at_ms: int | None
    closed_because: str | None
    timezone: str


class AlarmNote(NamedTuple):
    """What somebody did or said about an alarm."""

    noted_at_ms: int
    who: str
    action: str
    comment: str | None


_PLACE = "site_id, checkout_point_id, question_id, question_revision, answer"
_FIGURES = ", ".join(AlarmFigures._fields)
_COLUMNS = f"alarm_id, {_PLACE}, state, raised_at_ms, {_FIGURES}, met_at_ms, closed_at_ms, closed_because, timezone"
_PLACE_WIDTH, _FIGURES_WIDTH = len(AlarmPlace._fields), len(AlarmFigures._fields)


def raise_alarm(store: Store, place: AlarmPlace, figures: AlarmFigures) -> int:
    """Store a new alarm; return its number."""
    row = store.one(
        f"INSERT INTO alarm ({_PLACE}, state, raised_at_ms, {_FIGURES}, met_at_ms)"
        f" VALUES ({', '.join('?' * _PLACE_WIDTH)}, 'open', ?, {', '.join('?' * _FIGURES_WIDTH)}, ?)"
        " RETURNING alarm_id",
        (*place, store.now_ms, *figures, figures.to_ms),
    )
    return int(row[0]) if row else 0


def note_met(store: Store, alarm_id: int, met_at_ms: int) -> None:
    """Store that the rule was met again, or when it was last met."""
    store.run("UPDATE alarm SET met_at_ms = ? WHERE alarm_id = ?", (met_at_ms, alarm_id))


def acknowledge(store: Store, alarm_id: int) -> None:
    """Store that somebody has taken an alarm on."""
    store.run("UPDATE alarm SET state = 'acknowledged' WHERE alarm_id = ?", (alarm_id,))


def close(store: Store, alarm_id: int, because: str) -> None:
    """Store that an alarm is closed, and why: `recovered`, `quiet` or `by_hand`."""
    store.run(
        "UPDATE alarm SET state = 'closed', closed_at_ms = ?, closed_because = ? WHERE alarm_id = ?",
        (store.now_ms, because, alarm_id),
    )


def note(store: Store, alarm_id: int, action: str, comment: str | None) -> None:
    """Store what somebody did or said about an alarm; who that is, the transaction knows."""
    store.run(
        "INSERT INTO alarm_note (alarm_id, noted_at_ms, who, action, comment) VALUES (?, ?, ?, ?, ?)",
        (alarm_id, store.now_ms, store.origin.who, action, comment),
    )


def find_alarm(store: Store, alarm_id: int) -> AlarmRow | None:
    """Return an alarm; None if there is none of that number."""
    return next(iter(_read(store, "alarm_id = ?", (alarm_id,))), None)


def not_closed(store: Store, site_id: str | None = None) -> list[AlarmRow]:
    """Return the alarms that are not closed, of a site or of all, the oldest first."""
    return _read(store, "state <> 'closed' AND (?1 IS NULL OR alarm.site_id = ?1)", (site_id,))


def last_closed(store: Store, site_id: str, since_ms: int, until_ms: int) -> dict[AlarmPlace, int]:
    """Return up to when the answers of each alarm closed between two instants are told of by it, by what it is about.

    These are all that were given before somebody closed it; where it closed by itself, those that it rang for.
    """
    rows = store.all(
        f"SELECT {_PLACE}, max(iif(closed_because = 'by_hand', closed_at_ms, met_at_ms)) FROM alarm"
        " WHERE state = 'closed' AND site_id = ? AND closed_at_ms BETWEEN ? AND ? GROUP BY 1, 2, 3, 4, 5",
        (site_id, since_ms, until_ms),
    )
    return {AlarmPlace(*row[:-1]): int(row[-1]) for row in rows}


def latest(store: Store, from_ms: int | None) -> list[AlarmRow]:
    """Return the alarms that are not closed, or were raised at an instant or later (None: ever); the latest last."""
    return _read(store, "?1 IS NULL OR state <> 'closed' OR raised_at_ms >= ?1", (from_ms,))


def raised_between(store: Store, site_id: str, from_ms: int, to_ms: int) -> list[AlarmRow]:
    """Return a site's alarms raised from an instant up to, not including, another."""
    where = "alarm.site_id = ? AND raised_at_ms >= ? AND raised_at_ms < ?"
    return _read(store, where, (site_id, from_ms, to_ms))


def notes(store: Store, alarm_id: int) -> list[AlarmNote]:
    """Return what people did and said about an alarm, in order."""
    rows = store.all(
        "SELECT noted_at_ms, who, action, comment FROM alarm_note WHERE alarm_id = ? ORDER BY alarm_note_key",
        (alarm_id,),
    )
    return [AlarmNote(*row) for row in rows]


def _read(store: Store, where: str, bindings: Sequence[object]) -> list[AlarmRow]:
    rows = store.all(f"SELECT {_COLUMNS} FROM alarm JOIN site USING (site_id) WHERE {where} ORDER BY 1", bindings)
    place_end, figures_start = 1 + _PLACE_WIDTH, 3 + _PLACE_WIDTH
    figures_end = figures_start + _FIGURES_WIDTH
    return [
        AlarmRow(
            *(row[0], AlarmPlace(*row[1:place_end]), *row[place_end:figures_start]),
            *(AlarmFigures(*row[figures_start:figures_end]), *row[figures_end:]),
        )
        for row in rows
    ]
