"""The catalogue as the Models API tells it, asked for when it is needed and kept for a day.

Nothing waits for it that could be sent: it is asked after a 404, and by the commands that look before they send.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from anyio import to_thread

from headway.adapters.anthropic.models_cache import DAY, ModelsCache, cache_folder, is_off
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.listed_model import ListedModel
from headway.core.model_suggestion import suggest

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import ModelInfo

log: Final = logging.getLogger("headway")
TIMEOUT: Final = 20.0
"""Seconds for the whole listing."""
PAUSE: Final = 300.0
"""Seconds after a failure in which it is not asked again: a thousand jobs may want to know."""
_THINKING: Final = ("adaptive", "between_tools", "disabled", "enabled")


class AnthropicModels:
    """The models that one client can use."""

    def __init__(
        self,
        client: AsyncAnthropic,
        base: Catalog = BUILT_IN,
        *,
        ask: bool = True,
        cache: ModelsCache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._base = base
        self._clock = clock
        self._cache = cache or ModelsCache(str(client.base_url), cache_folder())
        self._lock = anyio.Lock()
        self._ask_from = 0.0 if ask and not is_off() else float("inf")
        self.catalog = base
        """What is known now."""

    async def refresh(self) -> Catalog:
        """The catalogue as of today: from this process, from disk, or from the API, whichever is not older than
        a day. Where the API cannot be asked it stays what it is; nothing is raised."""
        if self._clock() < self._ask_from:
            return self.catalog
        async with self._lock:
            if self._clock() >= self._ask_from:
                await self._refresh()
        return self.catalog

    async def remembered(self) -> Catalog:
        """The catalogue as far as it was listed within the last day, by any process. Asks nobody."""
        if self._clock() < self._ask_from:
            return self.catalog
        told = await to_thread.run_sync(self._cache.read, self._clock())
        return self.catalog if told is None else self._corrected(told, self._clock())

    async def suggest(self, model: str) -> str:
        """What to use in place of a model that does not answer, by a fresh catalogue if there is one."""
        return suggest(model, await self.refresh())

    async def _refresh(self) -> None:
        now = self._clock()
        told = await to_thread.run_sync(self._cache.read, now)
        if told is None:
            try:
                with anyio.fail_after(TIMEOUT):
                    told = await list_models(self._client)
            except Exception as error:  # noqa: BLE001 - an API without models, an outage: what is known serves
                log.debug("the models could not be listed: %s", type(error).__name__)
            if not told:
                self._ask_from = now + PAUSE
                return
            await to_thread.run_sync(self._cache.write, told, now)
        self.catalog = self._corrected(told, now)
        self._ask_from = now + DAY

    def _corrected(self, told: tuple[ListedModel, ...], now: float) -> Catalog:
        return self._base.with_models(told, time.strftime("%Y-%m-%d", time.gmtime(now)))


async def list_models(client: AsyncAnthropic) -> tuple[ListedModel, ...]:
    """Every model the API lists, the retired ones with them. Raises what the SDK raises; an API without a models
    endpoint (Bedrock, Vertex, Foundry) has none."""
    models = cast("Any", getattr(client.with_options(max_retries=0), "models", None))
    if models is None:
        return ()
    try:
        pages = models.list(limit=1000, lifecycle=["active", "deprecated", "retired"])
        return tuple([listed(model) async for model in pages])
    except Exception as error:
        if getattr(error, "status_code", None) not in {400, 422}:
            raise
    return tuple(
        [listed(model) async for model in models.list(limit=1000)]
    )  # a gateway with fewer parameters


def listed(model: ModelInfo) -> ListedModel:
    """The SDK's ModelInfo as a plain value; a gateway may leave out anything but the id."""
    capabilities = cast("object", getattr(model, "capabilities", None))
    return ListedModel(
        id=model.id,
        line=_text(getattr(model, "line", None)),
        lifecycle=_text(getattr(model, "lifecycle", None)) or "active",
        created=_day(getattr(model, "created_at", None)) or "",
        retires=_day(getattr(model, "retires_at", None)),
        window=_count(getattr(model, "max_input_tokens", None)),
        max_output=_count(getattr(model, "max_tokens", None)),
        thinking=_thinking(getattr(capabilities, "thinking", None)),
        images=_supported(getattr(capabilities, "image_input", None)),
        pdfs=_supported(getattr(capabilities, "pdf_input", None)),
    )


def _thinking(capability: object) -> tuple[str, ...] | None:
    types: object = getattr(capability, "types", None)
    told = {name: _supported(getattr(types, name, None)) for name in _THINKING}
    if all(supported is None for supported in told.values()):
        return None
    return tuple(name for name, supported in told.items() if supported)


def _supported(capability: object) -> bool | None:
    value: object = getattr(capability, "supported", None)
    return value if isinstance(value, bool) else None


def _day(moment: object) -> str | None:
    """An ISO date; 1970 stands for an unknown one."""
    if isinstance(moment, datetime) and moment.year > 1970:
        return moment.date().isoformat()
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
