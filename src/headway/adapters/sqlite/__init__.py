"""A journal in one SQLite file: durable, single-writer, readable with any SQLite tool."""

from headway.adapters.sqlite.journal import SQLiteJournal
from headway.adapters.sqlite.viewer import JournalView

__all__ = ["JournalView", "SQLiteJournal"]
