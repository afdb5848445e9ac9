"""The pytest fixture ``headway_fake_api``; nothing heavy is imported before a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from headway.testing.fake_api import RemoteAPI


@pytest.fixture
def headway_fake_api() -> Iterator[RemoteAPI]:
    """A Claude API on a loopback port, in a thread of its own: ``base_url``, ``stats()``,
    ``set_limits()``, ``set_faults()``, ``reset()``. Works in sync and async tests alike.
    """
    from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig

    with FakeAPI.in_thread(FakeConfig(latency=INSTANT)) as api:
        yield api
