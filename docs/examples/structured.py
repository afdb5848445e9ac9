"""Typed answers, checked, and a table of them: labels and scores of reviews.

ANTHROPIC_API_KEY=… python docs/examples/structured.py      # or against `headway fake-api`, with ANTHROPIC_BASE_URL
"""

import asyncio
import csv
import sys
from typing import Literal

from pydantic import BaseModel

from headway import Estimate, FollowUp, RetryPolicy, Scheduler, SpendCap, estimate

MODEL = "claude-haiku-5-5"
REVIEWS = ["The soup was cold.", "Lovely people, I will be back.", "The soup was cold.", "Fine."]


class Rating(BaseModel):
    label: Literal["good", "bad", "mixed"]
    score: float


def foreseen(prompts: list[str]) -> Estimate:
    return estimate(prompts, model=MODEL, max_tokens=64, expected_output=20, dedupe=True)


async def main() -> None:
    prompts = [f"Rate this review: {review}" for review in REVIEWS]
    print(f"${foreseen(prompts).live.expected:.6f} expected", file=sys.stderr)
    table = csv.writer(sys.stdout)
    async with Scheduler(
        model=MODEL,
        max_tokens=64,
        retry=RetryPolicy(max_misfits=2),  # an answer that is no Rating is asked for again, twice
        follow_up=FollowUp(),  # … and one that max_tokens cut off, with a larger cap
        spend_cap=SpendCap(usd=1.0),
    ) as scheduler:
        async for outcome in scheduler.map(
            prompts, output_format=Rating, dedupe=True, ordered=True, tag="ratings"
        ):
            rating = outcome.result().parsed_output if outcome.message else None
            row = outcome.row()
            table.writerow([rating and rating.label, rating and rating.score, row["cost_usd"], row["error"]])
        costs = scheduler.status().costs.by_tag["ratings"]
    print(f"${costs.usd:.6f} for {costs.answers} answers", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
