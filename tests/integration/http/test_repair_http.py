"""Repairs and follow-ups over real HTTP: what the API refuses is mended, sent again, and accepted."""

from __future__ import annotations

import io
import logging

import pytest
from http_house import Open

from headway import (
    ErrorKind,
    FilePolicy,
    FollowUp,
    JobState,
    RepairPolicy,
    RequestError,
    RequestRejectedError,
)
from headway.testing.fake_api import FaultKind, FaultRule
from media_samples import b64, body, document, image, pdf

pytestmark = pytest.mark.anyio
SMALL = "claude-haiku-4-5"
TOOL = {
    "name": "save",
    "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}  # fmt: skip


async def test_a_cap_above_the_models_maximum(house: Open, caplog: pytest.LogCaptureFixture) -> None:
    h = await house()
    async with h.scheduler(model=SMALL, max_tokens=100_000) as scheduler:
        with (
            caplog.at_level(logging.WARNING, logger="headway"),
            pytest.raises(RequestRejectedError, match="64000"),
        ):
            await scheduler.submit("reported, and sent as it is")
        assert "max_tokens: 100000 is above the model's maximum of 64000" in caplog.text
        assert h.api.stats.arrivals == 1
        with pytest.raises(RequestError, match="max_tokens"):
            scheduler.submit("x", repair=RepairPolicy("strict"))
        assert h.api.stats.arrivals == 1, "nothing was sent"
        outcome = await scheduler.submit("x", repair=RepairPolicy("repair")).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert [(c.rule, c.path, c.old, c.new) for c in outcome.changes] == [
        ("max_tokens", "max_tokens", 100_000, 64_000)
    ]
    assert h.api.stats.arrivals == 2


async def test_a_refusal_that_no_repair_concerns_is_final(house: Open) -> None:
    h = await house(FaultRule(FaultKind.STATUS, status=400, message="tools.0: what is this?"))
    async with h.scheduler(repair=RepairPolicy("repair")) as scheduler:
        outcome = await scheduler.submit("x").outcome()
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == (
        ErrorKind.INVALID_REQUEST,
        "tools.0: what is this?",
    )
    assert (h.api.stats.arrivals, outcome.changes) == (1, ())


async def test_a_paused_turn(house: Open) -> None:
    h = await house(FaultRule(FaultKind.STOP, stop_reason="pause_turn", count=2))
    async with h.scheduler(follow_up=FollowUp()) as scheduler:
        outcome = await scheduler.submit("x").outcome()
        tally = scheduler.status()
    message = outcome.result()
    assert [block.type for block in message.content] == [
        "text", "server_tool_use", "text", "server_tool_use", "text",
    ]  # fmt: skip
    assert message.stop_reason in {"end_turn", "max_tokens"}
    assert h.api.stats.arrivals == outcome.sends == 3
    assert (
        outcome.usage.output == message.usage.output_tokens == h.api.stats.output_tokens == tally.usage.output
    )


async def test_a_tool_call_that_max_tokens_cut_off(house: Open) -> None:
    h = await house()
    options = {
        "max_tokens": 2,
        "model": "claude-sonnet-5",
        "tools": [TOOL],
        "tool_choice": {"type": "tool", "name": "save"},
    }
    async with h.scheduler() as scheduler:
        cut = await scheduler.submit("x", **options)  # type: ignore[arg-type]
        assert (cut.stop_reason, cut.content[0].input) == ("max_tokens", {})  # type: ignore[union-attr]
        outcome = await scheduler.submit("x", follow_up=FollowUp(), **options).outcome()  # type: ignore[arg-type]
    message = outcome.result()
    assert message.stop_reason == "tool_use"
    assert message.content[0].input["text"]  # type: ignore[union-attr,index]
    assert [(change.old, change.new) for change in outcome.changes] == [(2, 4096)]
    assert outcome.usage.output == 2 + message.usage.output_tokens, "the discarded answer was billed"


@pytest.mark.parametrize(
    "fault",
    [
        FaultRule(FaultKind.STOP, stop_reason="refusal", model="claude-opus-5-5"),
        FaultRule(FaultKind.STATUS, status=404, message="model: claude-opus-5-5", model="claude-opus-5-5"),
        FaultRule(FaultKind.STATUS, status=529, model="claude-opus-5-5"),
    ],
    ids=["refusal", "404", "529"],
)
async def test_another_model(house: Open, fault: FaultRule) -> None:
    h = await house(fault)
    policy = FollowUp(fallback_models=("claude-sonnet-5",), overload_patience=0)
    async with h.scheduler(model="claude-opus-5-5", follow_up=policy) as scheduler:
        outcome = await scheduler.submit("x").outcome()
    assert outcome.result().model == "claude-sonnet-5"
    assert [(change.rule, change.new) for change in outcome.changes] == [("fallback", "claude-sonnet-5")]
    assert h.api.stats.arrivals == 2


async def test_an_image_of_a_format_that_the_api_does_not_take(house: Open) -> None:
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.new("RGB", (20, 20), (9, 99, 200)).save(file, "BMP")
    h = await house()
    request = dict(body(image(b64(file.getvalue()), "image/bmp")))
    async with h.scheduler() as scheduler:
        with pytest.raises(RequestRejectedError):
            await scheduler.submit(request)
        outcome = await scheduler.submit(request, repair=RepairPolicy("repair")).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert [change.rule for change in outcome.changes] == ["images"]
    assert outcome.sends == 1


async def test_a_gateway_that_takes_less_than_the_api(house: Open) -> None:
    """Nothing was found beforehand; the refusal sends the job to the tool, and the file goes when it ends."""
    h = await house(FaultRule(FaultKind.STATUS, status=413, count=1))
    request = dict(body(document(b64(pdf(3, spare=200_000)))))
    files = FilePolicy(delete_after_job=True)
    async with h.scheduler(repair=RepairPolicy("repair"), files=files) as scheduler:
        outcome = await scheduler.submit(request).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert [change.rule for change in outcome.changes] == ["size"]
    assert outcome.sends == 2
    assert [file async for file in h.client.files.list()] == [], "deleted before the scheduler closes"


@pytest.mark.parametrize("backend", ["httpx2"])
async def test_a_body_over_32_mb(house: Open) -> None:
    h = await house()
    request = dict(body(document(b64(pdf(3, spare=25_200_000)))))
    async with h.scheduler(repair=RepairPolicy("repair")) as scheduler:
        outcome = await scheduler.submit(request).outcome()
    assert outcome.state is JobState.SUCCEEDED
    assert outcome.sends == 1, "it was never sent as it was"
    assert len(outcome.ending.line()) < 5000
    assert len([file async for file in h.client.files.list()]) == 1
