"""What has arrived of a streamed answer: enough to know what was shown, what it cost, and what can be kept.

Events: https://platform.claude.com/docs/en/build-with-claude/streaming. An adapter turns the SDK's events
into `Piece` values; unknown events pass through with their type only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from headway.core.tokens import CHARS_PER_TOKEN
from headway.core.usage import NO_USAGE, Usage

RESTARTABLE: Final = frozenset({"text", "thinking", "tool_use", "server_tool_use"})
"""Blocks that arrive empty and are filled by deltas; all others are visible as soon as they start."""
DISCARD: Final = "headway.discard"
"""Type of the piece that takes back content blocks: they were shown in part and are made anew."""
HIDDEN: Final = frozenset({"thinking", "redacted_thinking"})
"""Blocks that belong to the very request that made them and never go into a continuation."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of a stream."""

    type: str
    """``message_start``, ``content_block_delta`` …"""
    index: int = 0
    """The content block it concerns."""
    block: str = ""
    """Type of the block that starts."""
    text: str | None = None
    """Text of a ``text_delta``."""
    size: int = 0
    """Characters of any delta: text, tool input, thinking."""
    usage: Usage | None = None
    """Cumulative, from ``message_start`` and ``message_delta``; what an event does not say is 0."""
    stop_reason: str | None = None
    raw: object = field(default=None, repr=False, compare=False)
    """The SDK's event; ``None`` for one that headway makes up to keep the sequence whole."""


@dataclass(slots=True)
class Block:
    """One content block as far as it has arrived."""

    type: str
    text: str = field(default="", repr=False)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of a broken answer: everything up to its last text block."""

    blocks: int
    """So many content blocks stay; those after them are discarded and made anew."""
    open: bool
    """The last of them is text that was cut off in the middle."""
    texts: tuple[str, ...] = field(default=(), repr=False)
    """Their text blocks; a tool call or thinking cannot be resumed
    (https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery)."""


class Partial:
    """One answer, growing; over several attempts when it is resumed."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.visible = False
        """Something was shown that cannot be taken back."""
        self.stop_reason: str | None = None
        self.finished = False
        """``message_stop`` was seen."""
        self._reported = NO_USAGE
        self._characters = 0
        self._counted = False
        """The output was told by the event that ends the message, not only at its start."""

    def add(self, piece: Piece) -> None:
        """Take in an event that was shown."""
        match piece.type:
            case "content_block_start":
                self.blocks.append(Block(piece.block))
                self.visible = self.visible or piece.block not in RESTARTABLE
            case "content_block_delta":
                self.visible = True
                if piece.text and piece.index < len(self.blocks):
                    self.blocks[piece.index].text += piece.text
            case "content_block_stop":
                if piece.index < len(self.blocks):
                    self.blocks[piece.index].complete = True
            case "message_delta":
                self.visible = True
                self.stop_reason = piece.stop_reason or self.stop_reason
            case "message_stop":
                self.finished = True
            case _:
                return

    def bill(self, piece: Piece) -> None:
        """Take in what an event says of usage, shown or not: hidden thinking is paid for like all else."""
        self._characters += piece.size
        if piece.usage is not None:
            self._reported = self._reported.at_least(piece.usage)
            self._counted = piece.type == "message_delta"

    def usage(self) -> Usage:
        """What the attempt under way has used: as reported, and output at least as its characters suggest."""
        if self._counted:
            return self._reported
        seen = round(self._characters / CHARS_PER_TOKEN)
        return replace(self._reported, output=max(self._reported.output, seen))

    def settle(self) -> Usage:
        """The same, once, at the end of an attempt: the next one starts from nothing."""
        used = self.usage()
        self._reported, self._characters, self._counted = NO_USAGE, 0, False
        return used

    def keep(self) -> Kept:
        """What stays when the answer breaks off here; forgets the rest."""
        last = max(
            (i for i, block in enumerate(self.blocks) if block.type == "text" and block.text), default=-1
        )
        del self.blocks[last + 1 :]
        texts = tuple(block.text for block in self.blocks if block.type == "text" and block.text)
        return Kept(last + 1, last >= 0 and not self.blocks[last].complete, texts)
