"""Half the price for those who can wait: the same jobs in message batches. Interrupt it, and run it again.

ANTHROPIC_API_KEY=… python docs/examples/batch.py           # or against `headway fake-api`, with ANTHROPIC_BASE_URL
"""

import asyncio
import sys

from headway import Lane, Scheduler

REVIEWS = [
    {
        "custom_id": f"review {n}",
        "params": {"messages": [{"role": "user", "content": f"Classify review {n}."}]},
    }
    for n in range(500)
]


async def main(journal: str) -> int:
    failed = batched = 0
    cost = 0.0
    async with Scheduler(model="claude-haiku-5-5", max_tokens=64, journal=journal) as scheduler:
        async for outcome in scheduler.map(REVIEWS, lane="batch"):
            batched += outcome.lane is Lane.BATCH
            failed += outcome.failure is not None
            cost += outcome.cost or 0.0
    print(f"{batched} answers from batches, {failed} failed, ${cost:.4f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "reviews.journal")))
