"""Identical requests are sent once, and everybody gets the answer."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import ErrorKind, JobState, Limits, Priority, Scheduler
from headway.core.outcome import Ending
from headway.runtime.twins import Answers
from headway.testing.clock import virtual_loop
from headway.testing.transport import ScriptedTransport, Sent, refusal, reply

pytestmark = pytest.mark.anyio


def scheduler(transport: ScriptedTransport, **more: Any) -> Scheduler:
    options = {"limits": Limits(requests=600_000)} | more
    return Scheduler(model="claude-sonnet-5-5", max_tokens=64, transport=transport, **options)


def text_of(outcome: Any) -> str:
    return outcome.message.content[0].text


async def test_each_content_is_sent_once_and_counted_once() -> None:
    transport = ScriptedTransport(latency=1)
    async with scheduler(transport) as s:
        outcomes = [o async for o in s.map([f"{n % 7}" for n in range(700)], dedupe=True)]
        status = s.status()
    assert sorted(sent.text for sent in transport.sent) == [f"{n}" for n in range(7)]
    assert len({outcome.key for outcome in outcomes}) == 700
    assert {text_of(outcome) for outcome in outcomes} == {f"echo {n}" for n in range(7)}
    originals = {outcome.key: outcome for outcome in outcomes if outcome.copy_of is None}
    for outcome in outcomes:
        if outcome.copy_of is not None:
            assert text_of(originals[outcome.copy_of]) == text_of(outcome)
            assert (outcome.sends, outcome.cost, outcome.usage.output) == (0, 0.0, 0)
    assert (status.succeeded, status.copied, status.sends) == (700, 693, 7)
    assert status.usage == sum((o.usage for o in originals.values()), type(status.usage)())


async def test_only_what_asks_for_it_and_only_what_is_the_same() -> None:
    transport = ScriptedTransport(latency=1)
    async with scheduler(transport) as s:
        jobs = [s.submit("a", dedupe=True), s.submit("a"), s.submit("a", dedupe=True, max_tokens=65)]
        jobs += [s.submit("a", dedupe=True, priority=Priority.BULK, tenant="other")]
        outcomes = [await job.outcome() for job in jobs]
        assert [outcome.copy_of is not None for outcome in outcomes] == [False, False, False, True]
        later = await s.submit("a", dedupe=True).outcome()
        assert later.copy_of == outcomes[0].key
    assert len(transport.sent) == 3


async def test_a_failure_is_shared_and_may_be_tried_again() -> None:
    transport = ScriptedTransport(lambda sent: refusal(400) if sent.attempt == 1 else reply(), latency=1)
    async with scheduler(transport) as s:
        outcomes = [await job.outcome() for job in [s.submit("a", dedupe=True) for _ in range(3)]]
        assert [o.failure and o.failure.kind for o in outcomes] == [ErrorKind.INVALID_REQUEST] * 3
        assert [o.sends for o in outcomes] == [1, 0, 0] and len(transport.sent) == 1
        assert await s.submit("a", dedupe=True)


async def test_retries_are_the_first_ones_alone() -> None:
    transport = ScriptedTransport(lambda sent: refusal(500) if sent.attempt < 3 else reply(), latency=1)
    async with scheduler(transport) as s:
        outcomes = [o async for o in s.map(["a"] * 5, dedupe=True)]
    assert sorted(outcome.sends for outcome in outcomes) == [0, 0, 0, 0, 3]


@pytest.mark.parametrize("how", ["cancelled", "expired"])
async def test_when_the_first_goes_away_the_next_one_is_sent(how: str) -> None:
    transport = ScriptedTransport(latency=10)
    async with scheduler(transport) as s:
        first = s.submit("a", dedupe=True, deadline=5 if how == "expired" else None)
        others = [s.submit("a", dedupe=True) for _ in range(3)]
        await anyio.sleep(1)
        assert (s.status().queued, s.status().in_flight) == (3, 1)
        await anyio.sleep(5)
        first.cancel()
        assert (await first.outcome()).state.value == how
        assert [(await job.outcome()).copy_of for job in others] == [None, others[0].key, others[0].key]
    assert len(transport.sent) == 2


async def test_those_who_wait_can_be_cancelled_and_expire_and_stop_resumably() -> None:
    async with scheduler(ScriptedTransport(latency=100)) as s:
        first, second, third, fourth = (
            s.submit("a", dedupe=True, deadline=seconds) for seconds in (None, 7, None, None)
        )
        await anyio.sleep(1)
        third.cancel()
        assert (await third.outcome()).state is JobState.CANCELLED
        assert (await second.outcome()).state is JobState.EXPIRED
        assert anyio.current_time() == 7
        s.abort()
        assert [(await job.outcome()).resumable for job in (first, fourth)] == [True, True]
        assert s.status().queued == 0


async def test_structured_output_is_everybodys_own() -> None:
    class City:
        pass

    transport = ScriptedTransport(latency=1)
    async with scheduler(transport) as s:
        one, other = s.submit("a", dedupe=True), s.submit("a", dedupe=True)
        first, second = await one, await other
    assert first == second and first is not second, "nobody changes another's message"


moves = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from([None, None, 1.5, 4.0]), st.sampled_from([0.0, 0.5, 3.0]),
        st.sampled_from(["wait", "wait", "cancel"]),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(moves, st.sets(st.integers(1, 12)))
def test_every_job_ends_once_whatever_becomes_of_the_first(
    history: list[tuple[str, float | None, float, str]], failing: set[int]
) -> None:
    sent: list[Sent] = []

    def script(one: Sent) -> Any:
        sent.append(one)
        return refusal(400) if len(sent) in failing else reply(one.text)

    async def play() -> None:
        async with scheduler(ScriptedTransport(script, latency=2)) as s:
            jobs = []
            for text, deadline, pause, then in history:
                jobs.append(s.submit(text, dedupe=True, deadline=deadline))
                await anyio.sleep(pause)
                if then == "cancel":
                    jobs[len(jobs) // 2].cancel()
            outcomes = [await job.outcome() for job in jobs]
            assert s.status().queued == s.status().in_flight == 0
        for (text, *_), outcome in zip(history, outcomes, strict=True):
            assert outcome.state is not JobState.SUCCEEDED or text_of(outcome) == text
        succeeded = [one for one in outcomes if one.state is JobState.SUCCEEDED]
        asked = {text for (text, *_), outcome in zip(history, outcomes, strict=True) if outcome in succeeded}
        assert sum(one.copy_of is None for one in succeeded) == len(asked), "one answer for each content"

    anyio.run(play, backend_options={"loop_factory": virtual_loop})


def test_answers_are_kept_within_a_bound() -> None:
    answers = Answers(3_300)  # bytes: a thousand and a bit each
    for number in range(50):
        answers.put(b"%d" % number, Ending(f"{number}", JobState.SUCCEEDED, "x" * 30))
    assert [answers.get(b"%d" % number) is not None for number in range(45, 50)] == [
        False,
        False,
        True,
        True,
        True,
    ]
