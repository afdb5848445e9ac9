"""The drop-in examples run as they stand: two hundred calls at once through clients that nobody here wrote.

The limits let one second's worth through at once: without headway the same programs get hundreds of 429s and
some of them lose calls (benchmarks/drop_in.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from headway.testing.fake_api import INSTANT, FakeAPI, FakeConfig, FakeLimits

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CALLS = 200
# Example, package it needs, requests of one call, requests a minute.
DROP_INS = [
    ("tool_runner", "anthropic", 2, 6000),
    ("pydantic_ai", "pydantic_ai", 1, 3000),
    ("langchain", "langchain_anthropic", 1, 3000),
    ("instructor", "instructor", 1, 3000),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "package", "requests", "limit"), DROP_INS)
def test_two_hundred_at_once_and_none_lost(name: str, package: str, requests: int, limit: float) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'headway[frameworks]'")
    limits = FakeLimits(requests=limit, input=1e9, output=1e9, burst=1.0)
    with FakeAPI.in_thread(FakeConfig(latency=INSTANT, limits=limits, calls_tools=True)) as api:
        environment = os.environ | {"ANTHROPIC_BASE_URL": api.base_url, "ANTHROPIC_API_KEY": "any"}
        command = [sys.executable, str(EXAMPLES / f"{name}_drop_in.py"), str(CALLS)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(f"{CALLS} of {CALLS} answered")
        stats = api.stats()
    assert stats.served == CALLS * requests
    assert stats.statuses.get(429, 0) <= 0.05 * stats.arrivals, stats.statuses
    assert set(stats.statuses) <= {200, 429}
