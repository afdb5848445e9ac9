"""The stores that ship with headway keep the contract."""

from __future__ import annotations

import pytest

from headway import Ceiling
from headway.adapters.ceiling import CeilingBudgets
from headway.adapters.memory import MemoryBudgets
from headway.testing.budget_contract import BudgetStoreContract, NewStore


@pytest.mark.anyio
class TestMemoryBudgets(BudgetStoreContract):
    @pytest.fixture
    def new_store(self) -> NewStore:
        return MemoryBudgets


@pytest.mark.anyio
class TestCeilingThatIsNeverReached(BudgetStoreContract):
    @pytest.fixture
    def new_store(self) -> NewStore:
        return lambda limits: CeilingBudgets(Ceiling(1_000_000, 1.0), MemoryBudgets(limits))
