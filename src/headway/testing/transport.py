"""A transport in memory: answers by a script, in whatever time the loop keeps. For fast tests without HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import ErrorResponse, Failure, classify, failure_of
from headway.core.limits import NO_REPORT, LimitReport, OnHeaders
from headway.core.model_suggestion import suggest
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Rejection, Reply

if TYPE_CHECKING:
    from anthropic.types import Message


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt as the transport saw it."""

    at: float
    """Loop time, seconds."""
    request: Request
    text: str
    """The last message's text, to tell jobs apart."""
    attempt: int
    """How often this text was sent, from 1."""
    streamed: bool = False
    """The answer was to come as a stream."""


Script = Callable[[Sent], Reply | Rejection]


class ScriptedTransport:
    """Calls ``script`` for every attempt after ``latency`` seconds; remembers what was sent and what finished."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        latency: float | Callable[[Sent], float] = 1.0,
        connections: int | None = 100,
        account: str = "test",
    ) -> None:
        self._script = script or echo
        self._latency = latency
        self._account = account
        self._connections = connections
        self._attempts: dict[str, int] = {}
        self.sent: list[Sent] = []
        self.answered: list[Sent] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = False

    @property
    def account(self) -> str:
        """The given name."""
        return self._account

    @property
    def connections(self) -> int | None:
        """The given size."""
        return self._connections

    def prepare(self, request: Request) -> Request:
        """The request as it is."""
        return request

    async def send(
        self, request: Request, *, streamed: bool = False, on_headers: OnHeaders | None = None
    ) -> Reply | Rejection:
        """Answer by the script; headers come with the answer."""
        text = last_text(request.params)
        attempt = self._attempts[text] = self._attempts.get(text, 0) + 1
        sent = Sent(anyio.current_time(), request, text, attempt, streamed)
        self.sent.append(sent)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.sleep(self._latency(sent) if callable(self._latency) else self._latency)
        finally:
            self.in_flight -= 1
        self.answered.append(sent)
        return self._script(sent)

    async def advise(self, failure: Failure, request: Request) -> Failure:
        """A model of the built-in table, where the failure concerns the model."""
        if failure.scope is not Scope.MODEL:
            return failure
        return replace(failure, message=f"{failure.message}. {suggest(request.model)}")

    def revive(self, body: str, request: Request) -> Message:
        """The message of a stored body."""
        from anthropic.types import Message

        return Message.model_validate_json(body)

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


def echo(sent: Sent) -> Reply:
    """The script that answers with the text it was sent."""
    return reply(f"echo {sent.text}")


def last_text(params: Mapping[str, object]) -> str:
    """The text of the last message of a request body."""
    messages = params["messages"]
    assert isinstance(messages, list)
    content = messages[-1]["content"]  # pyright: ignore[reportUnknownVariableType]
    return content if isinstance(content, str) else json.dumps(content)


def reply(text: str = "hello", *, usage: Usage | None = None, report: LimitReport = NO_REPORT) -> Reply:
    """A complete message."""
    from anthropic.types import Message

    usage = usage or Usage(input=10, output=5)
    body = json.dumps(
        {
            "id": "msg_test",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": usage.input, "output_tokens": usage.output},
        }
    )
    return Reply(Message.model_validate_json(body), body, usage, report, "end_turn", "req_test")


def refusal(
    status: int,
    error_type: str | None = None,
    *,
    error_code: str | None = None,
    message: str = "refused by the script",
    retry_after: float | None = None,
    report: LimitReport = NO_REPORT,
) -> Rejection:
    """An error response of the API."""
    error = ErrorResponse(status, error_type, error_code, message, "req_test", retry_after, report)
    return Rejection(classify(error), report)


def lost(kind: ErrorKind = ErrorKind.DISCONNECTED, message: str = "lost by the script") -> Rejection:
    """An attempt that failed on the way."""
    return Rejection(failure_of(kind, message))
