"""Cost and time of many requests before any is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import Limits, Price, estimate
from headway.core.account_limits import AccountLimits, GroupLimits
from headway.core.catalog import cost_of
from headway.core.dimension import Dimension
from headway.core.estimate import Counted, EstimateTally
from headway.core.request import Request
from headway.core.tokens import CHARS_PER_TOKEN
from headway.core.usage import Usage

MODELS = ["claude-opus-5", "claude-sonnet-5-5", "claude-haiku-5-5", "my-own"]


def body(
    model: str = "claude-opus-5", text: str = "Hello", cap: int = 100, **more: object
) -> dict[str, object]:
    return {"model": model, "max_tokens": cap, "messages": [{"role": "user", "content": text}], **more}


jobs = st.lists(
    st.tuples(
        st.sampled_from(MODELS), st.sampled_from([0, 3, 5000, 349_000, 351_000]), st.integers(0, 4000),
        st.sampled_from([{}, {"speed": "fast"}, {"inference_geo": "us"}]),
    ),
    max_size=12,
)  # fmt: skip


@given(jobs, st.one_of(st.none(), st.floats(0, 5000)))
def test_the_sum_is_that_of_each_request_alone(
    asked: list[tuple[str, int, int, dict[str, str]]], mean: float | None
) -> None:
    """By sums, and by pricing each: also where long prompts cost more, and with speed and region."""
    tally = EstimateTally()
    most = 0.0
    unpriced = 0
    for model, size, cap, more in asked:
        request = Request(body(model, "x" * size, cap, **more))
        tally.add(request)
        tokens = 4 + (size + len("user")) / CHARS_PER_TOKEN
        weight = 1.1 if more.get("inference_geo") else 1.0
        cost = cost_of(model, Usage(tokens, cap, speed=more.get("speed", ""), region_weight=weight))  # type: ignore[arg-type]
        unpriced += cost is None
        most += cost or 0.0
    found = tally.result(expected_output=mean)
    assert found.jobs == len(asked)
    assert found.live.most == pytest.approx(most)
    assert found.batch.most == pytest.approx(most / 2)
    assert sum(found.unpriced.values()) == unpriced
    assert found.output_most == sum(cap for _, _, cap, _ in asked)
    if mean is None:
        assert found.live.expected is found.batch.expected is found.output_expected is None
    else:
        assert found.live.expected is not None
        assert found.live.expected <= found.live.most * (1 + 1e-9)


@pytest.mark.parametrize(
    ("limits", "seconds", "binding", "untold"),
    [
        (None, None, None, ("requests", "input", "output")),
        (Limits(requests=600), 10, "requests", ("input", "output")),
        (Limits(requests=600, output=6000, input=10**6), 50, "output", ()),
        (Limits(requests=600, output=6000, burst=30), 20, "output", ("input",)),
        (Limits(requests=600, share=0.5), 20, "requests", ("input", "output")),
    ],
)
def test_time(
    limits: Limits | None, seconds: float | None, binding: str | None, untold: tuple[str, ...]
) -> None:
    found = estimate([body(text=str(i)) for i in range(100)], limits=limits, expected_output=50)
    assert found.seconds == (None if seconds is None else pytest.approx(seconds))
    assert found.binding == binding
    assert found.untold == tuple(map(Dimension, untold))


def test_groups_of_models_are_at_work_at_the_same_time() -> None:
    account = AccountLimits((
        GroupLimits("a", "Opus", ("claude-opus-5",), Limits(requests=60)),
        GroupLimits("b", "Sonnet", ("claude-sonnet-5-5",), Limits(requests=60)),
    ))  # fmt: skip
    asked = [body(model) for model in MODELS[:2] for _ in range(30)]
    assert estimate(asked, limits=account).seconds == pytest.approx(30)
    assert estimate(asked, limits=Limits(requests=60)).seconds == pytest.approx(30), "each has its own limit"


def test_a_counted_sample_is_the_yardstick_of_its_model() -> None:
    texts = ["ž" * 700, "ž" * 1400]
    tally, seen = EstimateTally(), Counted()
    for text in texts:
        size = tally.add(Request(body(text=text)))
        seen.add(size, round(4 + (len(text) + len("user")) / 0.7))
    tally.add(Request(body("claude-sonnet-5-5", "x" * 3500)))
    found = tally.result(counted={"claude-opus-5": seen, "claude-sonnet-5-5": Counted()})
    assert found.input_tokens == pytest.approx(8 + 3011 + 4 + 1001, abs=2)
    assert found.calibrated == {"claude-opus-5": pytest.approx(0.7, rel=1e-3)}


def test_what_is_given_as_to_map() -> None:
    turn = {"role": "user", "content": "x"}
    found = estimate(
        iter(["Hello", {"custom_id": "a", "params": body(cap=10**6)}, 3, {"messages": []}, [turn]]),
        model="my-own", max_tokens=10, prices={"my-own": Price(1, 2, 0.1)}, expected_output=10**9,
    )  # fmt: skip
    assert (found.jobs, found.unsendable, found.refused) == (3, 2, 1)
    assert [problem.split(":")[0] for problem in found.problems] == ["request 1", "request 2", "request 3"]
    assert found.live.expected == found.live.most, "no answer is longer than max_tokens"
    assert not found.unpriced
    nothing = estimate([])
    assert (nothing.jobs, nothing.live.most, nothing.seconds) == (0, 0, None)
    with pytest.raises(ValueError, match="expected_output must be 0 tokens or more"):
        estimate([], expected_output=-1)


SYSTEM = "Rules of the house. " * 700  # 14,000 characters: 4,000 tokens


def marked(number: int, ttl: str | None = None) -> dict[str, object]:
    control = {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})
    block = {"type": "text", "text": SYSTEM, "cache_control": control}
    return body(text=f"Job {number}", cap=0, system=[block])


@pytest.mark.parametrize(("ttl", "write"), [(None, 1.25), ("5m", 1.25), ("1h", 2.0)])
def test_a_prefix_is_written_once_and_read_by_the_rest(ttl: str | None, write: float) -> None:
    found = estimate([marked(n, ttl) for n in range(101)], expected_output=0, limits=Limits(input=60_000))
    assert found.cache_written == pytest.approx(4001, abs=2)
    assert found.cache_read == pytest.approx(100 * found.cache_written, rel=1e-3)
    rest = found.input_tokens - 101 * found.cache_written
    read, opus = 0.5e-6, 5e-6
    assert found.live.expected == pytest.approx(4001 * (opus * write + 100 * read) + rest * opus, rel=1e-3)
    in_batch = 4001 * (opus * write * (1 + 70) + 30 * read) + rest * opus
    assert found.batch.expected == pytest.approx(in_batch / 2, rel=1e-3), "30 % of the reads, at half price"
    assert found.seconds == pytest.approx((found.input_tokens - found.cache_read) / 1000, abs=0.01)
    assert found.plain is not None
    assert found.plain.live == found.live, "the breakpoints are the caller's own"


def test_breakpoints_that_would_be_placed_and_requests_that_would_be_spared() -> None:
    """As `map` sends them: with two system prompts in turn, and what comes late in the input."""
    whos = ["Ann", "Bob"]
    asked = [body(text=f"Job {n % 150}", cap=0, system=f"{who} {SYSTEM}") for n in range(200) for who in whos]
    short = [body(text=f"Short {n}", cap=0) for n in range(50)]
    given = {"expected_output": 0, "limits": Limits(requests=60)}
    plain = estimate([*asked, *short], **given)  # type: ignore[arg-type]
    assert (plain.jobs, plain.repeated, plain.cache_read) == (450, 100, 0)
    assert plain.plain is not None and plain.plain.live.most == pytest.approx(plain.live.most)
    cached = estimate([*asked, *short], cache="auto", **given)  # type: ignore[arg-type]
    assert cached.cache_read == pytest.approx(199 * cached.cache_written, rel=1e-3)
    assert cached.live.most < 0.12 * plain.live.most
    assert cached.batch.most < 0.95 * plain.batch.most
    both = estimate(iter([*asked, *short]), cache="auto", dedupe=True, **given)  # type: ignore[arg-type]
    assert (both.jobs, both.repeated, both.seconds) == (350, 100, 350)
    assert both.plain is not None and both.plain.live.most == pytest.approx(plain.live.most, rel=1e-3)
    assert plain.deduped is not None and plain.deduped.jobs == 350
    assert both.live.most < cached.live.most
    with pytest.raises(ValueError, match="cache must be"):
        estimate([], cache="always")  # type: ignore[arg-type]
