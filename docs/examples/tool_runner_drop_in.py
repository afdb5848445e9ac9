"""The SDK's tool_runner through headway: 200 agents at once, each step under the rate limits, none lost.

ANTHROPIC_API_KEY=… python docs/examples/tool_runner_drop_in.py 200
"""

import asyncio
import sys

from anthropic import AsyncAnthropic, beta_async_tool

from headway import Scheduler


@beta_async_tool
async def get_weather(location: str) -> str:
    """The weather of a place.

    Args:
        location: The city, for example Lisbon
    """
    return f"{location}: 21 °C, sunny"


async def ask_all(client: AsyncAnthropic, count: int) -> list[object]:
    """Every runner makes a call for each step of its loop; one that fails is in the list as its exception."""

    async def ask(number: int) -> str:
        runner = client.beta.messages.tool_runner(
            model="claude-sonnet-5-5",
            max_tokens=256,
            tools=[get_weather],
            messages=[{"role": "user", "content": f"Which of {number} cities is warm today?"}],
        )
        message = await runner.until_done()
        return "".join(block.text for block in message.content if block.type == "text")

    return await asyncio.gather(*map(ask, range(count)), return_exceptions=True)


async def main(count: int) -> int:
    """``scheduler.wrap`` takes a client of your own, with its base URL, headers and connections."""
    async with AsyncAnthropic() as own, Scheduler(own) as scheduler:
        answers = await ask_all(scheduler.wrap(own), count)
        status = scheduler.status()
    answered = sum(isinstance(answer, str) and bool(answer) for answer in answers)
    print(f"{answered} of {count} answered, {status.sends} requests sent, {status.refused_429} refused")
    return 0 if answered == count else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
