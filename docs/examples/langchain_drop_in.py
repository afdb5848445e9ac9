"""LangChain through headway: 200 calls of ChatAnthropic at once, under the rate limits, none lost.

pip install langchain-anthropic
ANTHROPIC_API_KEY=… python docs/examples/langchain_drop_in.py 200
"""

import asyncio
import sys
from functools import cached_property

from anthropic import AsyncAnthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage

from headway import Scheduler


class ChatThroughClient(ChatAnthropic):
    """``ChatAnthropic`` makes its own client and takes none: this one uses yours for its async calls."""

    client: AsyncAnthropic

    @cached_property
    def _async_client(self) -> AsyncAnthropic:
        return self.client


async def ask_all(client: AsyncAnthropic, count: int) -> list[object]:
    """One chat model, any number of calls; a call that fails is in the list as its exception."""
    model = ChatThroughClient(client=client, model="claude-sonnet-5-5", max_tokens=256)

    async def ask(number: int) -> AIMessage:
        return await model.ainvoke(f"Something true about the number {number}")

    return await asyncio.gather(*map(ask, range(count)), return_exceptions=True)


async def main(count: int) -> int:
    """Hand the scheduler's client to the framework: that is all."""
    async with Scheduler() as scheduler:
        answers = await ask_all(scheduler.client, count)
        status = scheduler.status()
    answered = sum(isinstance(answer, AIMessage) for answer in answers)
    print(f"{answered} of {count} answered, {status.sends} requests sent, {status.refused_429} refused")
    return 0 if answered == count else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
