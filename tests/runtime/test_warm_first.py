"""Of many jobs with the same cached prefix one goes first, and the rest when its entry can be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headway import Flow, JobState, Limits, Priority, Scheduler
from headway.core.limits import NO_REPORT, OnHeaders
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Rejection, Reply
from headway.testing.fake_api.catalog import MODELS
from headway.testing.fake_api.prompt_cache import PromptCache
from headway.testing.fake_api.tokens import count_input
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-5-5"
WORDS = "rule " * 1000
TTFT, ANSWER = 1.0, 6.0


class CachingAPI(ScriptedTransport):
    """Answers begin after a second and end five later; the cache is the fake API's."""

    def __init__(self, script: Callable[[Sent], Reply | Rejection | None] | None = None, **more: Any) -> None:
        super().__init__(**({"connections": 1000} | more))
        self.script = script or (lambda sent: None)
        self.cache = PromptCache()
        self.scouts = 0
        self.usages: list[Usage] = []
        self.times: dict[str, float] = {}

    async def send(
        self, request: Request, *, streamed: bool = False, on_headers: OnHeaders | None = None
    ) -> Reply | Rejection:
        body: Any = request.params
        now, text = anyio.current_time(), body["messages"][-1]["content"]
        text = text if isinstance(text, str) else text[-1]["text"]
        self.sent.append(sent := Sent(now, request, text, 1, streamed))
        self.times.setdefault(text, now)
        self.scouts += on_headers is not None
        model = MODELS[request.model]
        whole = count_input(body, model)
        use = self.cache.look(body, model, whole, now)
        answer = self.script(sent)
        if isinstance(answer, Rejection):
            await anyio.sleep(0.2)
            return answer
        self.cache.use(use, now, now + TTFT)
        await anyio.sleep(TTFT)
        if on_headers is not None:
            on_headers(NO_REPORT)
        await anyio.sleep(ANSWER - TTFT)
        usage = Usage(whole - use.read - use.written, 5, use.written_5m, use.written_1h, use.read)
        self.usages.append(usage)
        return answer or reply(usage=usage)

    @property
    def writes(self) -> int:
        """Answers that paid for writing the prefix."""
        return sum(usage.cache_write > 0 for usage in self.usages)


