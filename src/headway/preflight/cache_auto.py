"""``cache="auto"``: a breakpoint at the end of the longest prefix that the jobs of a run share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from headway.core.cache_prefix import ENTRY_PARAMETERS
from headway.core.change import PLACED, Change
from headway.preflight.breakpoints import Block, Place, has_breakpoint, objects, places, value_at, with_value
from headway.preflight.facts import Body, Facts
from headway.preflight.rule import Mended

CONTROL: Final[Mapping[str, object]] = {"type": "ephemeral"}
"""Five minutes, renewed by every hit: a run hits it all the time."""
_REASON: Final = "the end of what the jobs share"
FAMILIES: Final = 1000
"""Kinds of prompts that are told apart; those unheard of for longest are forgotten."""
CHARACTERS: Final = 20_000_000
"""Of all prompts that are kept to be compared with the next of their family: then too."""
_TELLING: Final = 80
"""Characters of its first block that tell a prompt's family: what differs there shares nothing worth caching."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One block, comparable between bodies."""

    where: str
    """Its place, and whose turn it is."""
    content: str
    """Canonical JSON without ``cache_control``; a text given as such and a block with that text are equal."""
    text: str | None
    """Of a plain text block: it may be shared in part."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning that bodies have in common."""

    units: tuple[Unit, ...]
    where: str = ""
    text: str = ""
    """What the texts at the place behind the shared blocks have in common."""

    @property
    def characters(self) -> int:
        """What it takes to keep it."""
        return sum(len(unit.content) for unit in self.units) + len(self.text)

    def shared_with(self, other: Prefix) -> Prefix:
        """What both have in common."""
        count = 0
        for mine, its in zip(self.units, other.units, strict=False):
            if mine != its:
                break
            count += 1
        (where, text), (its_where, its_text) = self._behind(count), other._behind(count)
        if where != its_where:
            return Prefix(self.units[:count])
        return Prefix(self.units[:count], where, text[: common_length(text, its_text)])

    def _behind(self, count: int) -> tuple[str, str]:
        if count == len(self.units):
            return self.where, self.text
        return self.units[count].where, self.units[count].text or ""


class CachePlacer:
    """Learns what the bodies of a run share, and places the breakpoint.

    Bodies that begin differently (another model, other tools, another system prompt) are families of their own.
    Bodies that ask for caching themselves are left alone, and so is the first of a family until a second one tells
    what they have in common.
    """

    def __init__(self) -> None:
        self._shared: dict[tuple[str, ...], Prefix] = {}
        self._seen: set[tuple[str, ...]] = set()
        self._characters = 0

    def observe(self, bodies: Iterable[Body], facts: Facts) -> None:
        """Learn from bodies that will be sent."""
        for body in bodies:
            whole = Prefix(_units(body, list(_top(body, facts))))
            family = _family(whole)
            known = self._shared.pop(family, None)
            if known is not None:
                self._seen.add(family)
                self._characters -= known.characters
            shared = whole if known is None else known.shared_with(whole)
            self._shared[family] = shared
            self._characters += shared.characters
            self._forget()

    def _forget(self) -> None:
        while len(self._shared) > 1 and (len(self._shared) > FAMILIES or self._characters > CHARACTERS):
            oldest = next(iter(self._shared))
            self._characters -= self._shared.pop(oldest).characters
            self._seen.discard(oldest)

    def place(self, body: Body, facts: Facts) -> Mended:
        """The body with one breakpoint at the end of what it shares with the others, where that is long enough
        for its model to be cached. A text that is shared in part is split there, at white space."""
        if not self._seen or facts.model is None or has_breakpoint(body):
            return Mended(body, ())
        every = list(_top(body, facts))
        whole = Prefix(_units(body, every))
        if (family := _family(whole)) not in self._seen:
            return Mended(body, ())
        mine = self._shared[family].shared_with(whole)
        count = len(mine.units) - 1  # the first unit is no block
        if count < 0:
            return Mended(body, ())
        tokens = sum(place.tokens for place in every[:count])
        least = facts.model.cache_minimum
        part = _split_point(every[count], mine.text) if count < len(every) and mine.text else 0
        gain = part * facts.tokens_per_char
        if part and tokens + gain >= least and (tokens < least or gain >= least):  # else not worth a split
            return _split(body, every[count], part)
        last = next((place for place in reversed(every[:count]) if place.takes_breakpoint), None)
        return Mended(body, ()) if last is None or tokens < least else _mark(body, last)


def common_length(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _top(body: Body, facts: Facts) -> Iterable[Place]:
    return (place for place in places(body, facts) if not place.nested)


def _family(whole: Prefix) -> tuple[str, ...]:
    head, *rest = whole.units
    first = [text for unit in rest[:1] for text in (unit.where, unit.content[:_TELLING])]
    return (head.content, *first)


def _units(body: Body, every: list[Place]) -> tuple[Unit, ...]:
    head = Unit(
        "", json.dumps([body.get(name) for name in ENTRY_PARAMETERS], sort_keys=True, default=repr), None
    )
    roles = {index: message.get("role") for index, message in objects(body.get("messages"))}
    found = [head]
    for place in every:
        block = {name: value for name, value in place.block.items() if name != "cache_control"}
        keys = place.keys if isinstance(place.keys[-1], int) else (*place.keys, 0)
        role = roles[keys[1]] if keys[0] == "messages" and isinstance(keys[1], int) else ""
        text = block["text"] if block.keys() == {"type", "text"} and keys[0] != "tools" else None
        content = json.dumps(block, sort_keys=True, default=repr)
        found.append(Unit(f"{role}:{keys}", content, text if isinstance(text, str) else None))
    return tuple(found)


def _split_point(place: Place, shared: str) -> int:
    """Behind the last white space of what is shared, with text on both sides of it."""
    text = place.block.get("text")
    if not isinstance(text, str) or place.keys[0] == "tools":
        return 0
    end = max(shared.rfind(space) for space in (" ", "\n", "\t")) + 1
    return end if text[:end].strip() and text[end:].strip() else 0


def _mark(body: Body, place: Place) -> Mended:
    change = Change(PLACED, f"{place.path}.cache_control", _REASON, None, dict(CONTROL))
    return Mended(_replaced(body, place, [{**place.block, "cache_control": dict(CONTROL)}]), (change,))


def _split(body: Body, place: Place, at: int) -> Mended:
    text = str(place.block["text"])
    first: Block = {**place.block, "text": text[:at], "cache_control": dict(CONTROL)}
    second: Block = {**place.block, "text": text[at:]}
    change = Change(
        PLACED, place.path, f"{_REASON} is inside this text", "1 block", "2 blocks and a breakpoint"
    )
    return Mended(_replaced(body, place, [first, second]), (change,))


def _replaced(body: Body, place: Place, blocks: list[Block]) -> Body:
    """The body with one block replaced by others."""
    *way, last = place.keys
    if last == "system":
        return {**body, "system": blocks}
    if last == "content":
        return with_value(body, tuple(way), {"content": blocks})
    index, items = cast("int", last), cast("list[object]", value_at(body, tuple(way)))
    return with_value(body, tuple(way[:-1]), {str(way[-1]): [*items[:index], *blocks, *items[index + 1 :]]})
