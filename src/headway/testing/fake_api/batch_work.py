"""Doing the work of a batch: what becomes of each request, and the lines of the results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, cast

from headway.testing.fake_api.batch_store import Batch, BatchRequest, Done
from headway.testing.fake_api.fault import FaultKind, FaultRule
from headway.testing.fake_api.fault_plan import Asked, chance
from headway.testing.fake_api.gate import Gate
from headway.testing.fake_api.reply import Reply, compose
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import WireError, usual_error
from headway.testing.fake_api.wording import message

LONG_OUTPUT: Final = "output-300k-2026-03-24"
"""The beta under which the newer models write up to 300,000 tokens in a batch."""
_AT_A_TIME: Final = 100
"""Requests settled before others get their turn."""


async def let_end(site: Site, batch: Batch) -> None:
    """If the batch's time has come, settle every request."""
    while _settle_some(site, batch):  # noqa: ASYNC110 - others get their turn
        await asyncio.sleep(0)


def let_all_end(site: Site) -> None:
    """The same at once, for every batch."""
    for batch in site.batches.newest():
        while _settle_some(site, batch):
            pass


def _settle_some(site: Site, batch: Batch) -> bool:
    """A few more requests; whether there are others left."""
    if batch.ended or site.batches.now() < batch.ends_at:
        return False
    begin = len(batch.done)
    for request in batch.requests[begin : begin + _AT_A_TIME]:
        batch.done.append(_settle(site, batch, request))
    return not batch.ended


def _settle(site: Site, batch: Batch, request: BatchRequest) -> Done:
    undone = batch.undone(request)
    if undone is not None:
        return Done(undone)
    recorder = site.recorder
    recorder.batch_attempts[request.job] += 1
    attempt = recorder.batch_attempts[request.job]
    fault = _fault(site, request, attempt)
    try:
        if fault is not None and fault.kind is FaultKind.STATUS:
            raise usual_error(fault.status, fault.error_type, fault.message, fault.error_code)
        tokens = _check(site, batch, request)
    except WireError as error:
        return Done("errored", error, fault)
    if fault is not None and fault.kind is FaultKind.EXPIRED:
        return Done("expired", None, fault)
    reply = _reply(site, request, fault)
    recorder.billed_in_batch(request.job, tokens, reply.output_tokens)
    return Done("succeeded", None, fault, tokens, attempt)


def _fault(site: Site, request: BatchRequest, attempt: int) -> FaultRule | None:
    model, now = request.params.get("model"), site.now()
    asked = Asked(
        job=request.job,
        attempt=attempt,
        model=model if isinstance(model, str) else "",
        stream=False,
        since_first_request=now - (site.account.first_request or now),
        since_server_start=now - site.started,
        endpoint="batch_item",
    )
    fault = site.plan.decide(asked).fault
    if fault is not None:
        site.recorder.faults[fault.kind.value] += 1
    return fault


def _check(site: Site, batch: Batch, request: BatchRequest) -> int:
    body = request.params
    if LONG_OUTPUT in batch.betas and isinstance(cap := body.get("max_tokens"), int) and cap <= 300_000:
        body = {**body, "max_tokens": min(cap, 64_000)}
    return Gate(site.config, site.files).check(body, batch.version)[1]


def _reply(site: Site, request: BatchRequest, fault: FaultRule | None) -> Reply:
    reply = compose(request.params, request.digest, site.config)
    if fault is not None and fault.kind is FaultKind.STOP:
        return replace(reply, stop_reason=fault.stop_reason, tool=None)
    return reply


def result_lines(site: Site, batch: Batch) -> Iterator[bytes]:
    """The results as JSON lines, in an order of their own."""
    pairs = list(zip(batch.requests, batch.done, strict=True))
    pairs.sort(key=lambda pair: chance(site.config.seed, pair[0].custom_id, 0, 1))
    for request, done in pairs:
        match done.fault.kind if done.fault else None:
            case FaultKind.LOST:
                continue
            case FaultKind.BODY_MALFORMED:
                yield b'{"custom_id": "' + request.custom_id.encode() + b'", oops\n'
            case FaultKind.BODY_SHAPE:
                yield b"{}\n"
            case kind:
                stranger = "stranger-" if kind is FaultKind.STRANGER else ""
                line = {"custom_id": stranger + request.custom_id, "result": _result(site, request, done)}
                yield json.dumps(line).encode() + b"\n"


def _result(site: Site, request: BatchRequest, done: Done) -> dict[str, object]:
    if done.error is not None:
        return {
            "type": "errored",
            "error": {**done.error.event(), "request_id": f"req_{request.digest[:12].hex()}"},
        }
    if done.kind != "succeeded":
        return {"type": done.kind}
    reply = _reply(site, request, done.fault)
    message_id = f"msg_01{request.digest[:9].hex()}{done.attempt:04x}"
    content = message(message_id, cast("str", request.params["model"]), done.input_tokens, reply)
    content["usage"] = {**cast("dict[str, object]", content["usage"]), "service_tier": "batch"}
    return {"type": "succeeded", "message": content}
