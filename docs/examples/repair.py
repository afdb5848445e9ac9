"""Requests that are mended, answers that are followed up: each says what was changed.

ANTHROPIC_API_KEY=… python docs/examples/repair.py          # or against `headway fake-api`, with ANTHROPIC_BASE_URL
"""

import asyncio
import sys

from headway import FollowUp, JobState, RepairPolicy, Scheduler


async def main() -> int:
    async with Scheduler(
        model="claude-haiku-4-5",
        max_tokens=100_000,  # more than this model can write
        repair=RepairPolicy("repair"),
        follow_up=FollowUp(fallback_models=("claude-haiku-5-5",)),
    ) as scheduler:
        outcome = await scheduler.submit("Name three rivers.").outcome()
    for finding in outcome.findings:
        print("found:", finding)
    for change in outcome.changes:
        print(f"changed: {change.path} from {change.old} to {change.new}, {change.reason}")
    print(outcome.state.value, outcome.stop_reason)
    return 0 if outcome.state is JobState.SUCCEEDED else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
