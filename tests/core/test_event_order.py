"""Which sequences of events make a message."""

from __future__ import annotations

import pytest

from headway.core.event_order import EventOrder
from headway.core.partial import Piece

WHOLE = [
    Piece("message_start"), Piece("content_block_start", 0), Piece("content_block_delta", 0),
    Piece("content_block_stop", 0), Piece("message_delta"), Piece("message_stop"),
]  # fmt: skip


def first_fault(pieces: list[Piece]) -> str | None:
    order = EventOrder()
    return next((fault for piece in pieces if (fault := order.fault(piece))), None)


def test_what_the_api_sends_is_in_order() -> None:
    assert first_fault(WHOLE) is None
    mixed = [part for piece in WHOLE for part in (Piece("novelty", 7), piece)]
    assert first_fault(mixed) is None


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        (WHOLE[1:], "content_block_start before message_start"),
        (WHOLE[5:], "message_stop before message_start"),
        (WHOLE[4:], "message_delta before message_start"),
        ([*WHOLE[:3], WHOLE[0]], "a second message_start"),
        ([WHOLE[0], WHOLE[2]], "content_block_delta for block 0, which has not started"),
        ([*WHOLE[:3], WHOLE[1]], "a second start of block 0"),
        ([*WHOLE[:4], WHOLE[2]], "content_block_delta for block 0, which has ended"),
        (
            [*WHOLE[:3], Piece("content_block_stop", 1)],
            "content_block_stop for block 1, which has not started",
        ),
    ],
)
def test_what_it_does_not_send_is_not(pieces: list[Piece], fault: str) -> None:
    assert first_fault(pieces) == fault
