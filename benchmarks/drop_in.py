"""The drop-in examples with and without headway: many calls at once against small limits.

python benchmarks/drop_in.py [--quick] [--calls 200] [--limit 3000]

Without: an ``AsyncAnthropic`` as frameworks make it, with the SDK's own retries (2). With: the same code given
``scheduler.wrap(client)``. The fake API runs in a process of its own. Frameworks that are not installed are left
out (``pip install 'headway[frameworks]'``).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from anthropic import AsyncAnthropic

from headway import Scheduler
from headway.testing.fake_api import FakeAPI, FakeConfig, FakeLimits, Latency

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
NEEDS = {
    "tool_runner": "anthropic",
    "pydantic_ai": "pydantic_ai",
    "langchain": "langchain_anthropic",
    "instructor": "instructor",
}
AskAll = Callable[[AsyncAnthropic, int], Awaitable[list[object]]]


@dataclass(frozen=True)
class Row:
    """One example in one mode."""

    name: str
    mode: str
    answered: int
    lost: int
    requests: int
    refused: int
    seconds: float

    def __str__(self) -> str:
        share = 100 * self.refused / max(1, self.requests)
        return (
            f"{self.name:12} {self.mode:8} {self.answered:8} {self.lost:6} {self.requests:9} "
            f"{self.refused:6} {share:6.1f} % {self.seconds:8.1f}"
        )


async def run(ask_all: AskAll, base_url: str, calls: int, *, through: bool) -> tuple[list[object], float]:
    """The answers, exceptions among them, and the seconds they took."""
    async with AsyncAnthropic(base_url=base_url, api_key="any") as client:
        begin = time.perf_counter()
        if through:
            async with Scheduler(client) as scheduler:
                answers = await ask_all(scheduler.wrap(client), calls)
        else:
            answers = await ask_all(client, calls)
        return answers, time.perf_counter() - begin


def measure(name: str, calls: int, limit: float) -> list[Row]:
    """Both modes of one example, each against a server of its own."""
    sys.path.insert(0, str(EXAMPLES))
    ask_all: AskAll = importlib.import_module(f"{name}_drop_in").ask_all
    limits = FakeLimits(requests=limit, input=1e9, output=1e9, burst=1.0)
    rows: list[Row] = []
    for mode in ("without", "with"):
        with FakeAPI.spawn(FakeConfig(limits=limits, latency=Latency(), calls_tools=True)) as api:
            answers, seconds = asyncio.run(run(ask_all, api.base_url, calls, through=mode == "with"))
            stats = api.stats()
        lost = sum(isinstance(answer, Exception) for answer in answers)
        refused = stats.statuses.get(429, 0)
        rows.append(Row(name, mode, len(answers) - lost, lost, stats.arrivals, refused, seconds))
    return rows


def main() -> None:
    """One line for each example and mode."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="40 calls, a fifth of the limit")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument(
        "--limit", type=float, default=3000, help="requests a minute; a second's worth of burst"
    )
    options = parser.parse_args()
    calls = 40 if options.quick else options.calls
    limit = options.limit * (calls / 200 if options.quick else 1)
    logging.getLogger("instructor").setLevel(logging.CRITICAL + 1)  # it logs every 429
    print(f"{calls} calls at once, {limit:g} requests a minute, {limit / 60:.0f} of them at once")
    print(
        f"{'':12} {'headway':8} {'answered':>8} {'lost':>6} {'requests':>9} {'429':>6} {'share':>8} {'seconds':>8}"
    )
    for name, package in NEEDS.items():
        if find_spec(package) is None:
            print(f"{name:12} left out: {package} is not installed")
            continue
        for row in measure(name, calls, limit):
            print(row, flush=True)


if __name__ == "__main__":
    main()
