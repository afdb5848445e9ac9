"""Which endpoint answers which path."""

from __future__ import annotations

from headway.testing.fake_api.batches import PREFIX as BATCHES
from headway.testing.fake_api.batches import answer_batches
from headway.testing.fake_api.control import PREFIX, answer_control
from headway.testing.fake_api.counting import answer_count
from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.files import PREFIX as FILES
from headway.testing.fake_api.files import answer_files
from headway.testing.fake_api.gate import check_key
from headway.testing.fake_api.listing import ROOT, answer_listing
from headway.testing.fake_api.messages import answer_messages
from headway.testing.fake_api.models import get_model, list_models
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import WireError

_MODELS = "/v1/models"


async def dispatch(site: Site, exchange: Exchange) -> None:
    """Answer one request, whatever it is."""
    request = exchange.request
    method, path = request.method, request.path
    if path == "/v1/messages" and method == "POST":
        await answer_messages(site, exchange)
        return
    try:
        await _dispatch_rest(site, exchange, method, path)
    except WireError as error:
        site.answer_error(exchange, error)


async def _dispatch_rest(site: Site, exchange: Exchange, method: str, path: str) -> None:
    if path.startswith(PREFIX):
        await answer_control(site, exchange, method, path)
        return
    site.recorder.other_calls[f"{method} {path}"] += 1
    if path.startswith(ROOT):
        await exchange.read()
        content = answer_listing(exchange, site.config, path)
        exchange.answer(200, site.base_headers(exchange.request_id), content)
        return
    known = path in {"/v1/messages", "/v1/messages/count_tokens", _MODELS} or path.startswith(_MODELS + "/")
    check_key(exchange, site.config)
    if method == "POST" and path == "/v1/messages/count_tokens":
        await answer_count(site, exchange)
        return
    if path == BATCHES or path.startswith(BATCHES + "/"):
        await answer_batches(site, exchange, method, path)
        return
    if path == FILES or path.startswith(FILES + "/"):
        await answer_files(site, exchange, method, path)
        return
    await exchange.read()
    if method == "GET" and path == _MODELS:
        content = list_models(exchange.request)
    elif method == "GET" and path.startswith(_MODELS + "/"):
        content = get_model(path.removeprefix(_MODELS + "/"))
    elif known:
        raise WireError(405, "invalid_request_error", "Method Not Allowed")
    else:
        raise WireError(404, "not_found_error", "Not Found")
    exchange.answer(200, site.base_headers(exchange.request_id), content)
