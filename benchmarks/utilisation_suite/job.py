"""The jobs of a run: decided by the seed alone, the same for every contender."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Final

MODEL: Final = "claude-sonnet-5-5"
CHARS_PER_TOKEN: Final = 3.6 / 1.3
"""What the fake API counts for this model (``testing/fake_api/tokens.py``)."""
OVERHEAD: Final = 7
"""Input tokens of a request beside its text."""
FILLER: Final = (
    "The parcel came two days late, the box was dented, and yet the kettle inside works as described. "
    "It is quieter than the old one, the handle stays cool, and the lid closes with a click. "
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Lognormal input lengths."""

    mean: float = 250.0
    """Tokens."""
    sigma: float = 0.6
    most: float = 1500.0

    def draw(self, chance: random.Random) -> int:
        """Input tokens of one job."""
        if self.sigma == 0:
            return round(self.mean)
        length = chance.lognormvariate(math.log(self.mean) - self.sigma**2 / 2, self.sigma)
        return round(min(self.most, max(30.0, length)))


@dataclass(frozen=True, slots=True)
class Job:
    """One request that must be answered once."""

    name: str
    prompt: str
    max_tokens: int
    input_tokens: int
    """What the server will count; contenders that ask for an estimate get a rough one from the text."""

    def params(self) -> dict[str, object]:
        """A Messages body; the fake API tells jobs apart by ``user_id``."""
        return {
            "model": MODEL,
            "max_tokens": self.max_tokens,
            "messages": [{"role": "user", "content": self.prompt}],
            "metadata": {"user_id": self.name},
        }


def make_jobs(count: int, sizes: Sizes, max_tokens: tuple[int, int], seed: int, name: str) -> list[Job]:
    """``count`` jobs; ``max_tokens`` lies between the two bounds."""
    chance = random.Random(f"{seed}|{name}")
    return [
        _make(f"{name}-{number:05d}", sizes.draw(chance), chance.randint(*max_tokens))
        for number in range(count)
    ]


def _make(name: str, tokens: int, max_tokens: int) -> Job:
    text = f"Classify review {name}: "
    characters = max(len(text), round((tokens - OVERHEAD) * CHARS_PER_TOKEN))
    prompt = (text + FILLER * (characters // len(FILLER) + 1))[:characters].rstrip()
    return Job(name, prompt, max_tokens, tokens)
