"""`AnthropicBatches` at the fake API over real HTTP, in virtual time, with each of the SDK's HTTP backends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import pytest
from anthropic import AsyncAnthropicBedrock
from anthropic_rig import BACKENDS, Start, client_of, json_answer, raw_server, request_of, rigs
from pydantic import BaseModel

from headway import BatchCallError, EndpointLimits, RequestError
from headway.adapters.anthropic import AnthropicTransport
from headway.adapters.anthropic.endpoints import EndpointPace
from headway.core.batch_info import BatchItem
from headway.core.error_kind import ErrorKind
from headway.ports import Rejection, Reply
from headway.testing.clock import virtual_loop
from headway.testing.fake_api import FaultKind, FaultRule

pytestmark = pytest.mark.anyio
DAY = 86_400.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": virtual_loop})


@pytest.fixture(params=BACKENDS)
async def start(request: pytest.FixtureRequest, anyio_backend: object) -> AsyncIterator[Start]:
    async with rigs(request.param) as begin:
        yield begin


class City(BaseModel):
    name: str
    size: int


async def ended(batches, batch_id: str, every: float = 600.0):
    while (info := await batches.look(batch_id)).status != "ended":
        await anyio.sleep(every)
    return info


async def test_every_result_reads_as_the_answer_to_its_request(start: Start):
    spoilt = FaultRule(FaultKind.BODY_MALFORMED, endpoint="batch_item", job="spoilt")
    refused = FaultRule(FaultKind.STOP, endpoint="batch_item", job="refused")
    rig = await start(spoilt, refused, batch_seconds=3600.0)
    batches = rig.transport.batches()
    requests = {
        "plain": request_of("Grüße \u2028 and \x85"),
        "typed": request_of("A city", output_format=City),
        "wrong": request_of("Hot", temperature=1.0),
        "long": request_of("Long", max_tokens=300_000, betas=["output-300k-2026-03-24"]),
        **{name: request_of(name, metadata={"user_id": name}) for name in ("spoilt", "refused")},
    }
    items = [batches.item(name, request) for name, request in requests.items()]
    with pytest.raises(ValueError, match="agree on their headers"):
        await batches.create_batch(items)
    others = [item for item in items if not item.headers]
    made = await batches.create_batch(others)
    assert (made.status, made.total, made.processing) == ("in_progress", 5, 5)
    assert made.expires_at - made.created_at == pytest.approx(DAY)
    long = await batches.create_batch([item for item in items if item.headers])
    with pytest.raises(BatchCallError, match="it has results when it has ended"):
        _ = [result async for result in batches.results(made.id)]
    info = await ended(batches, made.id)
    assert (info.succeeded, info.errored, info.processing) == (4, 1, 0)
    assert info.ended_at == pytest.approx(info.created_at + 3600)
    results = {result.custom_id: result async for result in batches.results(made.id)}
    results |= {result.custom_id: result async for result in batches.results(long.id)}
    read = {name: batches.read(results[name], request) for name, request in requests.items()}
    live = await rig.send(requests["plain"])
    assert isinstance(live, Reply)
    assert isinstance(plain := read["plain"], Reply)
    assert [block.to_dict() for block in plain.message.content] == [b.to_dict() for b in live.message.content]
    assert (plain.usage.service_tier, plain.usage.output) == ("batch", live.usage.output)
    assert rig.transport.revive(plain.body, requests["plain"]) == plain.message
    assert isinstance(typed := read["typed"], Reply)
    assert isinstance(typed.message.parsed_output, City)  # type: ignore[attr-defined]
    assert isinstance(read["long"], Reply)
    assert isinstance(read["refused"], Reply)
    assert read["refused"].stop_reason == "refusal"
    assert isinstance(wrong := read["wrong"], Rejection)
    assert (wrong.failure.kind, wrong.failure.field) == (ErrorKind.INVALID_REQUEST, "temperature")
    assert isinstance(odd := read["spoilt"], Rejection)
    assert odd.failure.kind is ErrorKind.MALFORMED
    assert results["spoilt"].raw is not None
    assert [info.id async for info in batches.list_batches()] == [long.id, made.id]


async def test_what_the_day_or_a_cancellation_leaves_undone(start: Start):
    rig = await start(batch_seconds=2 * DAY)
    batches = rig.transport.batches()
    items = [batches.item(f"job-{number}", request_of(f"Job {number}")) for number in range(40)]
    late = await batches.create_batch(items)
    await anyio.sleep(DAY / 2)
    cancelled = await batches.create_batch(items)
    await anyio.sleep(DAY / 4)
    cancelling = await batches.cancel_batch(cancelled.id)
    assert (cancelling.status, cancelling.cancel_initiated, cancelling.processing) == ("canceling", True, 40)
    for batch, undone in ((late, "expired"), (cancelled, "canceled")):
        info = await ended(batches, batch.id)
        results = [result async for result in batches.results(batch.id)]
        kinds = [result.type for result in results]
        assert 0 < kinds.count("succeeded") < 40
        assert kinds.count(undone) == 40 - kinds.count("succeeded") == getattr(info, undone)
        assert all(batches.read(result, request_of()) is None for result in results if result.type == undone)
    since = [info.id async for info in batches.list_batches(since=cancelled.created_at)]
    assert since == [cancelled.id]
    await anyio.sleep(29 * DAY)
    with pytest.raises(BatchCallError, match="archived") as caught:
        _ = [result async for result in batches.results(late.id)]
    assert caught.value.failure.kind is ErrorKind.NOT_FOUND


async def test_a_list_of_many_pages(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("headway.adapters.anthropic.batches.PAGE", 2)
    rig = await start()
    batches = rig.transport.batches()
    made = [(await batches.create_batch([batches.item("a", request_of())])).id for _ in range(5)]
    assert [info.id async for info in batches.list_batches()] == made[::-1]
    assert rig.api.stats.other_calls["GET /v1/messages/batches"] == 3


FAILURES = [
    (FaultRule(FaultKind.STATUS, endpoint="batch_create", status=529), ErrorKind.OVERLOADED, 0),
    (
        FaultRule(FaultKind.STATUS, endpoint="batch_create", status=500, after_work=True),
        ErrorKind.API_ERROR,
        1,
    ),
    (FaultRule(FaultKind.RESET, endpoint="batch_create", after_work=True), ErrorKind.DISCONNECTED, 1),
    (FaultRule(FaultKind.BODY_SHAPE, endpoint="batch_create"), ErrorKind.MALFORMED, 1),
    (FaultRule(FaultKind.BODY_HTML, endpoint="batch_create"), ErrorKind.MALFORMED, 1),
    (
        FaultRule(FaultKind.STATUS, endpoint="batch_create", status=429, retry_after="7"),
        ErrorKind.RATE_LIMIT,
        0,
    ),
]


@pytest.mark.parametrize(
    ("rule", "kind", "created"), FAILURES, ids=lambda value: getattr(value, "kind", value)
)
async def test_a_failed_creation_is_made_once_and_tells_whether_it_may_exist(
    start: Start, rule, kind, created
):
    rig = await start(rule)
    batches = rig.transport.batches()
    with pytest.raises(BatchCallError, match="creating a batch of 1 requests: ") as caught:
        await batches.create_batch([batches.item("a", request_of("a secret prompt"))])
    failure = caught.value.failure
    assert failure.kind is kind
    assert failure.row.maybe_billed == bool(created)
    assert failure.retry_after == (7.0 if kind is ErrorKind.RATE_LIMIT else None)
    assert len(rig.api.stats.batches) == created
    assert caught.value.__cause__ is caught.value.__context__ is None, "the SDK's exception holds the key"
    assert "secret" not in repr(caught.value)


@pytest.mark.parametrize("how", [FaultKind.BODY_CUT, FaultKind.BODY_TRUNCATED])
async def test_results_that_break_off_can_be_read_again(start: Start, how: FaultKind):
    cut = FaultRule(how, endpoint="batch_results", attempts="first")
    page = FaultRule(FaultKind.BODY_HTML, endpoint="batch_results", count=1)
    rig = await start(cut, page, batch_seconds=0.0)
    batches = rig.transport.batches()
    made = await batches.create_batch([batches.item(f"j{number}", request_of()) for number in range(50)])
    got: list[str] = []
    with pytest.raises(BatchCallError) as caught:
        async for result in batches.results(made.id):
            got.append(result.custom_id)
    assert caught.value.failure.kind in {ErrorKind.DISCONNECTED, ErrorKind.STREAM_CUT}
    assert len(set(got)) == len(got) < 50
    with pytest.raises(BatchCallError, match="a page, not results"):
        _ = [result async for result in batches.results(made.id)]
    again = [result.custom_id async for result in batches.results(made.id)]
    assert sorted(again) == sorted(f"j{number}" for number in range(50))


async def test_calls_keep_the_pace(start: Start):
    """Ten a minute: one at once, then one in six seconds."""
    rig = await start()
    batches = rig.transport.batches(EndpointPace(EndpointLimits(batches=10)))
    made = await batches.create_batch([batches.item("a", request_of())])
    for _ in range(10):
        await batches.look(made.id)
    assert anyio.current_time() == pytest.approx(6 * 10, rel=0.01)


async def test_what_a_batch_cannot_carry_is_said_at_once(start: Start):
    batches = (await start()).transport.batches()
    item = batches.item("a", request_of(timeout=3, extra_body={"top": 1}, extra_headers={"X-Own": "1"}))
    assert (item.params["top"], item.headers) == (1, {"x-own": "1"})
    assert item.params["messages"][0]["content"] not in repr(item)  # type: ignore[index]
    for options, field in (
        ({"workspace_id": "wrkspc_1"}, "workspace_id"),
        ({"extra_headers": {"Anthropic-Workspace-Id": "wrkspc_1"}}, "workspace_id"),
        ({"extra_query": {"beta": "true"}}, "extra_query"),
    ):
        with pytest.raises(RequestError, match=field):
            batches.item("a", request_of(**options))
    with pytest.raises(BatchCallError, match=r"requests\.1 \(b\) is not JSON: TypeError"):
        await batches.create_batch([item, BatchItem("b", {"messages": {1, 2}}, {"x-own": "1"})])


async def test_a_gateway_that_repeats_its_first_page_does_not_keep_us(start: Start):
    batch = {
        "id": "msgbatch_1", "type": "message_batch", "processing_status": "ended",
        "created_at": "2026-11-22T00:00:00Z", "expires_at": "nonsense", "request_counts": None,
    }  # fmt: skip
    body = json.dumps({"data": [batch], "has_more": True, "last_id": "msgbatch_1"}).encode()
    async with raw_server(json_answer(body)) as url, client_of("httpx2", url) as client:
        batches = AnthropicTransport(client).batches()
        (found,) = [info async for info in batches.list_batches()]
    assert (found.total, found.expires_at - found.created_at) == (0, DAY)


async def test_clients_without_batches_say_so_before_anything_is_sent():
    client = AsyncAnthropicBedrock(aws_access_key="a", aws_secret_key="b", aws_region="us-east-1")
    async with client:
        batches = AnthropicTransport(client).batches()  # type: ignore[arg-type]
        with pytest.raises(BatchCallError, match="AsyncAnthropicBedrock has no Message Batches API"):
            await batches.look("msgbatch_1")


async def test_the_users_middleware_is_passed_through(start: Start):
    seen: list[str] = []

    async def watch(request, call_next):
        seen.append(f"{request.method} {request.url}")
        return await call_next(request)

    rig = await start(batch_seconds=0.0, client={"middleware": [watch]})
    batches = rig.transport.batches()
    made = await batches.create_batch([batches.item("a", request_of())])
    assert [result.type async for result in batches.results(made.id)] == ["succeeded"]
    assert [line.rpartition("/")[2] for line in seen] == ["batches", made.id, "results"]
