"""A web service on one API key: people chat, a batch of classifications runs behind them, /headway shows both.

pip install 'headway[web]' fastapi uvicorn
ANTHROPIC_API_KEY=… uvicorn web:app --app-dir docs/examples --timeout-graceful-shutdown 30
curl -N 'localhost:8000/chat?prompt=Hello'
"""

import os
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from pydantic import BaseModel

import headway.web
from headway import Flow, Priority, Scheduler


def make() -> Scheduler:
    """One scheduler per process: 500 may wait, then 503 with Retry-After; gold has twice the share of others."""
    flow = Flow(max_queued=500, weights={"gold": 2.0})
    return Scheduler(model="claude-sonnet-5-5", max_tokens=1024, flow=flow)


def may_look(request: Request) -> bool:
    """Who may see the figures: whoever knows the token, if there is one."""
    token = os.environ.get("STATUS_TOKEN")
    return token is None or request.query_params.get("token") == token


app = FastAPI(
    lifespan=headway.web.lifespan(make, grace=20),
    exception_handlers=headway.web.exception_handlers,
    routes=headway.web.status_routes("/headway", allow=may_look),
)
app.add_middleware(headway.web.CancelOnDisconnect)  # who leaves is not paid for

OneScheduler = Annotated[Scheduler, Depends(headway.web.scheduler)]


@app.get("/chat")
async def chat(prompt: str, scheduler: OneScheduler) -> headway.web.EventStream:
    """Text as it is written, as server-sent events; a person waits, so it goes first."""
    return headway.web.sse(scheduler.stream(prompt, priority=Priority.INTERACTIVE))


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Verdict(BaseModel):
    mood: Mood
    because: str


class Review(BaseModel):
    text: str


@app.post("/classify")
async def classify(
    review: Review, scheduler: OneScheduler, x_tenant: Annotated[str, Header()] = ""
) -> Verdict | None:
    """Behind the people who chat, fairly between tenants, and only as long as anybody cares."""
    prompt = f"Is this review good or bad?\n\n{review.text}"
    message = await scheduler.submit(
        prompt, output_format=Verdict, priority=Priority.BULK, tenant=x_tenant, deadline=60
    )
    return message.parsed_output
