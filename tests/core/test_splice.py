"""Attempts joined into one answer: every character once, in one block, whatever broke where."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from headway.core.partial import DISCARD, Kept, Partial, Piece
from headway.core.resume import QUOTED
from headway.core.splice import SHORTEST_REPEAT, Seam, Splice
from headway.core.usage import Usage

TEXT = "".join(f"Sentence {number} says something of its own. " for number in range(15))


def attempt(text: str, sizes: list[int], usage: Usage, *, thinking: bool = False) -> list[Piece]:
    """The events of an attempt that generates this text."""
    pieces = [Piece("message_start", usage=Usage(usage.input, 1))]
    index = 0
    if thinking:
        pieces += [
            Piece("content_block_start", 0, block="thinking"),
            Piece("content_block_delta", 0, size=5),
            Piece("content_block_stop", 0),
        ]
        index = 1
    pieces.append(Piece("content_block_start", index, block="text"))
    at = 0
    for size in [*sizes, len(text)]:
        if part := text[at : at + size]:
            pieces.append(Piece("content_block_delta", index, text=part, size=len(part)))
        at += size
    pieces.append(Piece("content_block_stop", index))
    pieces.append(Piece("message_delta", usage=Usage(0, usage.output), stop_reason="end_turn"))
    pieces.append(Piece("message_stop"))
    return pieces


sizes = st.lists(st.integers(1, 80), max_size=30)


@settings(max_examples=60)
@example([([1], 9, True)], [])
@given(st.lists(st.tuples(sizes, st.integers(0, 40), st.booleans()), min_size=1, max_size=4), sizes)
def test_any_cuts_give_the_text_once(broken: list[tuple[list[int], int, bool]], last: list[int]) -> None:
    partial, earlier, shown = Partial(), Usage(), list[Piece]()
    splice, rest, fresh = Splice(), TEXT, True
    for parts, cut, thinking in [*broken, (last, 10**6, True)]:
        pieces = attempt(rest, parts, Usage(100, 50), thinking=thinking)
        for piece in pieces[:cut]:
            partial.bill(piece)
            for visible in splice.show(piece):
                partial.add(visible)
                shown.append(visible)
        if partial.stop_reason is not None:  # only the formalities are missing: the reader adds them
            shown += [] if partial.finished else splice.show(Piece("message_stop"))
            break
        earlier += partial.settle()
        if not partial.visible:
            partial, splice = Partial(), Splice(earlier=earlier)
            continue
        kept = partial.keep()
        shown.append(Piece(DISCARD, kept.blocks))
        fresh = not kept.texts
        splice = Splice(kept, earlier, fresh=fresh)
        # The model goes on from the end of what it was told, which is without the white space at its end.
        rest = TEXT if fresh else TEXT[len("".join(kept.texts).rstrip()) :]
    assert partial.stop_reason == "end_turn"
    blocks = replay(shown)
    assert "".join(text for kind, text in blocks if kind == "text") == TEXT
    assert [kind for kind, _ in blocks].count("text") == 1
    assert [piece.type for piece in shown].count("message_start") == 1


def replay(shown: list[Piece]) -> list[tuple[str, str]]:
    """What a reader has in the end; the sequence of events must be whole."""
    blocks: list[list[str]] = []
    ended: set[int] = set()
    for piece in shown:
        match piece.type:
            case "content_block_start":
                assert piece.index == len(blocks)
                blocks.append([piece.block, ""])
            case "content_block_delta":
                assert piece.index not in ended
                blocks[piece.index][1] += piece.text or ""
            case "content_block_stop":
                assert piece.index < len(blocks)
                ended.add(piece.index)
            case "headway.discard":
                del blocks[piece.index :]
                ended = {index for index in ended if index < piece.index}
            case "message_stop":
                assert ended == set(range(len(blocks)))
            case _:
                pass
    return [(kind, text) for kind, text in blocks]


def test_what_a_tool_call_left_half_done_is_taken_back() -> None:
    partial = Partial()
    for piece in [
        Piece("content_block_start", 0, block="text"),
        Piece("content_block_delta", 0, text="I will look it up.", size=18),
        Piece("content_block_stop", 0),
        Piece("content_block_start", 1, block="tool_use"),
        Piece("content_block_delta", 1, size=9),
    ]:
        partial.add(piece)
    assert partial.keep() == Kept(1, False, ("I will look it up.",))
    splice = Splice(Kept(1, False, ("I will look it up.",)), fresh=False)
    assert splice.show(Piece("content_block_start", 0, block="tool_use"))[0].index == 1


def test_only_thinking_was_shown_so_everything_is_made_anew() -> None:
    partial = Partial()
    partial.add(Piece("content_block_start", 0, block="thinking"))
    partial.add(Piece("content_block_delta", 0, size=3))
    assert partial.visible
    kept = partial.keep()
    assert kept == Kept(0, False)
    assert Splice(kept).show(Piece("message_start")) == []
    assert Splice(kept).show(Piece("content_block_start", 0, block="thinking"))[0].index == 0


def test_a_continuation_without_content_closes_the_open_block() -> None:
    splice = Splice(Kept(1, True, ("All is said.",)), Usage(10, 3), fresh=False)
    assert splice.show(Piece("message_start", usage=Usage(20, 1))) == []
    closing = splice.show(Piece("message_delta", usage=Usage(0, 1), stop_reason="end_turn"))
    assert [piece.type for piece in closing] == ["content_block_stop", "message_delta"]
    assert closing[1].usage == Usage(30, 4)


def test_a_repetition_of_the_quoted_end_is_not_shown() -> None:
    before = TEXT[:500]
    told = before.rstrip()[-QUOTED:]
    seam = Seam(before)
    fresh = TEXT[500:600]
    out = "".join(seam.join(part) for part in (told[:7], told[7:] + before[len(before.rstrip()) :] + fresh))
    assert out.strip() == fresh.strip()
    assert Seam(before).join("Another") == "Another"


def test_a_repetition_of_everything_is_not_shown() -> None:
    seam = Seam("A short answer that")
    assert seam.join("A short answer that is") == "A short answer that is"  # too short to tell
    assert len("A short answer that") < SHORTEST_REPEAT
    seam = Seam("A slightly longer answer that")
    assert seam.join("A slightly longer answer that ends") == " ends"


def test_text_that_repeats_itself_is_left_alone() -> None:
    seam = Seam("word " * 100)
    assert seam.join(" word word word word word word") == "word word word word word word"
    assert Seam("x" * 500).join("x" * 500) == "x" * 500


def test_white_space_at_the_seam_comes_once() -> None:
    assert Seam("one ").join(" two") == "two"
    assert Seam("one").join(" two") == " two"
    assert Seam("one\n").join("\n\ntwo") == "\ntwo"
    held = Seam("one ")
    assert held.join(" ") == ""
    assert held.rest() == ""
