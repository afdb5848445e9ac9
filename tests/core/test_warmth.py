"""Who waits for a prefix, and that nobody does for long."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headway.core.cache_prefix import CachePrefix, cache_prefixes
from headway.core.warmth import MOST, WAIT, Warmth

WORDS = "rule " * 1000
SHORT = {"type": "ephemeral"}
MODEL = "claude-sonnet-5-5"


def named(*names: str) -> tuple[CachePrefix, ...]:
    return tuple(CachePrefix(name.encode(), 300.0) for name in names)


def body(system: object = WORDS, question: object = "?", **more: object) -> dict[str, Any]:
    return {"model": MODEL, "system": system, "messages": [{"role": "user", "content": question}]} | more


def text(words: str, **more: object) -> dict[str, object]:
    return {"type": "text", "text": words} | more


def test_prefixes_are_the_same_where_everything_before_the_breakpoint_is() -> None:
    marked = [text(WORDS, cache_control=SHORT)]
    first = cache_prefixes(body(marked, "a"))
    assert len(first) == 1 and first[0].life == 300
    assert cache_prefixes(body(marked, "b", max_tokens=9, metadata={"user_id": "x"})) == first
    for other in (
        body(marked, "a", model="claude-opus-5-5"),
        body(marked, "a", thinking={"type": "adaptive"}),
        body(marked, "a", tools=[{"name": "f"}]),
        body([text("!" + WORDS, cache_control=SHORT)], "a"),
    ):
        assert cache_prefixes(other) != first
    hour = cache_prefixes(body([text(WORDS, cache_control=SHORT | {"ttl": "1h"})], "a"))
    assert hour[0].digest == first[0].digest and hour[0].life == 3600


def test_what_counts_as_a_breakpoint() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text(WORDS, cache_control=SHORT)]}
    assert len(cache_prefixes(body(question=[result]))) == 1
    assert len(cache_prefixes(body(cache_control=SHORT))) == 1
    assert (
        len(cache_prefixes(body([text(WORDS, cache_control=SHORT)], [text("?")], cache_control=SHORT))) == 2
    )
    assert cache_prefixes(body()) == ()
    assert cache_prefixes(body([text("short", cache_control=SHORT)])) == ()
    assert cache_prefixes(body([text(WORDS, cache_control=SHORT)], model="claude-haiku-4-5")) == ()
    assert cache_prefixes({"cache_control": SHORT, "messages": "garbled", "system": 7}) == ()


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True).map(sorted)
steps = st.lists(
    st.tuples(
        names, st.sampled_from(["answered", "answered", "uncached", "failed", "refused", "lost"]),
        st.floats(0, 30), st.floats(0, 400),
    ),
    max_size=40,
)  # fmt: skip


@given(steps)
def test_every_wait_ends(history: list[tuple[list[str], str, float, float]]) -> None:
    """Whatever becomes of those that go first: after `WAIT` seconds at most a waiting job is let go."""
    warmth, now = Warmth(), 0.0
    for wanted, end, lasts, pause in history:
        prefixes = named(*wanted)
        warmth.meet(prefixes)
        began = now
        for _ in range(len(prefixes) + 1):
            if warmth.awaited(prefixes, now) is None:
                break
            now = max(now, warmth.next_event)
            assert now - began <= WAIT + 1e-6, "but for rounding"
            warmth.overdue(now)
        assert warmth.awaited(prefixes, now) is None
        mine = warmth.begin(prefixes, now)
        sent, now = now, now + lasts
        warmth.overdue(now)
        match end:
            case "answered" | "uncached":
                warmth.began(prefixes, sent)
                warmth.confirm(prefixes, int(end == "answered"))
                assert now >= sent + 300 or warmth.awaited(prefixes, now) is None
            case "failed" | "refused":
                warmth.fail(mine, counts=end == "failed")
            case _:
                pass
        now += pause


def test_memory_is_bounded_and_those_that_are_being_warmed_are_kept() -> None:
    warmth = Warmth()
    warmth.begin(named("kept"), 0.0)
    for number in itertools.count():
        warmth.meet(named(f"{number}"))
        if number > 3 * MOST:
            break
    assert len(warmth._states) <= MOST + 1
    assert warmth.awaited(named("kept"), 1.0) == b"kept"
