"""Everything here runs in virtual time."""

from __future__ import annotations

import pytest

from headway.testing.clock import virtual_loop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": virtual_loop})
