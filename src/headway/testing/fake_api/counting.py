"""``POST /v1/messages/count_tokens``: free, with a limit of its own."""

from __future__ import annotations

import json

from headway.testing.fake_api.body_rules import check_count, parse_body
from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.gate import check_size
from headway.testing.fake_api.ledger import Ledger
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.media_rules import check_media
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.tokens import count_input
from headway.testing.fake_api.wire_error import WireError


async def answer_count(site: Site, exchange: Exchange) -> None:
    """The same estimate that a Messages request is charged."""
    body = parse_body(check_size(await exchange.read()))
    model = check_count(body)
    check_media(body, model, site.files)
    now = site.now()
    if site.counting is None:
        site.counting = Ledger("count_tokens", FakeLimits(requests=site.config.count_tokens_per_minute), now)
    refusal = site.counting.admit(now, 0)
    rates = site.rate_headers(site.counting, now, error=refusal is not None)
    if refusal is not None:
        text = f"This request would exceed the rate limit of {refusal.limit:,.0f} token counts per minute."
        error = WireError(429, "rate_limit_error", text)
        site.answer_error(exchange, error, rates | site.retry_after(refusal.retry_after))
        return
    content = json.dumps({"input_tokens": count_input(body, model)}).encode()
    exchange.answer(200, site.base_headers(exchange.request_id) | rates, content)
