"""Reading a conversation: its messages, and the turns the API makes of them.

Consecutive messages of one role are one turn to the API (``messages`` in the SDK's docstring of
``Messages.create``); messages of the role ``system`` stand between turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeGuard, cast

from headway.preflight.facts import Body, blocks_of

Block = Mapping[str, object]
Message = Mapping[str, object]
THINKING: Final = frozenset({"thinking", "redacted_thinking"})
SERVER_USES: Final = frozenset({"server_tool_use", "mcp_tool_use"})
"""Tools that run on the API's side: their results stand in assistant turns."""


class Place(NamedTuple):
    """Where a block stands."""

    message: int
    block: int

    @property
    def path(self) -> str:
        """As findings name it."""
        return f"messages.{self.message}.content.{self.block}"


@dataclass(slots=True)
class Turn:
    """One turn: consecutive messages of a role."""

    role: str
    indices: list[int] = field(default_factory=list[int])
    """Of its messages."""
    blocks: list[tuple[Place, Block]] = field(default_factory=list[tuple[Place, Block]])
    systems: list[int] = field(default_factory=list[int])
    """Of the ``system`` messages that stand in or behind it."""

    def of_type(self, *kinds: str) -> list[tuple[Place, Block]]:
        """Its blocks of these types, in order."""
        return [(place, block) for place, block in self.blocks if block.get("type") in kinds]

    def has(self, *kinds: str) -> bool:
        """Whether a block of one of these types is in it."""
        return any(block.get("type") in kinds for _, block in self.blocks)

    @property
    def is_prompt(self) -> bool:
        """A user's turn that answers no tool call: it may stand without what came before it."""
        return self.role == "user" and not self.has("tool_result")


def messages_in(body: Body) -> list[Message]:
    """The messages of a body; in place of what is no object stands an empty one, so that indices are right."""
    messages = body.get("messages")
    if not isinstance(messages, list | tuple):
        return []
    return [as_object(item) for item in cast("list[object]", messages)]


def as_object(value: object) -> Block:
    """The value if it is a JSON object, or else an empty one."""
    return cast("Block", value) if type(value) is dict or isinstance(value, Mapping) else {}


def is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """A JSON array."""
    return isinstance(value, list | tuple)


def turns_of(messages: list[Message]) -> list[Turn]:
    """The turns; ``system`` messages do not end one, and are noted with the turn they follow."""
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        role = str(message.get("role"))
        if role == "system":
            if turns:
                turns[-1].systems.append(index)
            continue
        if not turns or turns[-1].role != role:
            turns.append(Turn(role))
        turn = turns[-1]
        turn.indices.append(index)
        turn.blocks += [
            (Place(index, n), block) for n, block in enumerate(_placed(message.get("content"))) if block
        ]
    return turns


def _placed(content: object) -> list[Block]:
    """Like `blocks_of`, but what is no block keeps its place as an empty one."""
    if is_list(content):
        return [as_object(item) for item in content]
    return blocks_of(content)


def kinds_in(messages: list[Message]) -> Iterator[str]:
    """The types of all blocks that are given as blocks: a quick look, nothing is copied."""
    for message in messages:
        content = message.get("content")
        if is_list(content):
            for block in content:
                yield str(as_object(block).get("type"))


def is_blank(value: object) -> bool:
    """A text block that says nothing: empty, or only white space."""
    block = as_object(value)
    text = block.get("text")
    return block.get("type") == "text" and isinstance(text, str) and (not text or text.isspace())


def is_directive(message: Message) -> bool:
    """A ``system`` message without text that only sets ``output_config``: the API takes it at any position."""
    content = message.get("content")
    return message.get("role") == "system" and is_list(content) and not content and "output_config" in message


def is_server_result(block: Block) -> bool:
    """The result of a tool that ran on the API's side."""
    kind = str(block.get("type"))
    return kind.endswith("_tool_result")


def with_blocks(message: Message, blocks: list[Block]) -> Message:
    """The message with other content."""
    return {**message, "content": [dict(block) for block in blocks]}
