"""A bulk run that can be interrupted: run it again and it goes on where it was.

ANTHROPIC_API_KEY=… python docs/examples/bulk.py            # or against `headway fake-api`, with ANTHROPIC_BASE_URL
"""

import asyncio
import sys

from headway import JobState, Scheduler

QUESTIONS = [
    {"custom_id": f"square-{n}", "params": {"messages": [{"role": "user", "content": f"What is {n}²?"}]}}
    for n in range(200)
]


async def main(journal: str) -> int:
    failed = 0
    async with Scheduler(model="claude-haiku-5-5", max_tokens=64, journal=journal) as scheduler:
        async for outcome in scheduler.map(QUESTIONS):
            if outcome.state is not JobState.SUCCEEDED:
                failed += 1
                print(outcome.key, outcome.failure, file=sys.stderr)
        status = scheduler.status()
    print(
        f"{status.succeeded} answered now, {status.sends} requests sent, {failed} failed, ${status.cost:.4f}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "squares.journal")))
