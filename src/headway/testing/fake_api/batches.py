"""``/v1/messages/batches``: create, retrieve, list, cancel, delete, results."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from headway.testing.fake_api.answering import send_body, send_error
from headway.testing.fake_api.batch_rules import MOST_BYTES, requests_of
from headway.testing.fake_api.batch_store import KEPT, Batch
from headway.testing.fake_api.batch_work import let_end, result_lines
from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.fault import Endpoint, FaultKind, FaultRule
from headway.testing.fake_api.fault_plan import Asked, Verdict
from headway.testing.fake_api.gate import version_of
from headway.testing.fake_api.ledger import Ledger
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.rate_headers import Headers
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import WireError, invalid, usual_error

PREFIX: Final = "/v1/messages/batches"
_ENDPOINTS: Final[dict[tuple[str, bool, str], Endpoint | None]] = {
    ("POST", False, ""): "batch_create",
    ("GET", False, ""): "batch_list",
    ("GET", True, ""): "batch_retrieve",
    ("DELETE", True, ""): None,
    ("POST", True, "cancel"): "batch_cancel",
    ("GET", True, "results"): "batch_results",
}
_IN_PLACE: Final = frozenset({FaultKind.STATUS, FaultKind.RESET, FaultKind.HANG})
_MOST_UNSENT: Final = 1 << 20
"""Bytes of results that wait for a slow reader."""


async def answer_batches(site: Site, exchange: Exchange, method: str, path: str) -> None:
    """Any call under ``/v1/messages/batches``."""
    raw = await exchange.read(MOST_BYTES)
    batch_id, _, rest = path.removeprefix(PREFIX).strip("/").partition("/")
    call = (method, bool(batch_id), rest)
    if call not in _ENDPOINTS:
        if rest in ("", "cancel", "results"):
            raise WireError(405, "invalid_request_error", "Method Not Allowed")
        raise WireError(404, "not_found_error", "Not Found")
    version_of(exchange)
    await _Visit(site, exchange, _ENDPOINTS[call], batch_id).run(raw)


class _Visit:
    """One call on its way through the server."""

    def __init__(self, site: Site, exchange: Exchange, endpoint: Endpoint | None, batch_id: str) -> None:
        self.site = site
        self.exchange = exchange
        self.endpoint: Endpoint | None = endpoint
        self.batch_id = batch_id
        self.verdict = Verdict()

    async def run(self, raw: bytes | None) -> None:
        self.verdict = self._judge()
        fault = self.verdict.fault
        in_place = fault is not None and fault.kind in _IN_PLACE
        if fault is not None:
            self.site.recorder.faults[fault.kind.value] += 1
            if in_place and not fault.after_work:
                await self._suffer(fault)
                return
            if fault.kind is FaultKind.SLOW_HEADERS:
                await asyncio.sleep(fault.seconds)
        try:
            self._admit()
            content = await self._act(raw)
        except WireError as error:
            self._error(error, None)
            return
        if fault is not None and in_place:
            await self._suffer(fault)
        elif content is None:
            await self._send_results(self.site.batches.get(self.batch_id), fault)
        else:
            send_body(self.exchange, self._headers(), json.dumps(content).encode(), fault)

    def _judge(self) -> Verdict:
        if self.endpoint is None:
            return Verdict()
        site, now = self.site, self.site.now()
        calls = site.recorder.batch_calls
        calls[self.endpoint, self.batch_id] += 1
        return site.plan.decide(
            Asked(
                job=self.batch_id,
                attempt=calls[self.endpoint, self.batch_id],
                model="",
                stream=False,
                since_first_request=now - (site.account.first_request or now),
                since_server_start=now - site.started,
                endpoint=self.endpoint,
            )
        )

    def _admit(self) -> None:
        site, now = self.site, self.site.now()
        if site.batching is None:
            site.batching = Ledger("batches", FakeLimits(requests=site.config.batches_per_minute), now)
        if refusal := site.batching.admit(now, 0):
            text = (
                f"This request would exceed the rate limit of {refusal.limit:,.0f} batch requests per minute."
            )
            raise _limited(site, text, refusal.retry_after)

    async def _act(self, raw: bytes | None) -> dict[str, object] | None:
        """The body of the answer; ``None``: the results."""
        site, batches = self.site, self.site.batches
        match self.endpoint:
            case "batch_create":
                return self._shown(self._create(raw))
            case "batch_list":
                return await self._list()
            case _:
                batch = batches.get(self.batch_id)
        await let_end(site, batch)
        match self.endpoint:
            case "batch_cancel":
                batches.cancel(batch)
                await let_end(site, batch)
            case "batch_results":
                self._require_results(batch)
                batch.reads += 1
                return None
            case None:
                batches.delete(batch)
                return {"id": batch.id, "type": "message_batch_deleted"}
            case _:
                pass
        return self._shown(batch)

    def _create(self, raw: bytes | None) -> Batch:
        site = self.site
        requests = requests_of(raw, site.config)
        most = site.config.batch_queue
        if most is not None and site.batches.waiting() + len(requests) > most:
            text = (
                f"This batch would exceed your organization's limit of {most:,} requests waiting in batches."
            )
            raise _limited(site, text, 60.0)
        headers = self.exchange.request.headers
        batch = Batch(
            site.batches.next_id(),
            requests,
            site.batches.now(),
            site.config.batch_seconds,
            version_of(self.exchange),
            ",".join(headers.getall("anthropic-beta", [])),
        )
        site.batches.add(batch)
        return batch

    async def _list(self) -> dict[str, object]:
        query = self.exchange.request.query
        limit = query.get("limit", "20")
        if not limit.isdigit() or not 1 <= int(limit) <= 1000:
            raise invalid("limit: Input should be a valid integer between 1 and 1000")
        batches = self.site.batches.newest()
        for batch in batches:
            await let_end(self.site, batch)
        ids = [batch.id for batch in batches]
        begin, end = 0, len(batches)
        if after := query.get("after_id"):
            begin = ids.index(self.site.batches.get(after).id) + 1
        if before := query.get("before_id"):
            end = ids.index(self.site.batches.get(before).id)
            begin = max(begin, end - int(limit))
        page = batches[begin : min(end, begin + int(limit))]
        more = begin > 0 if before else begin + len(page) < end
        return {
            "data": [self._shown(batch) for batch in page],
            "has_more": more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }

    def _require_results(self, batch: Batch) -> None:
        if not batch.ended:
            raise invalid(f"Batch {batch.id} has no results yet: it is still being processed.")
        if self.site.batches.now() >= batch.created_at + KEPT:
            text = f"Results of batch {batch.id} are no longer available: it has been archived."
            raise WireError(404, "not_found_error", text)

    async def _send_results(self, batch: Batch, fault: FaultRule | None) -> None:
        exchange, lines = self.exchange, result_lines(self.site, batch)
        headers = self._headers() | {"content-type": "application/x-jsonl"}
        if fault is not None:
            send_body(exchange, headers, b"".join(lines), fault)
            return
        exchange.begin_stream(headers)
        for number, line in enumerate(lines):
            exchange.chunk(line)
            if number % 50 == 0:
                await asyncio.sleep(0)
            while exchange.unsent > _MOST_UNSENT:  # noqa: ASYNC110 - a slow reader makes no event
                await asyncio.sleep(0.002)
        exchange.end_stream()

    def _shown(self, batch: Batch) -> dict[str, object]:
        host = self.exchange.request.headers.get("Host", "")
        return batch.wire(self.site.batches.now(), f"http://{host}")

    def _headers(self) -> Headers:
        headers = self.site.base_headers(self.exchange.request_id)
        return self.site.alter(headers, self.verdict.header_faults)

    async def _suffer(self, fault: FaultRule) -> None:
        if fault.kind is FaultKind.STATUS:
            await asyncio.sleep(self.site.config.latency.refusal)
            error = usual_error(fault.status, fault.error_type, fault.message, fault.error_code)
            self._error(error, fault)
            return
        if fault.kind is FaultKind.HANG:
            await asyncio.sleep(fault.seconds)
        self.exchange.break_off(fault.how)

    def _error(self, error: WireError, fault: FaultRule | None) -> None:
        send_error(self.site, self.exchange, error, {}, (fault, self.verdict.header_faults))


def _limited(site: Site, message: str, seconds: float) -> WireError:
    return WireError(429, "rate_limit_error", message, headers=site.retry_after(seconds))
