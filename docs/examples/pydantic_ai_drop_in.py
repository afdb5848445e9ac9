"""pydantic-ai through headway: 200 structured answers at once, under the rate limits, none lost.

pip install 'pydantic-ai-slim[anthropic]'
ANTHROPIC_API_KEY=… python docs/examples/pydantic_ai_drop_in.py 200
"""

import asyncio
import sys

from anthropic import AsyncAnthropic
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from headway import Scheduler


class City(BaseModel):
    """What is asked for."""

    name: str
    population: int


async def ask_all(client: AsyncAnthropic, count: int) -> list[object]:
    """One agent, any number of runs; a run that fails is in the list as its exception."""
    model = AnthropicModel("claude-sonnet-4-6", provider=AnthropicProvider(anthropic_client=client))
    agent = Agent(model, output_type=City, instructions="Answer with a real city.")

    async def ask(number: int) -> City:
        return (await agent.run(f"A city whose name has {number} letters")).output

    return await asyncio.gather(*map(ask, range(count)), return_exceptions=True)


async def main(count: int) -> int:
    """Hand the scheduler's client to the framework: that is all."""
    async with Scheduler() as scheduler:
        answers = await ask_all(scheduler.client, count)
        status = scheduler.status()
    answered = sum(isinstance(answer, City) for answer in answers)
    print(f"{answered} of {count} answered, {status.sends} requests sent, {status.refused_429} refused")
    return 0 if answered == count else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
