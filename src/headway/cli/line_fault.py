"""What is wrong with a line of the input, and the warnings that do not stop a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST_NAMES: Final = 20
"""Different names that are warned about, so that a file full of them does not fill the screen."""


class LineFault(Exception):
    """A line that cannot become a request: what is wrong and what to do about it."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line further down the file that fails singly."""

    number: int
    key: str
    """Its id in journal and output."""
    problem: str


class Warnings:
    """Says each thing once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()
        self._counts: dict[str, int] = {}

    def once(self, topic: str, subject: str, text: str) -> None:
        """Say ``text`` unless something was said about this subject before; too many subjects are cut short."""
        mark = f"{topic}\0{subject}"
        count = self._counts.get(topic, 0)
        if mark in self._said or count > MOST_NAMES:
            return
        self._said.add(mark)
        self._counts[topic] = count + 1
        self._say(f"… further warnings about {topic} are left out" if count == MOST_NAMES else text)
