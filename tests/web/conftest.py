"""Fixtures of the web tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig


@pytest.fixture
async def api(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeAPI]:
    """A fake API that the environment points to."""
    async with FakeAPI(FakeConfig(latency=INSTANT)) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
        yield api
