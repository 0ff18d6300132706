"""The only part that speaks SQL."""

from bridge.store.connection import Store, open_store

__all__ = ["Store", "open_store"]
