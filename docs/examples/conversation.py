"""A long conversation that keeps within a budget of its own.

ANTHROPIC_API_KEY=… python docs/examples/conversation.py    # or against `headway fake-api`, with ANTHROPIC_BASE_URL
"""

import asyncio

from headway import Conversation, Scheduler

QUESTIONS = [f"And what happened in the year {year}?" for year in range(1900, 1930)]


async def main() -> None:
    conversation = Conversation(model="claude-haiku-5-5", system="You tell history in short.", budget=1500)
    async with Scheduler(max_tokens=200) as scheduler:
        for question in QUESTIONS:
            gone = conversation.add_user(question)
            if gone:
                print(f"{question} {len(gone)} old messages dropped")
            conversation.add(await scheduler.submit(conversation.params))
    print(
        f"{len(conversation.messages)} messages kept, {conversation.dropped} dropped, {conversation.tokens} tokens"
    )


if __name__ == "__main__":
    asyncio.run(main())
