"""What type checkers must see; checked by ``pyright tests/typing/api.py``, never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import assert_type

from anthropic import Anthropic, AsyncAnthropic, AsyncAnthropicFoundry
from anthropic.lib.bedrock import AsyncAnthropicBedrock
from anthropic.lib.vertex import AsyncAnthropicVertex
from anthropic.types import Message, MessageTokensCount
from anthropic.types.parsed_message import ParsedMessage
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request

import headway.sync
import headway.web
from headway import (
    EndpointLimits,
    Failure,
    Flow,
    Job,
    JobFailedError,
    JobState,
    Limits,
    Outcome,
    Outcomes,
    Priority,
    Scheduler,
    Usage,
    job_terms,
    middleware,
)
from headway.adapters.anthropic.message_stream import HeadwayMessageStream
from headway.runtime.stream_manager import StreamManager


class City(BaseModel):
    name: str


async def submit(scheduler: Scheduler) -> None:
    job = scheduler.submit("x")
    assert_type(job, Job[Message])
    assert_type(await job, Message)
    assert_type(await scheduler.submit("x"), Message)
    assert_type(await scheduler.submit([{"role": "user", "content": "x"}], model="m", max_tokens=5), Message)
    assert_type(await job.outcome(), Outcome[Message])
    assert_type(job.state, JobState)
    assert_type(job.cancel(), bool)


async def structured(scheduler: Scheduler) -> None:
    job = scheduler.submit("x", output_format=City, priority=Priority.INTERACTIVE, tenant="a", deadline=5)
    assert_type(job, Job[ParsedMessage[City]])
    message = await job
    assert_type(message, ParsedMessage[City])
    assert_type(message.parsed_output, City | None)
    assert_type((await job.outcome()).message, ParsedMessage[City] | None)
    numbers = await scheduler.submit("x", output_format=list[int], cache="auto", dedupe=True)
    assert_type(numbers.parsed_output, list[int] | None)


async def streamed(scheduler: Scheduler) -> None:
    assert_type(scheduler.stream("x"), StreamManager[None])
    async with scheduler.stream("x", priority=Priority.INTERACTIVE, model="m", resume=False) as stream:
        assert_type(stream, HeadwayMessageStream[None])
        assert_type(stream.job, Job[Message])
        async for text in stream.text_stream:
            assert_type(text, str)
        assert_type(await stream.get_final_message(), ParsedMessage[None])
        assert_type(await stream.get_final_text(), str)
    async with scheduler.stream("x", output_format=City) as structured:
        message = await structured.get_final_message()
        assert_type(message.parsed_output, City | None)
    scheduler.stream("x", no_such_parameter=1)  # pyright: ignore[reportCallIssue]


async def drop_in(
    scheduler: Scheduler,
    own: AsyncAnthropic,
    bedrock: AsyncAnthropicBedrock,
    vertex: AsyncAnthropicVertex,
    foundry: AsyncAnthropicFoundry,
    sync: Anthropic,
) -> None:
    assert_type(scheduler.client, AsyncAnthropic)
    assert_type(scheduler.wrap(own, priority=Priority.BULK, tenant="a", deadline=5), AsyncAnthropic)
    assert_type(scheduler.wrap(bedrock), AsyncAnthropicBedrock)
    assert_type(scheduler.wrap(vertex), AsyncAnthropicVertex)
    assert_type(scheduler.wrap(foundry), AsyncAnthropicFoundry)
    scheduler.wrap(sync)  # pyright: ignore[reportArgumentType]
    Scheduler(bedrock, model="m")
    gate = middleware(Limits(requests=50), retry=None, endpoints=EndpointLimits(files=None))
    AsyncAnthropic(middleware=[gate])
    assert_type(await gate.scheduler(), Scheduler)
    with job_terms(tenant="a"):
        assert_type(await scheduler.client.messages.count_tokens(model="m", messages=[]), MessageTokensCount)


async def mapped(scheduler: Scheduler, lazy: AsyncIterator[str]) -> None:
    assert_type(scheduler.map(["x", "y"]), Outcomes)
    async for outcome in scheduler.map(lazy, ordered=True, model="m"):
        assert_type(outcome, Outcome[Message])
        assert_type(outcome.message, Message | None)
        assert_type(outcome.failure, Failure | None)
        assert_type(outcome.usage, Usage)
        assert_type(outcome.result(), Message)


async def front_door(client: AsyncAnthropic) -> None:
    async with Scheduler(
        client, model="m", max_tokens=5, limits=Limits(requests=50), flow=Flow()
    ) as scheduler:
        assert_type(scheduler, Scheduler)
        assert_type(await scheduler.drain(timeout=5), bool)
    async with Scheduler(journal="run.journal") as scheduler:
        assert_type(await scheduler.recover(), list[Job[Message]])


async def with_asyncio(scheduler: Scheduler) -> None:
    """A job is awaitable like a task."""
    first, second = await asyncio.gather(scheduler.submit("x"), scheduler.submit("y"))
    assert_type((first, second), tuple[Message, Message])
    assert_type(await asyncio.wait_for(scheduler.submit("x"), 5), Message)


def failed(error: JobFailedError) -> None:
    assert_type(error.failure, Failure)
    assert_type(error.resumable, bool)


def refused(scheduler: Scheduler) -> None:
    scheduler.submit("x", max_tokens="many")  # pyright: ignore[reportArgumentType, reportCallIssue]
    scheduler.submit("x", no_such_parameter=1)  # pyright: ignore[reportCallIssue]
    scheduler.submit("x", stream=True)  # pyright: ignore[reportCallIssue]
    Scheduler(modell="m")  # pyright: ignore[reportCallIssue]


def without_a_loop() -> None:
    """The blocking face has the same types."""
    with headway.sync.Scheduler(model="m", max_tokens=5, flow=Flow(), journal="run.journal") as scheduler:
        assert_type(scheduler, headway.sync.Scheduler)
        job = scheduler.submit("x", priority=Priority.INTERACTIVE)
        assert_type(job, headway.sync.Job[Message])
        assert_type(job.result(5), Message)
        assert_type(scheduler.run("x"), Message)
        assert_type(scheduler.run("x", output_format=City).parsed_output, City | None)
        for outcome in scheduler.map(["x"], ordered=True):
            assert_type(outcome, Outcome[Message])
        with scheduler.stream("x") as stream:
            for text in stream.text_stream:
                assert_type(text, str)
            assert_type(stream.get_final_message().usage.output_tokens, int)
        scheduler.submit("x", no_such_parameter=1)  # pyright: ignore[reportCallIssue]
    headway.sync.Scheduler(modell="m")  # pyright: ignore[reportCallIssue]


async def in_a_web_app(request: Request) -> None:
    scheduler = await headway.web.scheduler(request)
    assert_type(scheduler, Scheduler)
    assert_type(await headway.web.until_disconnect(request, scheduler.submit("x")), Message)
    assert_type(headway.web.sse(scheduler.stream("x")), headway.web.EventStream)
    FastAPI(
        lifespan=headway.web.lifespan(lambda: Scheduler(), grace=5),
        exception_handlers=headway.web.exception_handlers,
        routes=headway.web.status_routes(),
    ).add_middleware(headway.web.CancelOnDisconnect, paths=["/chat"])
    Starlette(
        lifespan=headway.web.lifespan(lambda: Scheduler()),
        exception_handlers=headway.web.exception_handlers,
        routes=headway.web.status_routes("/ops", allow=lambda request: request.url.hostname == "localhost"),
    )
