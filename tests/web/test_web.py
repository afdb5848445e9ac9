"""headway inside FastAPI and Starlette, over real HTTP: lifespan, dependency, errors, departures, shutdown."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Annotated, Any

import aiohttp
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

import headway.web
from headway import Flow, Job, JobState, Limits, Priority, Scheduler, SchedulerClosedError
from headway.testing.fake_api import FakeAPI, FaultKind, FaultRule
from headway.testing.transport import ScriptedTransport, Sent, lost, refusal, reply
from served import events, served, until

pytestmark = pytest.mark.anyio
MODEL = "claude-sonnet-5-5"


def scripted(transport: ScriptedTransport | None = None, **options: Any) -> Scheduler:
    options.setdefault("limits", Limits(requests=600_000))
    return Scheduler(
        model=MODEL, max_tokens=64, transport=transport or ScriptedTransport(latency=0.0), **options
    )


def application(scheduler: Scheduler, *routes: Any, **options: Any) -> Starlette:
    settings: dict[str, Any] = {
        "lifespan": headway.web.lifespan(lambda: scheduler, grace=0.05),
        "exception_handlers": headway.web.exception_handlers,
        "routes": [*routes, *headway.web.status_routes()],
    }
    return Starlette(**(settings | options))


async def ask(request: StarletteRequest) -> Response:
    """What a plain handler does."""
    scheduler = await headway.web.scheduler(request)
    options = {name: float(value) for name, value in request.query_params.items()}
    message = await scheduler.submit("a secret prompt", **options)  # type: ignore[arg-type]
    return JSONResponse({"text": message.content[0].text})  # type: ignore[union-attr]


async def test_fastapi_lifespan_and_dependency(api: FakeAPI) -> None:
    app = FastAPI(
        lifespan=headway.web.lifespan(lambda: Scheduler(model=MODEL, max_tokens=64)),
        exception_handlers=headway.web.exception_handlers,
    )
    app.router.routes.extend(headway.web.status_routes("/ops"))

    @app.get("/ask")
    async def ask(prompt: str, scheduler: Annotated[Scheduler, Depends(headway.web.scheduler)]) -> str:
        message = await scheduler.submit(prompt)
        return message.content[0].text  # type: ignore[union-attr]

    async with served(app) as client:
        async with client.get("/ask", params={"prompt": "hi"}) as answer:
            assert answer.status == 200
            assert await answer.json()
        async with client.get("/ops/status") as answer:
            assert (await answer.json())["succeeded"] == 1
        async with client.get("/openapi.json") as answer:
            assert list((await answer.json())["paths"]) == ["/ask"]
    assert isinstance(app.state.headway, Scheduler)
    with pytest.raises(SchedulerClosedError):
        app.state.headway.submit("x")


async def test_starlette_states_mounts_and_own_lifespans() -> None:
    seen: list[bool] = []

    async def look(request: StarletteRequest) -> Response:
        mine = await headway.web.scheduler(request)
        seen.append(mine is request.state.headway)
        return PlainTextResponse(str(mine.status().queued))

    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def own(app: Starlette) -> Any:
        async with headway.web.lifespan(scripted)(app) as state:
            yield {**state, "mine": 1}

    app = Starlette(lifespan=own, routes=[Mount("/sub", Starlette(routes=[Route("/look", look)]))])
    async with served(app) as client, client.get("/sub/look") as answer:
        assert (answer.status, await answer.text()) == (200, "0")
    assert seen == [True]


async def test_without_a_lifespan_it_says_so() -> None:
    app = Starlette(routes=[Route("/ask", ask)], exception_handlers=headway.web.exception_handlers)

    async def none(scope: Any, receive: Any, send: Any) -> None:
        request = StarletteRequest({"type": "http", "app": app}, receive)
        with pytest.raises(SchedulerClosedError, match="lifespan"):
            await headway.web.scheduler(request)

    await none(None, None, None)
    with pytest.raises(TypeError, match="lambda"):
        headway.web.lifespan(scripted())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="grace"):
        headway.web.lifespan(scripted, grace=-1)


ERRORS = [
    (
        lambda: refusal(400, "invalid_request_error", message="you said: a secret prompt"),
        400,
        "invalid_request",
    ),
    (lambda: refusal(413, "request_too_large"), 413, "request_too_large"),
    (lambda: refusal(401, "authentication_error", message="sk-secret"), 502, "authentication"),
    (lambda: refusal(402, "billing_error"), 503, "billing"),
    (lambda: refusal(404, "not_found_error"), 502, "not_found"),
    (lambda: refusal(500, "api_error"), 502, "api_error"),
    (lambda: lost(), 502, "disconnected"),
]


@pytest.mark.parametrize(("failed", "status", "kind"), ERRORS, ids=[kind for _, _, kind in ERRORS])
async def test_failures_become_answers_without_prompts_or_keys(failed: Any, status: int, kind: str) -> None:
    from http_quick import Quick

    transport = ScriptedTransport(lambda sent: failed(), latency=0.0)
    async with served(application(scripted(transport, retry=Quick()), Route("/ask", ask))) as client:
        async with client.get("/ask") as answer:
            text = await answer.text()
            assert (answer.status, json.loads(text)["error"]["type"]) == (status, kind)
            assert "secret" not in text
        async with client.get("/headway/status") as answer:
            text = await answer.text()
            assert kind in text
            assert "secret" not in text


async def test_a_full_queue_a_deadline_and_a_bad_request() -> None:
    scheduler = scripted(ScriptedTransport(latency=1000.0), flow=Flow(max_in_flight=1, max_queued=1))
    async with served(application(scheduler, Route("/ask", ask))) as client:
        async with client.get("/ask?deadline=0.05") as answer:
            assert answer.status == 504
        async with client.get("/ask?deadline=-1") as answer:
            assert answer.status == 422
            assert "deadline" in (await answer.json())["error"]["message"]
        running = scheduler.submit("running")
        await until(lambda: scheduler.status().in_flight == 1)
        waiting = scheduler.submit("waiting")
        async with client.get("/ask") as answer:
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) >= 1
            assert (await answer.json())["error"]["type"] == "queue_full"
        running.cancel()
        waiting.cancel()


async def leave(
    client: aiohttp.ClientSession, path: str, arrived: Any, method: str = "GET", **options: Any
) -> None:
    """Ask, wait until it has arrived, and close the connection."""
    asking = asyncio.create_task(client.request(method, path, **options))
    await until(arrived)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_plain_handler_is_cancelled_when_its_client_leaves() -> None:
    scheduler = scripted(ScriptedTransport(latency=1000.0), flow=Flow(max_in_flight=1))
    app = application(
        scheduler,
        Route("/ask", ask),
        Route("/post", ask, methods=["POST"]),
        middleware=[Middleware(headway.web.CancelOnDisconnect)],
    )
    async with served(app) as client:
        await leave(client, "/ask", lambda: scheduler.status().in_flight == 1)
        await until(lambda: scheduler.status().cancelled == 1)
        first = asyncio.create_task(client.get("/ask"))
        await until(lambda: scheduler.status().in_flight == 1)
        await leave(client, "/post", lambda: scheduler.status().queued == 1, "POST", data=b"x" * 200_000)
        await until(lambda: scheduler.status().cancelled == 2)
        assert scheduler.status().in_flight == 1
        first.cancel()
        await until(lambda: scheduler.status().cancelled == 3)


async def test_without_the_middleware_the_call_would_go_on() -> None:
    """The reason why it exists."""
    scheduler = scripted(ScriptedTransport(latency=0.3))
    async with served(application(scheduler, Route("/ask", ask))) as client:
        await leave(client, "/ask", lambda: scheduler.status().in_flight == 1)
        await until(lambda: scheduler.status().in_flight == 0)
        assert (scheduler.status().cancelled, scheduler.status().succeeded) == (0, 1)


async def test_the_middleware_lets_everything_else_pass() -> None:
    ran: list[str] = []
    errors: list[str] = []

    async def background() -> None:
        await asyncio.sleep(0.1)
        ran.append("background")

    async def echo(request: StarletteRequest) -> Response:
        body = b"".join([chunk async for chunk in request.stream()])
        return PlainTextResponse(str(len(body)), background=BackgroundTask(background))

    async def stream(request: StarletteRequest) -> Response:
        async def parts() -> Any:
            for number in range(5):
                yield f"{number} "
                await asyncio.sleep(0.005)

        return StreamingResponse(parts())

    async def wrong(request: StarletteRequest) -> Response:
        raise LookupError("not found")

    def blocking(request: StarletteRequest) -> Response:
        return PlainTextResponse("from a thread")

    async def hidden(request: StarletteRequest, error: Exception) -> Response:
        errors.append(type(error).__name__)
        return PlainTextResponse("wrong", 418)

    app = application(
        scripted(),
        Route("/echo", echo, methods=["POST"]),
        Route("/stream", stream),
        Route("/wrong", wrong),
        Route("/blocking", blocking),
        Route("/ask", ask),
        exception_handlers={LookupError: hidden},
        middleware=[Middleware(headway.web.CancelOnDisconnect)],
    )
    async with served(app) as client:
        async with client.post("/echo", data=io.BytesIO(b"x" * 3_000_000)) as answer:
            assert await answer.text() == "3000000"
        async with client.get("/stream") as answer:
            assert await answer.text() == "0 1 2 3 4 "
        async with client.get("/wrong") as answer:
            assert answer.status == 418
        async with client.get("/blocking") as answer:
            assert await answer.text() == "from a thread"
        for _ in range(20):
            async with client.get("/ask") as answer:
                assert answer.status == 200
        await until(lambda: ran == ["background"])
    assert errors == ["LookupError"]


async def test_only_the_paths_that_were_named() -> None:
    scheduler = scripted(ScriptedTransport(latency=0.3))
    app = application(
        scheduler,
        Route("/paid", ask),
        Route("/paid-for", ask),
        middleware=[Middleware(headway.web.CancelOnDisconnect, paths=["/paid"])],
    )
    async with served(app) as client:
        await leave(client, "/paid-for", lambda: scheduler.status().in_flight == 1)
        await until(lambda: scheduler.status().succeeded == 1)
        await leave(client, "/paid", lambda: scheduler.status().in_flight == 1)
        await until(lambda: scheduler.status().cancelled == 1)
    with pytest.raises(TypeError, match="a list of paths"):
        headway.web.CancelOnDisconnect(app, paths="/paid")


async def test_until_disconnect() -> None:
    jobs: list[Job[Any]] = []

    async def watched(request: StarletteRequest) -> Response:
        await request.body()
        jobs.append(
            (await headway.web.scheduler(request)).submit("slow" if "slow" in request.url.path else "x")
        )
        message = await headway.web.until_disconnect(request, jobs[-1])
        return PlainTextResponse(message.id)

    def script(sent: Sent) -> Any:
        return refusal(400, "invalid_request_error") if sent.text == "bad" else reply()

    transport = ScriptedTransport(script, latency=lambda sent: 1000.0 if sent.text == "slow" else 0.0)
    app = application(
        scripted(transport), *[Route(path, watched, methods=["GET", "POST"]) for path in ("/slow", "/quick")]
    )
    async with served(app) as client:
        async with client.get("/quick") as answer:
            assert (answer.status, await answer.text()) == (200, "msg_test")
        await leave(client, "/slow", lambda: len(jobs) == 2, "POST", data=b"{}")
        await until(lambda: jobs[1].done())
        assert jobs[1].state is JobState.CANCELLED


async def test_shutdown_finishes_within_the_grace_time_and_parks_the_rest() -> None:
    transport = ScriptedTransport(latency=lambda sent: 0.1 if sent.text == "quick" else 1000.0)
    scheduler = scripted(transport)
    jobs: list[Job[Any]] = []

    async def begin(request: StarletteRequest) -> Response:
        mine = await headway.web.scheduler(request)
        jobs.extend(mine.submit(text) for text in ("quick", "slow"))
        return PlainTextResponse("begun")

    app = application(
        scheduler, Route("/", begin), lifespan=headway.web.lifespan(lambda: scheduler, grace=0.4)
    )
    async with served(app) as client, client.get("/") as answer:
        assert answer.status == 200
    quick, slow = [await job.outcome() for job in jobs]
    assert quick.state is JobState.SUCCEEDED
    assert slow.resumable
    assert transport.closed


# Server-sent events


def streaming(**options: Any) -> tuple[Starlette, list[Scheduler]]:
    opened: list[Scheduler] = []

    async def chat(request: StarletteRequest) -> Response:
        scheduler = await headway.web.scheduler(request)
        extra = {name: json.loads(value) for name, value in request.query_params.items()}
        stream = scheduler.stream("a secret prompt", priority=Priority.INTERACTIVE, **extra)
        return headway.web.sse(stream, keep_alive=0.05)

    def make() -> Scheduler:
        from http_quick import Quick

        opened.append(Scheduler(**({"model": MODEL, "max_tokens": 4000, "retry": Quick()} | options)))
        return opened[0]

    return application(None, Route("/chat", chat), lifespan=headway.web.lifespan(make, grace=0.1)), opened  # type: ignore[arg-type]


async def test_text_comes_as_events_and_usage_at_the_end(api: FakeAPI) -> None:
    app, opened = streaming()
    async with served(app) as client:
        async with client.get("/chat") as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert answer.headers["X-Accel-Buffering"] == "no"
            found = events(await answer.text())
        assert [name for name, _ in found[:-1]] == ["text"] * (len(found) - 1)
        name, data = found[-1]
        done = json.loads(data)
        assert (name, done["stop_reason"], done["attempts"]) == ("done", "end_turn", 1)
        assert done["usage"]["output_tokens"] > 0
        async with client.get("/chat", headers={"Last-Event-ID": "3"}) as answer:
            assert answer.status == 204, "a browser that comes back must not be answered, and billed, again"
        assert (opened[0].status().succeeded, opened[0].status().in_flight) == (1, 0)


async def test_tools_are_in_the_last_event(api: FakeAPI) -> None:
    tool = {"name": "look_up", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    params = {"tools": json.dumps([tool]), "tool_choice": json.dumps({"type": "tool", "name": "look_up"})}
    params["model"] = json.dumps("claude-opus-4-6")
    app, _ = streaming()
    async with served(app) as client, client.get("/chat", params=params) as answer:
        ((name, data),) = events(await answer.text())
        assert name == "done"
        assert json.loads(data)["tool_use"][0]["name"] == "look_up"


async def test_a_broken_stream_is_one_text(api: FakeAPI) -> None:
    api.set_faults((FaultRule(FaultKind.STREAM_CUT, after_events=4, stream=True, count=1),))
    app, _ = streaming()
    async with served(app) as client, client.get("/chat") as answer:
        found = events(await answer.text())
        assert found[-1][0] == "done"
        assert json.loads(found[-1][1])["attempts"] == 2


async def test_errors_are_an_event_that_tells_no_secrets(api: FakeAPI) -> None:
    rule = FaultRule(
        FaultKind.STATUS, status=400, error_type="invalid_request_error", message="a secret prompt sk-secret"
    )
    api.set_faults((rule,))
    app, _ = streaming()
    async with served(app) as client:
        async with client.get("/chat") as answer:
            text = await answer.text()
            ((name, data),) = events(text)
            assert (name, json.loads(data)["error"]["type"]) == ("error", "invalid_request")
            assert "secret" not in text
        async with client.get("/chat?max_tokens=-5") as answer:
            assert answer.status == 422


async def test_a_fault_of_ours_ends_the_stream_too(api: FakeAPI, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def __aenter__(self) -> Any:
            raise RuntimeError("a secret")

        async def __aexit__(self, *error: object) -> None: ...

    async def chat(request: StarletteRequest) -> Response:
        return headway.web.EventStream(Broken())

    async with served(application(scripted(), Route("/chat", chat))) as client, client.get("/chat") as answer:
        ((name, data),) = events(await answer.text())
        assert (name, json.loads(data)["error"]["type"]) == ("error", "internal")
    assert [record.getMessage() for record in caplog.records] == ["a stream to a client broke: RuntimeError"]


async def test_while_it_waits_it_says_that_it_lives_and_leaves_with_its_client(api: FakeAPI) -> None:
    hang = FaultRule(FaultKind.HANG, seconds=1000.0)
    api.set_faults((hang,))
    app, opened = streaming(flow=Flow(max_in_flight=1))
    async with served(app) as client:
        running = await client.get("/chat")
        assert await running.content.readline() == b": keep-alive\n"
        queued = await client.get("/chat")
        assert await queued.content.readline() == b": keep-alive\n"
        assert (opened[0].status().in_flight, opened[0].status().queued) == (1, 1)
        queued.close()
        await until(lambda: opened[0].status().cancelled == 1)
        running.close()
        await until(lambda: opened[0].status().cancelled == 2)
        await until(lambda: opened[0].status().in_flight == 0)


async def test_leaving_in_the_middle_of_the_text(api: FakeAPI) -> None:
    from headway.testing.fake_api import Latency, OutputLength

    async with FakeAPI(
        type(api.config)(
            latency=Latency(ttft=0, speed=400, jitter=0), output=OutputLength(mean=3000, sigma=0)
        )
    ) as slow:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANTHROPIC_BASE_URL", slow.base_url)
            app, opened = streaming()
            async with served(app) as client:
                answer = await client.get("/chat")
                while b"event: text" not in await answer.content.readline():
                    pass
                answer.close()
                await until(lambda: opened[0].status().cancelled == 1)
                await until(lambda: slow.stats.client_disconnects == 1)
                budgets = opened[0].status().budgets.values()
                assert sum(budget.in_flight for budget in budgets) == 0


async def test_behind_middleware_that_wraps_everything(api: FakeAPI) -> None:
    async def through(request: StarletteRequest, call_next: Any) -> Response:
        return await call_next(request)

    inner, opened = streaming()
    inner.add_middleware(headway.web.CancelOnDisconnect)
    inner.add_middleware(BaseHTTPMiddleware, dispatch=through)
    async with served(inner) as client:
        async with client.get("/chat") as answer:
            assert events(await answer.text())[-1][0] == "done"
        api.set_faults((FaultRule(FaultKind.HANG, seconds=1000.0),))
        answer = await client.get("/chat")
        assert await answer.content.readline() == b": keep-alive\n"
        answer.close()
        await until(lambda: opened[0].status().cancelled == 1)


# The status page


async def test_the_status_routes_are_closed_to_whom_they_are_closed() -> None:
    async def allowed(request: StarletteRequest) -> bool:
        return request.headers.get("x-ops") == "yes"

    for allow in (allowed, lambda request: request.headers.get("x-ops") == "yes"):
        app = application(scripted(), routes=headway.web.status_routes("/ops/", allow=allow))
        async with served(app) as client:
            for path in ("/ops", "/ops/status"):
                async with client.get(path) as answer:
                    assert answer.status == 403
                async with client.get(path, headers={"x-ops": "yes"}) as answer:
                    assert answer.status == 200
    with pytest.raises(ValueError, match="prefix"):
        headway.web.status_routes("ops")


async def test_the_page_is_one_file_that_runs_only_itself() -> None:
    async with served(application(scripted())) as client, client.get("/headway") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; connect-src 'self'")
        text = await answer.text()
        assert "http" not in text.replace("http-equiv", "")
        assert "innerHTML" not in text


async def test_the_figures_name_what_is_not_sent_to() -> None:
    transport = ScriptedTransport(
        lambda _: refusal(404, "not_found_error", message="model: gone"), latency=0.0
    )
    app = application(scripted(transport), Route("/ask", ask), *headway.web.status_routes())
    async with served(app) as client:
        async with client.get("/ask"):
            pass
        async with client.get("/headway/status") as answer:
            seen = await answer.json()
    assert seen["halted"] is None
    assert [(dead["scope"], dead["name"], dead["kind"]) for dead in seen["dead"]] == [
        ("model", "claude-sonnet-5-5", "not_found")
    ]


async def test_the_figures_are_json_whatever_they_are(api: FakeAPI) -> None:
    api.set_faults((FaultRule(FaultKind.STATUS, status=529, count=2),))
    app, _ = streaming()
    async with served(app) as client:
        async with client.get("/headway/status") as answer:
            assert (await answer.json())["budgets"] == []
        async with client.get("/chat") as answer:
            assert events(await answer.text())[-1][0] == "done"
        async with client.get("/headway/status") as answer:
            seen = json.loads(await answer.text(), parse_constant=lambda name: pytest.fail(name))
    assert (seen["succeeded"], seen["sends"], seen["retries"], seen["refused_529"]) == (1, 3, 2, 2)
    assert [failure["kind"] for failure in seen["failures"]] == ["overloaded", "overloaded"]
    assert not any(failure["final"] for failure in seen["failures"])
    (budget,) = seen["budgets"]
    assert {row["name"] for row in budget["dimensions"]} == {"requests", "input", "output"}
    assert all(row["limit"] > 0 and row["origin"] == "header" for row in budget["dimensions"])
