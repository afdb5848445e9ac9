"""The repair tool ``images``: Pillow in worker threads, one a CPU, and equal images only once."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import RunVar

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.image_limits import CROWD_SIDE, MOST_BASE64, side_limit
from headway.core.image_size import pixels
from headway.preflight.bound_thinking import unbound
from headway.preflight.facts import Body
from headway.preflight.finding import Finding
from headway.preflight.parts import Part, replaced
from headway.preflight.rule import Mended, UnrepairableError
from headway.preflight.rules.images import NAME, TOOL, images_of

if TYPE_CHECKING:
    from headway.adapters.images.refit import Refit

REMEMBERED: Final = 64_000_000
"""Bytes of results kept, so that an image that many jobs share is worked on once."""
_CPUS: Final[RunVar[anyio.CapacityLimiter]] = RunVar("headway_image_threads")


class ImagesTool:
    """Converts, resizes and recompresses what the rule ``images`` found."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._known: OrderedDict[tuple[bytes, int], Refit] = OrderedDict()
        self._room = remembered

    @property
    def name(self) -> str:
        """As in `Finding.tool`."""
        return TOOL

    async def mend(self, body: Body, findings: Sequence[Finding], kind: ErrorKind | None) -> Mended:
        """The body with every image mended that a finding names.

        A finding names the pixels a side that are accepted (the API's own number, if it gave one). After
        ``IMAGE_TOO_LARGE`` without such a finding every image is brought to 2000 px a side. Raises
        `UnrepairableError`.
        """
        images = images_of(body)
        reasons = _reasons(findings)
        bounds = [finding.bound for finding in findings if finding.bound is not None]
        side = min(bounds, default=side_limit(len(images)))
        if kind is ErrorKind.IMAGE_TOO_LARGE and not bounds:
            side = CROWD_SIDE
            reasons = reasons or _suspects(images)
        asked = [part for part in images if part.path in reasons]
        if not asked:
            return Mended(body, ())
        _require_pillow()
        blocks, changes = dict[str, Mapping[str, object]](), list[Change]()
        for part, result in zip(asked, await self._all(asked, side), strict=True):
            if isinstance(result, UnrepairableError):
                raise UnrepairableError(f"{part.path}: the image {result}")
            blocks[part.path] = part.with_source(
                type="base64", media_type=result.media_type, data=result.data
            )
            changes.append(Change(NAME, part.path, reasons[part.path], result.old, result.new))
        mended = unbound(replaced(body, blocks), NAME, blocks)
        return Mended(mended.body, (*changes, *mended.changes))

    async def release(self, changes: Sequence[Change]) -> None:
        """Nothing is held for a single job."""

    async def _all(self, parts: Sequence[Part], side: int) -> list[Refit | UnrepairableError]:
        """Results in the order of the parts."""
        results: dict[int, Refit | UnrepairableError] = {}

        async def one(index: int, data: str) -> None:
            try:
                results[index] = await self._one(data, side)
            except UnrepairableError as error:
                results[index] = error

        async with anyio.create_task_group() as group:
            for index, part in enumerate(parts):
                group.start_soon(one, index, part.data or "")
        return [results[index] for index in range(len(parts))]

    async def _one(self, data: str, side: int) -> Refit:
        from headway.adapters.images.refit import refit

        digest = await anyio.to_thread.run_sync(_digest, data, limiter=_threads())
        if found := self._known.get((digest, side)):
            self._known.move_to_end((digest, side))
            return found
        result = await anyio.to_thread.run_sync(refit, data, side, MOST_BASE64, limiter=_threads())
        self._remember((digest, side), result)
        return result

    def _remember(self, key: tuple[bytes, int], result: Refit) -> None:
        if key in self._known:  # the same image twice in one request
            return
        self._known[key] = result
        self._room -= len(result.data)
        while self._room < 0:
            self._room += len(self._known.popitem(last=False)[1].data)


def _reasons(findings: Sequence[Finding]) -> dict[str, str]:
    """Why each image cannot stay as it is, by path."""
    reasons: dict[str, str] = {}
    for finding in findings:
        if finding.tool == TOOL:
            before = reasons.get(finding.path)
            reasons[finding.path] = f"{before}; {finding.problem}" if before else finding.problem
    return reasons


def _suspects(images: Sequence[Part]) -> dict[str, str]:
    """After a refusal that the check had not foreseen: what is not certainly small."""
    found = {
        part.path: "the API refused the image as too large"
        for part in images
        if part.data is not None and max(pixels(part.data) or (CROWD_SIDE + 1,)) > CROWD_SIDE
    }
    if not found:
        raise UnrepairableError(
            f"every image in the request itself has at most {CROWD_SIDE} pixels a side; one given by URL or file "
            "id is too large"
        )
    return found


def _require_pillow() -> None:
    try:
        import PIL  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise UnrepairableError("images are repaired with Pillow: pip install 'headway[images]'") from None


def _threads() -> anyio.CapacityLimiter:
    """One thread a CPU, in every event loop."""
    try:
        return _CPUS.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
        _CPUS.set(limiter)
        return limiter


def _digest(data: str) -> bytes:
    return hashlib.sha256(data.encode("ascii", "replace")).digest()
