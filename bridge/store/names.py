"""Look up which names are known: of sites, key questions and sellers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.connection import Store

# What consoles asked or tills told is looked through only where the short list does not have the name.
_QUESTIONS = "SELECT question_id FROM question", "SELECT question_id FROM rollup_site_month"
_SELLERS = (
    "SELECT seller_id FROM seller",
    "SELECT seller_id FROM rollup_site_month WHERE seller_id <> ''",
    "SELECT of_seller_id AS seller_id FROM counts WHERE of_seller_id IS NOT NULL",
)


def has_site(store: Store, site_id: str) -> bool:
    """Return whether a site is known."""
    return store.one("SELECT 1 FROM site WHERE site_id = ?", (site_id,)) is not None


def has_question(store: Store, question_id: str) -> bool:
    """Return whether a key question was defined, or ever asked."""
    return _has(store, _QUESTIONS, "question_id", question_id)


def question_ids(store: Store) -> list[str]:
    """Return the ids of all key questions that were defined, or ever asked."""
    return _all(store, _QUESTIONS)


def has_seller(store: Store, seller_id: str) -> bool:
    """Return whether a seller was ever on shift, or named by a till."""
    return _has(store, _SELLERS, "seller_id", seller_id)


def seller_ids(store: Store) -> list[str]:
    """Return the ids of all sellers who were ever on shift, or named by a till."""
    return _all(store, _SELLERS)


def sellers_with_names(store: Store) -> list[str]:
    """Return the ids of the sellers that shifts have named."""
    return [str(row[0]) for row in store.all("SELECT seller_id FROM seller ORDER BY 1")]


def source_ids(store: Store) -> list[str]:
    """Return the ids of the tills and people counters of which counts are in force."""
    return [str(row[0]) for row in store.all("SELECT DISTINCT source_id FROM counts ORDER BY 1")]


def _has(store: Store, queries: tuple[str, ...], column: str, wanted: str) -> bool:
    return any(store.one(f"SELECT 1 FROM ({query}) WHERE {column} = ? LIMIT 1", (wanted,)) for query in queries)  # noqa: S608 - no outside text


def _all(store: Store, queries: tuple[str, ...]) -> list[str]:
    return [str(row[0]) for row in store.all(" UNION ".join(queries))]
