"""Every test of the SDK adapter runs over both of the SDK's HTTP backends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from anthropic_rig import BACKENDS, Start, rigs


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def start(backend: str, anyio_backend: str) -> AsyncIterator[Start]:
    async with rigs(backend) as begin:
        yield begin
