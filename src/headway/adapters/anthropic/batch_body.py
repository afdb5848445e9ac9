"""The body of a batch's creation: written some requests at a time, sent piece by piece.

It is whole before it is sent, because its length has to be told: a body of unknown length ("chunked") is not what
every proxy takes. It is held once: given to the SDK as one text it would be held two or three times on its way.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

from anyio import to_thread

from headway.core.batch_info import BatchItem

SOME: Final = 50
"""Requests written at a time."""
_BEGIN: Final = b'{"requests":['
_END: Final = b"]}"


class UnwritableError(ValueError):
    """JSON cannot hold an item."""


class BatchBody:
    """Pieces of JSON; iterating gives them, as often as they are wanted."""

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {}
        """Of every item."""
        self.requests = 0
        self.size = len(_BEGIN) + len(_END)
        """Bytes."""
        self._pieces = [_BEGIN]

    async def add(self, items: Sequence[BatchItem]) -> None:
        """Write some more. Raises `UnwritableError`, and ValueError when the headers differ."""
        if not self.requests and items:
            self.headers = dict(items[0].headers)
        if any(dict(item.headers) != self.headers for item in items):
            raise ValueError(
                "the items of a batch must agree on their headers; put the others in another batch"
            )
        piece = await to_thread.run_sync(_piece, items, self.requests)
        self.requests += len(items)
        self.size += len(piece)
        self._pieces.append(piece)

    def end(self) -> None:
        """No more items come."""
        self._pieces.append(_END)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


async def body_of(items: Sequence[BatchItem] | AsyncIterable[BatchItem]) -> BatchBody:
    """The whole body. Raises ValueError as `BatchBody.add` does, and what reading the items raises."""
    body, some = BatchBody(), list[BatchItem]()
    source = items if isinstance(items, AsyncIterable) else _one_by_one(items)
    async for item in source:
        some.append(item)
        if len(some) == SOME:
            await body.add(some)
            some = []
    if some:
        await body.add(some)
    body.end()
    return body


async def _one_by_one(items: Iterable[BatchItem]) -> AsyncIterator[BatchItem]:
    for item in items:
        yield item


def _piece(items: Sequence[BatchItem], start: int) -> bytes:
    text = b",".join([_json(index, item) for index, item in enumerate(items, start)])
    return b"," + text if start else text


def _json(index: int, item: BatchItem) -> bytes:
    fields = {"custom_id": item.custom_id, "params": item.params}
    try:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"requests.{index} ({item.custom_id}) is not JSON: {type(error).__name__}"
        raise UnwritableError(problem) from None
