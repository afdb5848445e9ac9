"""Whole answers on the wire, and what a fault makes of them."""

from __future__ import annotations

from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.fault import FaultKind, FaultRule
from headway.testing.fake_api.rate_headers import Headers
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import WireError, comes_as_page, gateway_page

Faults = tuple[FaultRule | None, tuple[FaultRule, ...]]
"""What strikes the answer, and what changes its headers."""


def send_error(site: Site, exchange: Exchange, error: WireError, headers: Headers, faults: Faults) -> str:
    """Send an error answer, as the API's JSON or as a gateway's page. Returns its ``error.type``, or ``html``."""
    fault, header_faults = faults
    if fault is None:
        page = error.status == 413 and site.config.too_large_as_page
    else:
        page = comes_as_page(error.status, error.error_code) if fault.html is None else fault.html
    content_type = "text/html" if page else "application/json"
    whole = site.base_headers(exchange.request_id, content_type) | error.headers | headers
    body = gateway_page(error.status) if page else error.body(exchange.request_id)
    if page:
        del whole["request-id"]
    if fault is not None:
        whole = site.alter(whole, (fault,))
        body = body if fault.body is None else fault.body.encode()
    exchange.answer(error.status, site.alter(whole, header_faults), body)
    return "html" if page else error.error_type


def send_body(exchange: Exchange, headers: Headers, body: bytes, fault: FaultRule | None) -> bool:
    """Send a good answer, or what a fault makes of it; whether it was whole and good."""
    match fault.kind if fault else None:
        case FaultKind.BODY_CUT:
            assert fault is not None
            exchange.half_answer(200, headers, body, len(body) // 2)
            exchange.break_off(fault.how)
        case FaultKind.BODY_TRUNCATED:
            exchange.answer(200, headers, body[: len(body) // 2])
        case FaultKind.BODY_MALFORMED:
            exchange.answer(200, headers, b'{"type": "message", oops')
        case FaultKind.BODY_HTML:
            exchange.answer(200, headers | {"content-type": "text/html"}, gateway_page(200))
        case FaultKind.BODY_SHAPE:
            exchange.answer(200, headers, b"{}")
        case _:
            exchange.answer(200, headers, body)
            return fault is None or fault.kind is not FaultKind.STREAM_JSON
    return False
