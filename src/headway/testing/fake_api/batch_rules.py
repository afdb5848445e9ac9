"""What the Message Batches API refuses at once, and what a request of a batch is.

Everything else that is wrong with a request's params comes out when it is processed, as an errored result
(https://platform.claude.com/docs/en/build-with-claude/batch-processing).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, cast

from headway.testing.fake_api.batch_store import BatchRequest
from headway.testing.fake_api.body_rules import Body, parse_body
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.fault_plan import chance
from headway.testing.fake_api.reply import digest_of
from headway.testing.fake_api.wire_error import WireError, invalid

MOST_REQUESTS: Final = 100_000
MOST_BYTES: Final = 256 * 1024 * 1024
_CUSTOM_ID: Final = r"^[a-zA-Z0-9_-]{1,64}$"
_FIRST: Final = ("max_tokens", "messages", "model")


def requests_of(raw: bytes | None, config: FakeConfig) -> tuple[BatchRequest, ...]:
    """The requests of the body of a creation, or the API's complaint."""
    if raw is None:
        text = f"Request exceeds the maximum allowed number of bytes ({MOST_BYTES})"
        raise WireError(413, "request_too_large", text)
    body = parse_body(raw)
    for name in body:
        if name != "requests":
            raise invalid(f"{name}: Extra inputs are not permitted")
    given = body.get("requests")
    if given is None:
        raise invalid("requests: Field required")
    if not isinstance(given, list):
        raise invalid("requests: Input should be a valid list")
    items = cast("list[object]", given)
    if not items:
        raise invalid("requests: List should have at least 1 item after validation, not 0")
    if len(items) > MOST_REQUESTS:
        raise invalid(
            f"requests: List should have at most {MOST_REQUESTS} items after validation, not {len(items)}"
        )
    return tuple(_requests(items, config))


def _requests(items: list[object], config: FakeConfig) -> Iterator[BatchRequest]:
    fits = re.compile(_CUSTOM_ID)
    seen: set[str] = set()
    for index, item in enumerate(items):
        where = f"requests.{index}"
        if not isinstance(item, dict):
            raise invalid(f"{where}: Input should be a valid dictionary or object to extract fields from")
        fields = cast("Body", item)
        for name in fields:
            if name not in ("custom_id", "params"):
                raise invalid(f"{where}.{name}: Extra inputs are not permitted")
        custom_id, params = fields.get("custom_id"), fields.get("params")
        if not isinstance(custom_id, str):
            raise invalid(f"{where}.custom_id: Input should be a valid string")
        if not fits.fullmatch(custom_id):
            raise invalid(f"{where}.custom_id: String should match pattern '{_CUSTOM_ID}'")
        if custom_id in seen:
            raise invalid(f"requests: custom_id must be unique, {custom_id} is there more than once")
        seen.add(custom_id)
        if not isinstance(params, dict):
            raise invalid(
                f"{where}.params: Input should be a valid dictionary or object to extract fields from"
            )
        yield _request(custom_id, cast("Body", params), where, config)


def _request(custom_id: str, params: Body, where: str, config: FakeConfig) -> BatchRequest:
    if params.get("stream"):
        raise invalid(f"{where}.params.stream: Streaming is not supported in message batches")
    for name in ("speed", "thread"):
        if params.get(name) is not None:
            raise invalid(f"{where}.params.{name}: Not supported in message batches")
    if params.get("max_tokens") == 0:
        raise invalid(f"{where}.params.max_tokens: 0 is not supported in message batches")
    digest = digest_of(config.seed, _as_sent_alone(params))
    job = _job(params, digest)
    moment = chance(config.seed, custom_id + job, 0, 0) * config.batch_seconds
    return BatchRequest(custom_id, params, job, digest, moment)


def _as_sent_alone(params: Body) -> bytes:
    """The body that the SDK would send: the same request has the same reply in both lanes."""
    order = [*(name for name in _FIRST if name in params), *sorted(set(params) - set(_FIRST))]
    body = {name: params[name] for name in order}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _job(params: Body, digest: bytes) -> str:
    metadata = params.get("metadata")
    user = cast("Body", metadata).get("user_id") if isinstance(metadata, dict) else None
    return user if isinstance(user, str) and user else digest.hex()[:24]
