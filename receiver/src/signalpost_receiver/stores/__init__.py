"""Stores, which remember the events that were handled: in memory, in SQLite, in a SQL database, in Redis."""

from .base import AsyncStore, Busy, Claim, Claimed, Handled, Held, Item, Stale, Store
from .memory import MemoryStore

__all__ = ["AsyncStore", "Busy", "Claim", "Claimed", "Handled", "Held", "Item", "MemoryStore", "Stale", "Store"]
