"""A spend cap holds whatever the attempts under it turn out to cost."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.price import Price
from headway.core.request import Request
from headway.core.spend import Hold, Spend, SpendCap
from headway.core.usage import Usage
from headway.core.worst_case import PAGE, WINDOW, worst_cost, worst_usage

usd = st.floats(1e-6, 2.0)
step = st.tuples(
    st.sampled_from(["take", "settle", "settle", "release", "forfeit", "forfeit less", "unknown", "midnight"]),
    usd, st.floats(0, 1), st.integers(0, 600),
)  # fmt: skip


@given(st.floats(0.01, 20.0), st.sampled_from(["run", "day"]), st.lists(step, max_size=80))
def test_no_history_exceeds_the_cap(cap: float, per: str, steps: list[tuple[str, float, float, int]]) -> None:
    """With any number in flight, answered, cancelled, lost, and over midnight; each ended twice."""
    spend = Spend(SpendCap(cap, per), 0)  # type: ignore[arg-type]
    open_holds: list[tuple[Hold, float]] = []
    billed, days = 0.0, [0.0]
    for kind, asked, share, which in steps:
        if kind == "take":
            hold = spend.take(asked)
            fits = spend.status().spent + spend.status().reserved + (0 if hold else asked)
            assert (hold is not None) == (fits <= cap * (1 + 1e-9)) or abs(fits - cap) < 1e-9
            if hold is not None:
                open_holds.append((hold, asked))
        elif kind == "midnight":
            spend.turn(spend.day + 1)
            days.append(0.0)
        elif open_holds:
            hold, dear = open_holds.pop(which % len(open_holds))
            cost = {"release": 0.0, "forfeit": dear, "unknown": dear}.get(kind, share * dear)
            match kind:
                case "settle":
                    hold.settle(cost)
                case "unknown":
                    hold.settle(None)
                case "release":
                    hold.release()
                case "forfeit":
                    hold.forfeit()
                case _:
                    hold.forfeit(cost)
            hold.forfeit()  # a second ending does nothing
            billed += cost
            days[-1] += cost
        status = spend.status()
        assert status.spent + status.reserved <= cap * (1 + 1e-14)
        assert status.spent == pytest.approx(billed if per == "run" else days[-1], abs=1e-9)
        assert spend.open == len(open_holds)
        assert 0 <= status.unanswered <= status.spent + 1e-9
        assert status.reserved == pytest.approx(sum(dear for _, dear in open_holds), abs=1e-9)


def test_five_hundred_in_flight_and_the_last_cent() -> None:
    spend = Spend(SpendCap(5.0), 0)
    holds = [hold for _ in range(600) if (hold := spend.take(0.01)) is not None]
    assert len(holds) == 500
    assert spend.status().left == 0
    holds[0].settle(0.009)
    assert spend.take(0.002) is None
    assert spend.take(0.001) is not None
    for hold in holds:
        hold.forfeit()
    assert spend.status().spent == pytest.approx(4.999)


def test_an_attempt_over_midnight_counts_on_both_days() -> None:
    spend = Spend(SpendCap(1.0, "day"), 19_000)
    late = spend.take(0.6)
    assert late is not None
    spend.turn(19_001)
    assert spend.take(0.6) is None, "it may be billed to the new day"
    spend.turn(18_000)
    assert spend.day == 19_001, "a clock that was set back gives no money"
    late.settle(0.5)
    assert spend.status().spent == 0.5


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, "5", None, True])
def test_a_cap_must_be_a_sum(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"SpendCap\.usd must be above 0 US dollars"):
        SpendCap(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"SpendCap\.per must be 'run' or 'day'"):
        SpendCap(1, "week")  # type: ignore[arg-type]


def body(content: object = "Hello", **more: object) -> Request:
    return Request(
        {
            "model": "claude-opus-5",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": content}],
            **more,
        }
    )


def most(request: Request) -> float:
    found = worst_cost(request, BUILT_IN)
    assert found is not None
    return found


texts = st.text(max_size=60)
blocks = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": texts}), min_size=1, max_size=4)
ttl = st.sampled_from(
    [{}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}]
)


@given(blocks, texts, ttl, st.integers(0, 5000), st.data())
def test_nothing_that_the_api_may_count_costs_more(
    content: list[dict[str, str]], system: str, cache: dict[str, object], cap: int, data: st.DataObject
) -> None:
    """Not a token shorter than a byte, not a token after ``max_tokens``; written to the cache or read from it."""
    size = sum(len(block["text"].encode("utf-8", "surrogatepass")) for block in content)
    size += len(system.encode("utf-8", "surrogatepass"))
    whole = data.draw(st.integers(0, size + 200))
    written = data.draw(st.integers(0, whole)) if cache else 0
    hour = data.draw(st.integers(0, written)) if "1h" in str(cache) else 0
    output = data.draw(st.integers(0, cap))
    used = Usage(
        whole - written, output, written - hour, hour, region_weight=data.draw(st.sampled_from([1.0, 1.1]))
    )
    read = Usage(0, output, cache_read=whole)
    request = body(content, system=system, max_tokens=cap, **cache)
    for usage in (used, read):
        cost = BUILT_IN.cost("claude-opus-5", usage)
        assert cost is not None
        assert cost <= most(request)


def test_what_cannot_be_seen_fills_the_window() -> None:
    window = 5 * WINDOW / 1e6
    plain = most(body())
    assert plain < 0.01
    by_id = [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]
    for request in (
        body(by_id),
        body(thread={"type": "continue", "id": "t"}),
        body(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        body([{"type": "container_upload", "file_id": "file_1"}]),
    ):
        assert most(request) >= window
    own = {"name": "look_up", "input_schema": {"type": "object"}}
    for tool in (own, {"type": "custom", **own}, {"type": "bash_20250124", "name": "bash"}):
        assert plain < most(body(tools=[tool])) < 0.02, "what runs at the caller's is all in the request"


def test_what_makes_a_request_dearer_is_in_the_bound() -> None:
    plain = most(body())
    assert most(body(speed="fast")) == pytest.approx(2 * plain)
    assert worst_cost(body(), BUILT_IN, "batch") == pytest.approx(plain / 2)
    assert most(body(inference_geo="global")) == pytest.approx(plain / 1.1)
    assert most(Request({**body().params}, {"extra_body": {"max_tokens": 10_000}})) > plain + 0.2
    search = most(body(tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]))
    more = most(body(tools=[{"type": "web_search_20250305", "name": "web_search"}]))
    assert more - search == pytest.approx(0.07, abs=1e-3)
    image = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    assert most(body([image])) - plain == pytest.approx(4784 * 5.5e-6, rel=0.05)
    pdf = b"%PDF-1.4\n1 0 obj <</Type /Pages /Count 3>> endobj\n"
    pages = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": encoded(pdf)},
    }
    assert worst_usage(body([pages]).params, BUILT_IN.find("claude-opus-5")).input >= 3 * (4784 + PAGE)
    long = Request(
        {
            "model": "claude-haiku-5-5",
            "max_tokens": 0,
            "messages": [{"role": "user", "content": "a" * 99_000}],
        }
    )
    dear = Request({**long.params, "messages": [{"role": "user", "content": "a" * 101_000}]})
    assert most(dear) > 5 * most(long), "above 100,000 tokens all of them cost five times as much"


def encoded(raw: bytes) -> str:
    import base64

    return base64.b64encode(raw).decode()


def test_a_price_must_be_known() -> None:
    request = Request({"model": "my-own", "max_tokens": 10, "messages": []})
    assert worst_cost(request, BUILT_IN) is None
    assert worst_cost(request, Catalog().with_prices({"my-own": Price(1, 1, 5)})) == pytest.approx(
        ((256) * 1 + 10) * 1.1e-6
    )
