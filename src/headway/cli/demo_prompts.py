"""Prompts for the demonstration, made here: small questions of different lengths."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Final

THINGS: Final = ("apples", "bricks", "candles", "letters", "marbles", "notebooks", "seeds", "tickets")
PLACES: Final = ("a market", "a workshop", "a library", "a harbour", "a school", "a bakery")
TASKS: Final = (
    "How many {thing} are left at {place} when {a} of {b} are sold? Answer with a number.",
    "Write a line about {a} {thing} in {place}.",
    "At {place} there are {a} boxes with {b} {thing} each. How many {thing} are that in all? Explain each step.",
    "Somebody at {place} gives away {a} {thing} a day and has {b}. For how many days do they last, and why?",
)


def demo_lines(jobs: int, seed: int) -> Iterator[str]:
    """Lines of a JSON Lines input, each with an id of its own."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    for number in range(1, jobs + 1):
        small = chance.randint(2, 40)
        prompt = chance.choice(TASKS).format(
            thing=chance.choice(THINGS), place=chance.choice(PLACES), a=small, b=small * chance.randint(2, 30)
        )
        name = f"question-{number}"
        # The user id lets the fake API's statistics speak of the same jobs.
        yield json.dumps({"custom_id": name, "prompt": prompt, "metadata": {"user_id": name}})
