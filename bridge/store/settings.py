"""Read and store key questions, the settings chosen for consoles, and the settings sent to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.wire.contract import REVISION_MAX

if TYPE_CHECKING:
    from bridge.store.connection import Store


class KeyQuestion(NamedTuple):
    """A key question with its silent weight in force; `silent_weight_on` is the date of that weight, or None.

    `estimate` is the number of the estimate that it comes from; None if it was not estimated.
    """

    question_id: str
    silent_weight: float
    silent_weight_origin: str
    silent_weight_on: str | None
    estimate: int | None = None


class Revision(NamedTuple):
    """One revision of a key question: its kind, and its text by language."""

    question_revision: int
    kind: str
    texts: dict[str, str]


class SentSettings(NamedTuple):
    """The last settings made for a console."""

    revision: int
    payload: dict[str, Any]


def questions(store: Store) -> dict[str, KeyQuestion]:
    """Return all key questions, by id."""
    rows = store.all(
        "SELECT question_id, silent_weight, silent_weight_origin, silent_weight_on, estimate FROM question ORDER BY 1"
    )
    return {str(row[0]): KeyQuestion(*row) for row in rows}


def keep_question(store: Store, question: KeyQuestion) -> None:
    """Define a question or change its silent weight; every change stays in the history."""
    store.run("INSERT OR IGNORE INTO question (question_id) VALUES (?)", question[:1])
    store.run(
        "UPDATE question SET silent_weight = ?2, silent_weight_origin = ?3, silent_weight_on = ?4, estimate = ?5"
        " WHERE question_id = ?1",
        question,
    )
    store.run(
        "INSERT INTO question_history (question_id, silent_weight, silent_weight_origin, silent_weight_on,"
        " changed_at_ms) VALUES (?, ?, ?, ?, ?)",
        (*question[:4], store.now_ms),
    )


def newest_revision(store: Store, question_id: str) -> Revision | None:
    """Return a question's newest revision; None if there is no such question.

    One above all that consoles take, which older bridges could make, counts only where there is no other.
    """
    row = store.one(
        "SELECT question_revision, kind, text FROM question_revision WHERE question_id = ?"
        " ORDER BY question_revision > ?, question_revision DESC LIMIT 1",
        (question_id, REVISION_MAX),
    )
    return Revision(int(row[0]), str(row[1]), json.loads(row[2])) if row else None


def kinds(store: Store) -> dict[str, dict[int, str]]:
    """Return the kind of each revision of each question, the lowest revision first."""
    found: dict[str, dict[int, str]] = {}
    for question_id, revision, kind in store.all(
        "SELECT question_id, question_revision, kind FROM question_revision ORDER BY 1, 2"
    ):
        found.setdefault(str(question_id), {})[int(revision)] = str(kind)
    return found


def keep_revision(store: Store, question_id: str, revision: Revision) -> None:
    """Store a new revision of a question."""
    store.run(
        "INSERT OR REPLACE INTO question_revision (question_id, question_revision, kind, text, created_at_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        (question_id, *revision[:2], json.dumps(revision.texts, ensure_ascii=False), store.now_ms),
    )


def highest_revision_heard(store: Store, question_id: str, limit: int = REVISION_MAX) -> int:
    """Return the highest revision of a question that any console used, of those up to `limit`; 0 if none did."""
    row = store.one(
        "WITH heard AS (SELECT question_id, question_revision FROM rollup_site_month"
        " UNION ALL SELECT question_id, question_revision FROM rollup_site_month_change"
        " UNION ALL SELECT question_id, question_revision FROM survey WHERE outcome = 'open')"
        " SELECT coalesce(max(question_revision), 0) FROM heard WHERE question_id = ? AND question_revision <= ?",
        (question_id, limit),
    )
    return int(row[0]) if row else 0


def choose(store: Store, site_id: str, console_id: str, name: str, value: Any) -> None:
    """Store what was chosen for all ('', ''), for a site (site, '') or for a console; None takes the choice back."""
    if value is None:
        store.run("DELETE FROM setting WHERE site_id = ? AND console_id = ? AND name = ?", (site_id, console_id, name))
        return
    store.run(
        "INSERT OR REPLACE INTO setting (site_id, console_id, name, value) VALUES (?, ?, ?, ?)",
        (site_id, console_id, name, json.dumps(value)),
    )


def choice(store: Store, site_id: str, console_id: str, name: str) -> Any:
    """Return what was chosen for all ('', ''), for a site (site, '') or for a console; None if nothing was."""
    row = store.one(
        "SELECT value FROM setting WHERE site_id = ? AND console_id = ? AND name = ?", (site_id, console_id, name)
    )
    return json.loads(row[0]) if row else None


def chosen(store: Store) -> list[tuple[str, str, str, Any]]:
    """Return (site_id, console_id, name, value) of everything chosen, the widest scope first."""
    rows = store.all(
        "SELECT site_id, console_id, name, value FROM setting ORDER BY console_id <> '', site_id <> '', 1, 2, 3"
    )
    return [(str(site), str(console), str(name), json.loads(value)) for site, console, name, value in rows]


def chosen_for(store: Store, site_id: str, console_id: str) -> dict[str, Any]:
    """Return what was chosen for a console: for itself, else for its site, else for all."""
    rows = store.all(
        "SELECT name, value FROM setting WHERE (site_id, console_id) IN (VALUES ('', ''), (?1, ''), (?1, ?2))"
        " ORDER BY console_id <> '', site_id <> ''",
        (site_id, console_id),
    )
    return {str(name): json.loads(value) for name, value in rows}


def chosen_for_all(store: Store, name: str) -> Any:
    """Return a setting that is one for all consoles; None if nothing was chosen."""
    return choice(store, "", "", name)


def site_choice(store: Store, site_id: str, name: str) -> Any:
    """Return what was chosen for a site, else for all; None if nothing was."""
    chosen = choice(store, site_id, "", name)
    return choice(store, "", "", name) if chosen is None else chosen


def last_sent(store: Store, site_id: str, console_id: str) -> SentSettings | None:
    """Return the last settings made for a console; None if there were none."""
    row = store.one(
        "SELECT revision, payload FROM settings_sent WHERE site_id = ? AND console_id = ? ORDER BY 1 DESC LIMIT 1",
        (site_id, console_id),
    )
    return SentSettings(int(row[0]), json.loads(row[1])) if row else None


def highest_reported(store: Store, site_id: str, console_id: str) -> int:
    """Return the highest settings revision that a console ever reported; 0 if it reported none."""
    row = store.one(
        "SELECT settings_revision_reported FROM console WHERE site_id = ? AND console_id = ?", (site_id, console_id)
    )
    return int(row[0]) if row else 0


def send(store: Store, site_id: str, console_id: str, payload: dict[str, Any]) -> None:
    """Queue settings to be published; older ones that still wait are out of date."""
    store.run(
        "UPDATE settings_sent SET published = 1 WHERE site_id = ? AND console_id = ? AND published = 0",
        (site_id, console_id),
    )
    store.run(
        "INSERT OR REPLACE INTO settings_sent (site_id, console_id, revision, payload, created_at_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        (site_id, console_id, payload["revision"], json.dumps(payload, ensure_ascii=False), store.now_ms),
    )


def consoles_with_settings(store: Store) -> list[tuple[str, str]]:
    """Return (site_id, console_id) of each console heard of, or named by a choice."""
    rows = store.all(
        "SELECT site_id, console_id FROM console UNION SELECT site_id, console_id FROM setting WHERE console_id <> ''"
        " ORDER BY 1, 2"
    )
    return [(str(site), str(console)) for site, console in rows]
