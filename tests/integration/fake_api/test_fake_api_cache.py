"""The prompt cache: what is written and read, from when and for how long, and what of it counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headway.testing.fake_api import FakeLimits, Latency
from headway.testing.fake_api.catalog import MODELS
from headway.testing.fake_api.prompt_cache import CacheUse, PromptCache
from headway.testing.fake_api.tokens import count_input

MODEL = "claude-sonnet-5-5"
WORDS = "rule " * 1000
SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
Body = dict[str, Any]


def text(words: str, control: object = None) -> Body:
    return {"type": "text", "text": words} | ({} if control is None else {"cache_control": control})


def ask(question: str = "?", control: object = SHORT, **more: object) -> Body:
    system = [text(WORDS, control)]
    return {"model": MODEL, "max_tokens": 9, "system": system, "messages": [user(question)]} | more


def user(*content: object) -> Body:
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


class Server:
    """A cache whose responses begin one second after their requests."""

    def __init__(self) -> None:
        self.cache = PromptCache()

    def send(self, body: Body, at: float) -> CacheUse:
        model = MODELS[body["model"]]
        use = self.cache.look(body, model, count_input(body, model), at)
        self.cache.use(use, at, at + 1)
        return use


def kinds(*sent: tuple[Body, float]) -> list[str]:
    """``write``, ``read`` or ``none`` for each request in turn."""
    server = Server()
    uses = [server.send(body, at) for body, at in sent]
    return ["read" if use.read else "write" if use.written else "none" for use in uses]


TOOL = {"name": "f", "input_schema": {"type": "object"}, "description": WORDS}


@pytest.mark.parametrize(
    ("expected", "sent"),
    [
        ("write read", [(ask("a"), 0), (ask("b"), 1)]),
        ("write write read", [(ask("a"), 0), (ask("b"), 0.9), (ask("c"), 1)]),  # not before the response begins
        ("write read read", [(ask("a"), 0), (ask("b"), 290), (ask("c"), 580)]),  # a hit renews it
        ("write write", [(ask("a"), 0), (ask("b"), 302)]),
        ("write read write", [(ask("a", LONG), 0), (ask("b", LONG), 3500), (ask("c", LONG), 7101)]),
        ("none none", [(ask(system=[text("short", SHORT)]), 0), (ask(system=[text("short", SHORT)]), 5)]),
        ("write write", [(ask("a"), 0), (ask("b", model="claude-opus-5-5"), 5)]),
        ("none none", [(ask(model="claude-haiku-4-5"), 0), (ask(model="claude-haiku-4-5"), 5)]),  # 4096 there
        ("write write", [(ask("a"), 0), (ask("b", speed="fast"), 5)]),
        ("write read", [(ask("a"), 0), (ask("b", thinking={"type": "adaptive"}), 5)]),  # messages only
        ("write write", [(ask("a"), 0), (ask("a", system=[text(WORDS + "!", SHORT)]), 5)]),
        ("write read", [(ask(tools=[TOOL | {"cache_control": SHORT}], system="x"), 0),
                        (ask(tools=[TOOL | {"cache_control": SHORT}], system="y"), 5)]),
        ("write read", [(ask("same", None, cache_control=SHORT), 0), (ask("same", None, cache_control=SHORT), 5)]),
        ("none write", [(ask("a", None), 0), (ask("b"), 5)]),  # only breakpoints make entries
    ],
)  # fmt: skip
def test_what_is_written_and_read(expected: str, sent: list[tuple[Body, float]]) -> None:
    assert " ".join(kinds(*sent)) == expected


def test_an_earlier_turn_is_found_within_twenty_blocks() -> None:
    def conversation(blocks: int) -> Body:
        turns = [user(*[text(f"{WORDS} {number}") for number in range(blocks)])]
        return {"model": MODEL, "max_tokens": 9, "messages": turns, "cache_control": SHORT}

    for further, found in ((19, True), (20, False)):
        server = Server()
        first = server.send(conversation(3), 0)
        second = server.send(conversation(3 + further), 5)
        assert (second.read == first.written) == found
        if found:
            assert second.written > 18 * first.written / 3


def test_lives_are_billed_apart() -> None:
    body = ask("a", LONG, messages=[user(text(WORDS, SHORT), text("?"))])
    server = Server()
    first = server.send(body, 0)
    assert first.written_1h > 1000 and first.written_5m > 1000 and not first.read
    later = server.send(body, 400)
    assert (later.read, later.written_1h, later.written_5m) == (first.written_1h, 0, first.written_5m)


def test_a_client_that_leaves_before_the_response_begins_makes_no_entry() -> None:
    server = Server()
    use = server.send(ask("a"), 0)
    server.cache.forget(use, 0.5)
    assert server.send(ask("b"), 5).written
    use = server.send(ask("other", system=[text(WORDS + "!", SHORT)]), 20)
    server.cache.forget(use, 22)
    assert server.send(ask("more", system=[text(WORDS + "!", SHORT)]), 25).read


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_usage_and_limits_over_http(start, streamed: bool) -> None:  # type: ignore[no-untyped-def]
    whole = count_input(ask("1"), MODELS[MODEL])
    limits = FakeLimits(requests=1000, input=whole * 1.5, burst=60)
    api, client = await start(latency=Latency(ttft=0.05, speed=1e6), limits=limits)

    async def send(question: str) -> Any:
        if not streamed:
            return (await client.messages.create(**ask(question))).usage
        async with client.messages.stream(**ask(question)) as stream:
            return (await stream.get_final_message()).usage

    first = await send("1")
    assert first.cache_creation_input_tokens == first.cache_creation.ephemeral_5m_input_tokens > 1000
    assert first.input_tokens + first.cache_creation_input_tokens == whole
    later = await asyncio.gather(*(send(str(number)) for number in range(2, 12)))  # uncached, only one fits
    assert {usage.cache_read_input_tokens for usage in later} == {first.cache_creation_input_tokens}
    stats = api.stats
    assert stats.cache_write_tokens == first.cache_creation_input_tokens
    assert stats.cache_read_tokens == 10 * stats.cache_write_tokens
    (billed,) = stats.tokens.values()
    assert (billed.cache_read, billed.cache_write) == (stats.cache_read_tokens, stats.cache_write_tokens)
    rest = stats.input_tokens - stats.cache_read_tokens - stats.cache_write_tokens
    assert (
        billed.usd((4e6, 1e6, 2e6))
        == rest * 4 + stats.output_tokens + billed.cache_read * 2 + billed.cache_write * 5
    )
    (group,) = stats.groups.values()
    used = stats.input_tokens - stats.cache_read_tokens
    assert group.buckets["input"].consumed == used < whole * 1.5
