"""Surveys as a function of the set of events, and rollups that follow every change to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store import Store


def refold_console(
    store: Store, site_id: str, console_id: str, from_ms: int | None = None, to_ms: int | None = None
) -> None:
    """Make anew the surveys of a console opened from `from_ms` up to `to_ms` (inclusive; None: no limit).

    To be called, inside the transaction, after a change to its shifts, placements, settings sent or scope.
    """
    raise NotImplementedError


def refold_site(store: Store, site_id: str) -> None:
    """Make anew all surveys of a site: its time zone or scope changed."""
    raise NotImplementedError


def refold_all(store: Store) -> None:
    """Make anew all surveys: the scope of all changed."""
    raise NotImplementedError


def rebuild(store: Store, now_ms: int, progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """Judge rejects again and make everything anew from raw events; `progress(done, of)` is called now and then."""
    raise NotImplementedError