def ask(text: str, system: str = WORDS, **more: object) -> dict[str, object]:
    cached = {"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}
    return {"system": [cached], "messages": [{"role": "user", "content": text}]} | more


def scheduler(api: CachingAPI, **more: Any) -> Scheduler:
    return Scheduler(
        model=MODEL, max_tokens=64, transport=api, **({"limits": Limits(requests=600_000)} | more)
    )


async def run(api: CachingAPI, bodies: list[dict[str, object]], **more: Any) -> float:
    async with scheduler(api, **more) as s:
        jobs = [s.submit(body) for body in bodies]
        outcomes = [await job.outcome() for job in jobs]
        assert all(outcome.state is JobState.SUCCEEDED for outcome in outcomes), outcomes
        return anyio.current_time()


async def test_one_pays_for_the_prefix_and_the_rest_follows_when_its_response_begins() -> None:
    api = CachingAPI()
    ended = await run(api, [ask(f"{n}") for n in range(300)])
    assert api.writes == 1
    assert ended == pytest.approx(TTFT + ANSWER)
    assert sorted(api.times.values())[1] == pytest.approx(TTFT)


async def test_other_prefixes_and_none_do_not_wait() -> None:
    api = CachingAPI()
    plain: list[dict[str, object]] = [
        {"messages": [{"role": "user", "content": f"plain {n}"}]} for n in range(5)
    ]
    short = [ask(f"short {n}", system="below the minimum") for n in range(5)]
    bodies = [ask(f"{name} {n}", name + WORDS) for n in range(50) for name in "abc"]
    await run(api, [*bodies, *plain, *short])
    assert api.writes == 3
    at_once = {text for text, at in api.times.items() if at == 0}
    assert at_once == {
        "a 0",
        "b 0",
        "c 0",
        *(f"plain {n}" for n in range(5)),
        *(f"short {n}" for n in range(5)),
    }


async def test_a_conversation_of_its_own_waits_for_nobody() -> None:
    """Breakpoints at the end of each prompt: nothing is shared."""
    api = CachingAPI()
    await run(api, [ask(f"{n}", f"{n} {WORDS}") for n in range(20)])
    assert set(api.times.values()) == {0.0}


async def test_shared_system_and_a_tail_of_its_own() -> None:
    api = CachingAPI()
    bodies = [ask(f"{n} " + WORDS, cache_control={"type": "ephemeral"}) for n in range(20)]
    await run(api, bodies)
    assert sum(usage.cache_read > 0 for usage in api.usages) == 19
    assert sorted(api.times.values())[1:] == [TTFT] * 19


async def test_a_limit_on_input_is_not_touched_by_reads() -> None:
    """Twenty minutes' worth of prompts go through in seconds."""
    whole = count_input({"model": MODEL, **ask("?")}, MODELS[MODEL])
    ended = await run(CachingAPI(), [ask(f"{n}") for n in range(200)], limits=Limits(input=10 * whole))
    assert ended < 60


@pytest.mark.parametrize(
    ("failing", "first_others"),
    [
        (1, 0.2 + TTFT),  # the next one warms it
        (2, 0.4),  # … and after two nobody waits any more
    ],
)
async def test_when_the_first_fails_waiting_is_bounded(failing: int, first_others: float) -> None:
    api = CachingAPI(lambda sent: refusal(400) if int(sent.text) < failing else None)
    async with scheduler(api) as s:
        outcomes = [o async for o in s.map([ask(f"{n}") for n in range(30)], priority=Priority.NORMAL)]
    assert sum(outcome.state is JobState.FAILED for outcome in outcomes) == failing
    assert sorted(api.times.values())[failing + 1] == pytest.approx(first_others)


async def test_a_slow_first_one_is_waited_for_ten_seconds() -> None:
    class Slow(CachingAPI):
        async def send(self, request: Request, **rest: Any) -> Reply | Rejection:
            if not self.sent:
                self.sent.append(Sent(0.0, request, "0", 1))
                await anyio.sleep(60)
                return reply()
            return await super().send(request, **rest)

    api = Slow()
    await run(api, [ask(f"{n}") for n in range(10)])
    assert set(api.times.values()) == {10.0}


async def test_where_nothing_is_cached_nobody_waits_again() -> None:
    api = CachingAPI(lambda sent: reply(usage=Usage(5000, 5)))
    async with scheduler(api) as s:
        jobs = [s.submit(ask(f"{n}")) for n in range(3)]
        assert [(await job.outcome()).state for job in jobs] == [JobState.SUCCEEDED] * 3
        now = anyio.current_time()
        await anyio.sleep(1000)
        for job in [s.submit(ask(f"later {n}")) for n in range(3)]:
            await job
    assert now == ANSWER + TTFT
    assert {at for text, at in api.times.items() if "later" in text} == {now + 1000}


async def test_an_entry_that_has_expired_is_warmed_again() -> None:
    api = CachingAPI()
    async with scheduler(api) as s:
        for at in (0.0, 290.0, 580.0, 1000.0):
            await anyio.sleep(at - anyio.current_time())
            for job in [s.submit(ask(f"{at} {n}")) for n in range(5)]:
                await job
    assert api.writes == 2


async def test_who_is_in_a_hurry_does_not_wait() -> None:
    api = CachingAPI()
    async with scheduler(api) as s:
        jobs = [s.submit(ask("first"))]
        await anyio.sleep(0.1)
        jobs += [s.submit(ask("person"), priority=Priority.INTERACTIVE), s.submit(ask("late"), deadline=7)]
        jobs += [s.submit(ask("other"))]
        await anyio.sleep(0.1)
        assert s.status().queued == 1
        for job in jobs:
            await job
    assert api.times == {"first": 0.0, "person": 0.1, "late": 0.1, "other": pytest.approx(0.1 + TTFT)}


async def test_jobs_that_wait_can_be_cancelled_expire_and_stop() -> None:
    class Stuck(CachingAPI):
        async def send(self, request: Request, **rest: Any) -> Reply | Rejection:
            await anyio.sleep(100)
            return reply()

    async with scheduler(Stuck(), flow=Flow(max_in_flight=5)) as s:
        first, second, third = [s.submit(ask(f"{n}"), deadline=9 + n * 3) for n in range(3)]
        fourth = s.submit(ask("fourth"))
        await anyio.sleep(1)
        assert (s.status().in_flight, s.status().queued) == (1, 3)
        third.cancel()
        assert (await third.outcome()).state is JobState.CANCELLED
        assert (await first.outcome()).state is JobState.EXPIRED
        s.abort()
        assert [(await job.outcome()).resumable for job in (second, fourth)] == [True, True]
        assert s.status().queued == 0


async def test_cache_auto_finds_what_is_shared_and_one_pays_for_it() -> None:
    """No breakpoints in the requests: two system prompts, and a template with the same beginning."""
    api = CachingAPI()
    bodies = [
        {"system": f"{who} {WORDS}", "messages": [{"role": "user", "content": f"{who} {n}"}]}
        for n in range(50)
        for who in ("Ann", "Bob")
    ]
    templates = [f"{WORDS} Review: number {n}" for n in range(50)]
    async with scheduler(api) as s, s.map([*bodies, *templates], cache="auto") as outcomes:
        seen = [outcome async for outcome in outcomes]
        status = s.status()
    assert all(outcome.state is JobState.SUCCEEDED for outcome in seen)
    assert api.writes == 3
    assert sum(usage.cache_read > 0 for usage in api.usages) == 147
    assert status.usage.cache_hit_rate == pytest.approx(49 / 50)
    assert status.repaired == 0
    assert {change.rule for outcome in seen for change in outcome.changes} == {"cache_auto"}
    assert all("cache_control" not in str(outcome.request.params) for outcome in seen)


async def test_cache_auto_of_single_jobs_and_where_it_is_not_worth_it() -> None:
    api = CachingAPI()
    async with scheduler(api) as s:
        jobs = [s.submit({"system": WORDS, "messages": [{"role": "user", "content": "a"}]}, cache="auto")]
        jobs += [s.submit("short", cache="auto"), s.submit(ask("its own"), cache="auto")]
        jobs += [s.submit({"system": WORDS, "messages": [{"role": "user", "content": "b"}]}, cache="auto")]
        for job in jobs:
            await job
        with pytest.raises(ValueError, match="cache must be"):
            s.submit("x", cache="always")  # type: ignore[call-overload]
    assert sum(usage.cache_read + usage.cache_write > 0 for usage in api.usages) == 3
    assert api.writes == 1
