"""The journals we ship keep the journal contract. A new backend is one class here."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway.adapters.sqlite import SQLiteJournal
from headway.ports import Journal
from headway.testing.contracts import JournalContract, NewJournal


@pytest.mark.anyio
class TestSQLite(JournalContract):
    @pytest.fixture
    def new_journal(self, tmp_path: Path) -> NewJournal:
        def new() -> Journal:
            return SQLiteJournal(tmp_path / "a.journal")

        return new
