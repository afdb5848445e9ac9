"""Everything here runs over real HTTP, on a clock that jumps over waits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from handbook_rig import Start, rigs
from patient_loop import PatientLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": PatientLoop})


@pytest.fixture
async def start(anyio_backend: object) -> AsyncIterator[Start]:
    async with rigs() as begin:
        yield begin
