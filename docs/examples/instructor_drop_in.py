"""instructor through headway: 200 validated answers at once, under the rate limits, none lost.

pip install instructor
ANTHROPIC_API_KEY=… python docs/examples/instructor_drop_in.py 200
"""

import asyncio
import sys

import instructor
from anthropic import AsyncAnthropic
from pydantic import BaseModel

from headway import Scheduler


class Review(BaseModel):
    """What is asked for."""

    stars: int
    summary: str


async def ask_all(client: AsyncAnthropic, count: int) -> list[object]:
    """instructor patches a copy of the client; a call that fails is in the list as its exception."""
    patched = instructor.from_anthropic(client)

    async def ask(number: int) -> Review:
        return await patched.messages.create(
            model="claude-haiku-4-5",
            max_tokens=256,
            messages=[{"role": "user", "content": f"Review number {number}: it broke after a day."}],
            response_model=Review,
        )

    return await asyncio.gather(*map(ask, range(count)), return_exceptions=True)


async def main(count: int) -> int:
    """Hand the scheduler's client to the framework: that is all."""
    async with Scheduler() as scheduler:
        answers = await ask_all(scheduler.client, count)
        status = scheduler.status()
    answered = sum(isinstance(answer, Review) for answer in answers)
    print(f"{answered} of {count} answered, {status.sends} requests sent, {status.refused_429} refused")
    return 0 if answered == count else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
