"""``POST /v1/messages``: from arrival to the last byte."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace

from headway.testing.fake_api.answering import send_body, send_error
from headway.testing.fake_api.exchange import Exchange, GoneError
from headway.testing.fake_api.fault import FaultKind, FaultRule
from headway.testing.fake_api.fault_plan import Asked, Verdict
from headway.testing.fake_api.gate import Call, Gate, version_of
from headway.testing.fake_api.generation import Generation
from headway.testing.fake_api.ledger import Ledger, Refusal
from headway.testing.fake_api.prompt_cache import NO_CACHE
from headway.testing.fake_api.rate_headers import Headers
from headway.testing.fake_api.reply import Reply, compose
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.stats import BilledTokens
from headway.testing.fake_api.stream import Performance, play
from headway.testing.fake_api.wire_error import WireError, usual_error
from headway.testing.fake_api.wording import message

_IN_PLACE_OF_REPLY = frozenset({FaultKind.STATUS, FaultKind.RESET, FaultKind.HANG})
_CONCURRENT = "Number of concurrent connections has exceeded your rate limit. Please try again later."
_WORDS = {"requests": "requests", "input": "input tokens", "output": "output tokens"}


async def pause(seconds: float) -> None:
    """Sleep, unless there is nothing to sleep for."""
    if seconds > 0:
        await asyncio.sleep(seconds)


async def answer_messages(site: Site, exchange: Exchange) -> None:
    """Answer one Messages request, whatever becomes of it."""
    recorder = site.recorder
    recorder.arrived(exchange.arrived)
    if site.account.first_request is None:
        site.account.first_request = exchange.arrived
    try:
        raw = await exchange.read()
        await _Visit(site, exchange).run(raw)
    except (asyncio.CancelledError, GoneError):
        if not site.closing:
            recorder.client_disconnects += 1
        raise
    finally:
        recorder.left()


class _Visit:
    """One request on its way through the server."""

    def __init__(self, site: Site, exchange: Exchange) -> None:
        self.site = site
        self.exchange = exchange
        self.recorder = site.recorder
        self.verdict = Verdict()
        self.cached = NO_CACHE

    async def run(self, raw: bytes | None) -> None:
        gate = Gate(self.site.config, self.site.files)
        job, digest, body = gate.identify(self.exchange, raw)
        self.recorder.attempts[job] += 1
        try:
            body = gate.whole(self.exchange, body, self.site.threads)
            model, tokens = gate.check(body, version_of(self.exchange))
        except WireError as error:
            self._error(error, {})
            return
        if self.recorder.in_flight > (self.site.config.max_in_flight or math.inf):
            await pause(self.site.config.latency.refusal)
            self._error(WireError(429, "rate_limit_error", _CONCURRENT), {})
            return
        attempt = self.recorder.attempts[job]
        call = Call(job, attempt, digest, body, model, tokens, body.get("stream") is True)
        self.verdict = self._judge(call)
        ledger = self.site.account.ledger(self.site.config.group_of(model), self.site.now())
        fault = self.verdict.fault
        if fault is not None:
            self.recorder.faults[fault.kind.value] += 1
            if fault.kind in _IN_PLACE_OF_REPLY and not fault.after_work:
                await self._suffer(fault, ledger)
                return
            if fault.kind is FaultKind.SLOW_HEADERS:
                await pause(fault.seconds)
        await self._admit(call, ledger)

    def _judge(self, call: Call) -> Verdict:
        site, now = self.site, self.site.now()
        verdict = site.plan.decide(
            Asked(
                job=call.job,
                attempt=call.attempt,
                model=call.model.id,
                stream=call.stream,
                since_first_request=now - (site.account.first_request or now),
                since_server_start=now - site.started,
            )
        )
        for rule in verdict.header_faults:
            self.recorder.faults[rule.kind.value] += 1
        return verdict

    async def _admit(self, call: Call, ledger: Ledger) -> None:
        now = self.site.now()
        self.site.account.advance(now)
        cached = self.site.prompts.look(call.body, call.model, call.input_tokens, now + self.site.passed)
        charged = call.input_tokens - cached.read
        refusal = ledger.admit(now, charged)
        self.recorder.second(now).levels[ledger.group] = ledger.summary()
        if refusal is not None:
            await self._refuse(call, ledger, refusal)
            return
        reply = compose(call.body, call.digest, self.site.config)
        if self.verdict.fault is not None and self.verdict.fault.kind is FaultKind.STOP:
            reply = replace(reply, stop_reason=self.verdict.fault.stop_reason, tool=None)
        self.cached = cached
        at = now + self.site.passed
        self.site.prompts.use(cached, at, at + reply.ttft)
        tokens = BilledTokens(
            charged - cached.written, reply.output_tokens, cached.read, cached.written_5m, cached.written_1h
        )
        self.recorder.admitted(now, call.job, call.model.id, tokens)
        at_admission = self._rate_headers(ledger, now) if self._describes_admission else None
        generation = ledger.generate(now + reply.ttft, reply.output_tokens, reply.speed)
        try:
            await self._reply(call, ledger, reply, at_admission, now)
        except (asyncio.CancelledError, GoneError):
            ledger.meter.cut(generation, self.site.now())
            self.site.prompts.forget(cached, self.site.now() + self.site.passed)
            raise
        self._stop_if_broken(ledger, generation)

    @property
    def _describes_admission(self) -> bool:
        return self.site.config.headers.describe == "admission"

    def _rate_headers(self, ledger: Ledger, at: float | None = None, error: bool = False) -> Headers:
        return self.site.rate_headers(ledger, self.site.now() if at is None else at, error)

    def _stop_if_broken(self, ledger: Ledger, generation: Generation) -> None:
        """A stream that was cut generates no further."""
        fault = self.verdict.fault
        if fault is not None and fault.kind in (FaultKind.STREAM_CUT, FaultKind.STREAM_EOF):
            ledger.meter.cut(generation, self.site.now())

    async def _refuse(self, call: Call, ledger: Ledger, refusal: Refusal) -> None:
        if self.site.config.refused_count_requests:
            ledger.charge_refusal()
        self.recorder.refused[refusal.dimension] += 1
        headers = self._rate_headers(ledger, error=True) | self.site.retry_after(refusal.retry_after)
        await pause(self.site.config.latency.refusal)
        text = (
            f"This request would exceed your organization's rate limit of {refusal.limit:,.0f} "
            f"{_WORDS[refusal.dimension]} per minute (org: {self.site.config.organization_id}, model: "
            f"{call.model.id}). For details, refer to: https://docs.claude.com/en/api/rate-limits. You can "
            "see the response headers for current usage. Please reduce the prompt length or the maximum "
            "tokens requested, or try again later."
        )
        self._error(WireError(429, "rate_limit_error", text), headers)

    async def _suffer(self, fault: FaultRule, ledger: Ledger) -> None:
        """An answer in place of a reply."""
        if fault.kind is FaultKind.STATUS:
            await pause(self.site.config.latency.refusal)
            headers = self._rate_headers(ledger, error=True) if fault.status == 429 else {}
            error = usual_error(fault.status, fault.error_type, fault.message, fault.error_code)
            self._error(error, headers, fault)
            return
        if fault.kind is FaultKind.HANG:
            await pause(fault.seconds)
        self.exchange.break_off(fault.how)
        self.recorder.answered(self.site.now(), 0)

    def _error(self, error: WireError, headers: Headers, fault: FaultRule | None = None) -> None:
        kind = send_error(self.site, self.exchange, error, headers, (fault, self.verdict.header_faults))
        self.recorder.answered(self.site.now(), error.status, kind)

    async def _reply(
        self, call: Call, ledger: Ledger, reply: Reply, at_admission: Headers | None, admitted: float
    ) -> None:
        fault = self.verdict.fault
        if fault is not None and fault.kind in _IN_PLACE_OF_REPLY:
            await pause(reply.seconds)
            await self._suffer(fault, ledger)
            return
        streamed = call.stream and (fault is None or fault.kind not in _WHOLE_BODY)
        await pause(admitted + (reply.ttft if streamed else reply.seconds) - self.site.now())
        rates = self._rate_headers(ledger) if at_admission is None else at_admission
        headers = self.site.base_headers(self.exchange.request_id) | rates
        headers = self.site.alter(headers, self.verdict.header_faults)
        message_id = f"msg_01{call.digest[:9].hex()}{call.attempt:04x}"
        content = message(message_id, call.model.id, call.input_tokens, reply, self.cached)
        self.site.threads.keep(call.body, content)
        if streamed:
            show = Performance(self.exchange, call, reply, headers, message_id, fault, self.cached)
            whole = await play(self.site, show)
        else:
            whole = send_body(self.exchange, headers, json.dumps(content).encode(), fault)
        now = self.site.now()
        self.recorder.answered(now, 200)
        if whole:
            tokens = (call.input_tokens, reply.output_tokens)
            self.recorder.succeeded(now, call.job, tokens, self.exchange.arrived)
            self.recorder.cached(self.cached.read, self.cached.written)


_WHOLE_BODY = frozenset({FaultKind.BODY_HTML, FaultKind.BODY_SHAPE, FaultKind.STREAM_JSON})
