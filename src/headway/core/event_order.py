"""The order in which the events of one streamed attempt must come, for them to make a message.

https://platform.claude.com/docs/en/build-with-claude/streaming#event-types. A proxy that mixes, repeats or loses
events must not make an answer that only looks whole.
"""

from __future__ import annotations

from headway.core.partial import Piece


class EventOrder:
    """Follows one attempt."""

    def __init__(self) -> None:
        self._started = False
        self._blocks: set[int] = set()
        self._open: set[int] = set()

    def fault(self, piece: Piece) -> str | None:
        """What is wrong with this event in this place; ``None``: nothing. Unknown events may come anywhere."""
        match piece.type:
            case "message_start":
                again, self._started = self._started, True
                return "a second message_start" if again else None
            case "content_block_start" if piece.index in self._blocks:
                return f"a second start of block {piece.index}"
            case "content_block_start":
                self._blocks.add(piece.index)
                self._open.add(piece.index)
            case "content_block_delta" | "content_block_stop" if piece.index not in self._open:
                state = "ended" if piece.index in self._blocks else "not started"
                return f"{piece.type} for block {piece.index}, which has {state}"
            case "content_block_stop":
                self._open.remove(piece.index)
            case "content_block_delta" | "message_delta" | "message_stop":
                pass
            case _:
                return None
        return None if self._started else f"{piece.type} before message_start"
