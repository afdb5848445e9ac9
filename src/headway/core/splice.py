"""Joining attempts of one streamed answer so that what is shown reads as one: no text twice, none missing.

The first attempt passes as it is, held back until something is visible, so that a failure before that can be
retried unseen. A continuation has no message start, its blocks are renumbered behind those that were kept,
its first text goes on in the block that was cut off, and its thinking (bound to the continuation's own
prompt) is left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from headway.core.partial import HIDDEN, RESTARTABLE, Kept, Piece
from headway.core.resume import QUOTED, quoted
from headway.core.usage import NO_USAGE, Usage

SHORTEST_REPEAT: Final = 20
"""Characters from which a continuation that starts like the end it was told is taken for a repetition."""


class Splice:
    """Turns the pieces of one attempt into those to show."""

    def __init__(self, kept: Kept | None = None, earlier: Usage = NO_USAGE, *, fresh: bool = True) -> None:
        """``kept``: what earlier attempts have shown (``None``: nothing). ``fresh``: the attempt answers the
        request itself, not a continuation. ``earlier``: what they used; the last event tells the sum."""
        self._first = kept is None
        self._fresh = fresh
        self._earlier = earlier
        self._usage = NO_USAGE
        self._next = kept.blocks if kept else 0
        self._open = self._next - 1 if kept and kept.open else None
        self._seam = Seam(kept.texts[-1]) if kept and self._open is not None else None
        self._joined: int | None = None
        self._places: dict[int, int] = {}
        self._late: list[Piece] = []
        """The end of a text block, told with the next event: if there is none the block can still go on."""
        self._held: list[Piece] | None = [] if self._first else None

    def show(self, piece: Piece) -> list[Piece]:
        """The pieces to show now, in their new places."""
        late, self._late = self._late, []
        shown = [*late, *self._placed(piece)]
        if self._held is None:
            return shown
        self._held += shown
        if not is_visible(piece):
            return []
        held, self._held = self._held, None
        return held

    def _placed(self, piece: Piece) -> list[Piece]:
        if piece.usage is not None:
            self._usage = self._usage.at_least(piece.usage)
        match piece.type:
            case "message_start":
                return [piece] if self._first else []
            case "content_block_start":
                return self._start(piece)
            case "content_block_delta":
                return self._delta(piece)
            case "content_block_stop":
                return self._stop(piece)
            case "message_delta":
                return [*self._close(), self._summed(piece)]
            case _:
                return [piece]

    def _start(self, piece: Piece) -> list[Piece]:
        if not self._fresh and piece.block in HIDDEN:
            return []
        if self._open is not None and piece.block == "text":
            self._places[piece.index] = self._open
            self._joined, self._open = piece.index, None
            return []
        closing = self._close()
        place = self._places[piece.index] = self._next
        self._next += 1
        return [*closing, replace(piece, index=place)]

    def _delta(self, piece: Piece) -> list[Piece]:
        place = self._places.get(piece.index)
        if place is None:
            return []
        if piece.index == self._joined and self._seam is not None and piece.text is not None:
            text = self._seam.join(piece.text)
            return [replace(piece, index=place, text=text)] if text else []
        return [replace(piece, index=place)]

    def _stop(self, piece: Piece) -> list[Piece]:
        place = self._places.get(piece.index)
        if place is None:
            return []
        rest = self._seam.rest() if piece.index == self._joined and self._seam is not None else ""
        self._late = [replace(piece, index=place)]
        return [Piece("content_block_delta", place, text=rest, size=len(rest))] if rest else []

    def _close(self) -> list[Piece]:
        """The end of a block that was cut off and that nothing came to continue."""
        place, self._open = self._open, None
        return [] if place is None else [Piece("content_block_stop", place)]

    def _summed(self, piece: Piece) -> Piece:
        if piece.usage is None or self._earlier == NO_USAGE:
            return piece
        return replace(piece, usage=self._earlier + self._usage)


class Seam:
    """Where a continuation meets the text before it: white space and repetitions are not shown twice."""

    def __init__(self, before: str) -> None:
        self._space = before[len(before.rstrip()) :]
        known = before.strip()
        repeats = {quoted(known), known}
        self._repeats = [text for text in repeats if len(text) >= SHORTEST_REPEAT and not _cyclic(text)]
        self._buffer: str | None = ""

    def join(self, text: str) -> str:
        """What of the next text is new; nothing while it may still turn out to be a repetition."""
        if self._buffer is None:
            return text
        self._buffer += text
        buffer = self._buffer
        bare = buffer.lstrip()
        if not bare:
            return ""
        whole = [known for known in self._repeats if bare.startswith(known)]
        if not whole and any(known.startswith(bare) for known in self._repeats):
            return ""
        self._buffer = None
        return bare[len(max(whole, key=len)) :] if whole else self._without_space(buffer)

    def rest(self) -> str:
        """What was held back when the block ends."""
        buffer, self._buffer = self._buffer, None
        return "" if buffer is None else self._without_space(buffer)

    def _without_space(self, text: str) -> str:
        """The request could not end with the white space that was shown: the model makes it again."""
        same = 0
        while same < min(len(self._space), len(text)) and self._space[same] == text[same]:
            same += 1
        return text[same:]


def _cyclic(text: str) -> bool:
    """It repeats itself, so that a continuation which starts like it says nothing ("ha ha ha ha …")."""
    start = text[:QUOTED]
    return any(start[step:] == start[:-step] for step in range(1, len(start) // 2 + 1))


def is_visible(piece: Piece) -> bool:
    """It brings content that cannot be taken back, or ends the answer."""
    if piece.type == "content_block_start":
        return piece.block not in RESTARTABLE
    return piece.type in {"content_block_delta", "message_delta", "message_stop"}
