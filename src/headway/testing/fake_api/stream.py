"""A streamed reply: events in time, and all the ways in which a stream breaks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.fault import FaultKind, FaultRule
from headway.testing.fake_api.gate import Call
from headway.testing.fake_api.prompt_cache import CacheUse
from headway.testing.fake_api.rate_headers import Headers
from headway.testing.fake_api.reply import Reply
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import usual_error
from headway.testing.fake_api.wording import PING, Event, event, events

_PING_EVERY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Performance:
    """A stream that is about to be sent."""

    exchange: Exchange
    call: Call
    reply: Reply
    headers: Headers
    message_id: str
    fault: FaultRule | None
    cached: CacheUse


async def play(site: Site, show: Performance) -> bool:
    """Send the stream from its first byte on; whether it was whole and good."""
    exchange, fault, speed = show.exchange, show.fault, show.reply.speed
    exchange.begin_stream(
        show.headers | {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    )
    if fault is not None and fault.kind is FaultKind.STREAM_EMPTY:
        exchange.end_stream()
        return False
    call, chunk = show.call, site.config.chunk_tokens
    line = events(show.message_id, call.model.id, call.input_tokens, show.reply, chunk, show.cached)
    strikes = None
    if fault is not None and fault.kind.startswith("stream_"):
        strikes = min(fault.after_events, len(line) - 1)
    first_byte = site.now()
    await _send(site, exchange, line[:strikes], first_byte, speed)
    if fault is None or strikes is None:
        exchange.end_stream()
        return True
    if await _strike(exchange, fault):
        await _send(site, exchange, line[strikes:], first_byte, speed)
        exchange.end_stream()
    return fault.kind is FaultKind.STREAM_STALL


async def _send(site: Site, exchange: Exchange, line: list[Event], begin: float, speed: float) -> None:
    """Each event when its tokens are generated; those due together in one write."""
    waiting: list[bytes] = []
    for item in line:
        wait = begin + item.tokens / speed - site.now()
        if wait > 0.001:
            if waiting:
                exchange.chunk(b"".join(waiting))
                waiting.clear()
            await asyncio.sleep(wait)
        waiting.append(item.payload)
    if waiting:
        exchange.chunk(b"".join(waiting))


async def _strike(exchange: Exchange, fault: FaultRule) -> bool:
    """Let the fault happen; whether the stream goes on after it."""
    match fault.kind:
        case FaultKind.STREAM_CUT:
            exchange.break_off(fault.how)
        case FaultKind.STREAM_EOF:
            exchange.end_stream()
        case FaultKind.STREAM_ERROR:
            status = 500 if fault.error_type == "api_error" else 529
            error = usual_error(status, fault.error_type, fault.message, fault.error_code)
            exchange.chunk(event("error", error.event(), 0).payload)
            exchange.end_stream()
        case FaultKind.STREAM_BAD_JSON:
            exchange.chunk(b'event: content_block_delta\ndata: {"type": "content_block_delta", oops\n\n')
            return True
        case _:
            await _stall(exchange, fault.seconds)
            return True
    return False


async def _stall(exchange: Exchange, seconds: float) -> None:
    """Nothing but pings."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        exchange.chunk(PING)
        await asyncio.sleep(min(_PING_EVERY, left))
