"""What an answer used: tokens as the API's ``usage`` object counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more answers."""

    input: int = 0
    """Uncached input tokens (``input_tokens``)."""
    output: int = 0
    """Output tokens."""
    cache_write: int = 0
    """Input tokens written to the cache, five minutes' life."""
    cache_write_1h: int = 0
    """Input tokens written to the cache, one hour's life."""
    cache_read: int = 0
    """Input tokens read from the cache; they do not count against the input limit."""

    @property
    def limited_input(self) -> int:
        """What counts against input tokens per minute: uncached input and cache writes."""
        return self.input + self.cache_write + self.cache_write_1h

    @property
    def true_input(self) -> int:
        """The whole prompt in tokens."""
        return self.limited_input + self.cache_read

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
        )

    def at_least(self, other: Usage) -> Usage:
        """Each count the larger of the two: cumulative counts that arrive in parts."""
        return Usage(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.cache_write, other.cache_write),
            max(self.cache_write_1h, other.cache_write_1h),
            max(self.cache_read, other.cache_read),
        )


NO_USAGE: Final = Usage()
