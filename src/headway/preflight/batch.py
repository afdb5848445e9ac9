"""Whether a list of requests can go to the Message Batches API as one batch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from headway.core.batching import ENVELOPE, MOST_BYTES, MOST_REQUESTS
from headway.core.change import brief
from headway.core.faults import RequestError
from headway.preflight.finding import Finding

NAME: Final = "batch"
CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What the API takes as ``custom_id``."""
Item = Mapping[str, object]


def check_batch(requests: Iterable[object]) -> Iterator[Finding]:
    """What the Message Batches API would refuse in ``{"custom_id", "params"}`` requests: the batch as a whole,
    and each of its items. The requests' own rules are those of `check`. Reads them once, one at a time."""
    seen: dict[str, int] = {}
    number, size = 0, ENVELOPE
    for index, request in enumerate(requests):
        number += 1
        size += item_bytes(request) + 1
        where = f"requests.{index}"
        if not isinstance(request, Mapping):
            yield Finding(NAME, where, "is no object", 'Use {"custom_id": …, "params": {…}}.')
            continue
        item = cast("Item", request)
        yield from _check_id(item.get("custom_id"), where, seen, index)
        params = item.get("params")
        if isinstance(params, Mapping):
            yield from _check_params(cast("Item", params), f"{where}.params")
        else:
            yield Finding(NAME, f"{where}.params", "is missing or no object", "Put the request there.")
    if not number:
        yield Finding(NAME, "requests", "is empty", "A batch has at least one request.")
    if number > MOST_REQUESTS:
        problem = f"{number:,} requests are more than {MOST_REQUESTS:,}"
        yield Finding(NAME, "requests", problem, "Split it into several batches.")
    if size > MOST_BYTES:
        problem = f"{size / 2**20:,.0f} MB are more than {MOST_BYTES // 2**20} MB"
        yield Finding(NAME, "requests", problem, "Split it, or send large files through the Files API.")


def unfit(params: Item) -> Finding | None:
    """Why a request cannot go into any batch, if that is so; ``path`` is that of a field in its body."""
    return next(_check_params(params, ""), None)


def item_bytes(request: object) -> int:
    """Bytes of one request in the body of a batch, as compact JSON in UTF-8."""
    try:
        text = json.dumps(request, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError):  # what JSON cannot hold is another rule's matter
        return 0
    return len(text.encode("utf-8", "surrogatepass"))


def sendable_bytes(request: object) -> int:
    """The same of a request that is to be sent. Raises `RequestError` for what JSON in UTF-8 cannot hold."""
    try:
        return len(json.dumps(request, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        problem = "half a surrogate pair is not text; write the whole character"
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise RequestError("params", f"cannot be written as JSON: {problem}")


def _check_id(value: object, where: str, seen: dict[str, int], index: int) -> Iterator[Finding]:
    path = f"{where}.custom_id"
    if not isinstance(value, str):
        yield Finding(NAME, path, "is missing or no text", "Give every request an id of its own.")
        return
    if not CUSTOM_ID.fullmatch(value):
        problem = f"{brief(value)!r} does not match {CUSTOM_ID.pattern}"
        yield Finding(NAME, path, problem, "Use letters, digits, _ and -, at most 64.")
    if (first := seen.setdefault(value, index)) != index:
        yield Finding(NAME, path, f"{brief(value)!r} is that of requests.{first} too", "Ids must be unique.")


def _check_params(params: Item, where: str) -> Iterator[Finding]:
    where = f"{where}." if where else ""
    if params.get("stream"):
        yield Finding(NAME, f"{where}stream", "a batch does not stream", "Leave it out.")
    for name in ("speed", "thread"):
        if params.get(name) is not None:
            yield Finding(
                NAME, f"{where}{name}", "is not allowed in a batch", "Leave it out, or send it by itself."
            )
    cap = params.get("max_tokens")
    if isinstance(cap, int) and cap == 0:
        remedy = "Warm the cache with a request of its own before the batch."
        yield Finding(NAME, f"{where}max_tokens", "0 is not allowed in a batch", remedy)
