"""For which night each of the bridge's nightly jobs was done last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.connection import Store


def nights(store: Store) -> dict[str, str]:
    """Return the night, as an ISO date, for which each job was done last, by the job's name."""
    return {str(name): str(night) for name, night in store.all("SELECT name, night FROM nightly_run")}


def note_done(store: Store, name: str, night: str) -> None:
    """Note that a job is done for a night."""
    store.run("INSERT OR REPLACE INTO nightly_run VALUES (?, ?, ?)", (name, night, store.now_ms))


def usual_timezone(store: Store) -> str:
    """Return the time zone of most sites; UTC if there are none."""
    row = store.one("SELECT timezone FROM site GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
    return str(row[0]) if row else "UTC"
