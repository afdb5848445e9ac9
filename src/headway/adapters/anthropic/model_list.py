"""The API's list of models, for advice on one that does not exist: asked once, kept for an hour."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal

import anyio

from headway.core.model_advice import KnownModel, built_in

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import ModelInfo

log: Final = logging.getLogger("headway")
KEPT: Final = 3600.0
"""Seconds for which a list is good."""
PATIENCE: Final = 5.0
"""Seconds to wait for it; after that the built-in table has to do, for as long as a list would."""
_LIFECYCLES: Final[list[Literal["active", "deprecated", "retired"]]] = ["active", "deprecated", "retired"]


class ModelList:
    """``models.list`` of one client."""

    def __init__(self, client: AsyncAnthropic) -> None:
        self._client = client
        self._models: tuple[KnownModel, ...] = ()
        self._until = 0.0
        self._asking: anyio.Event | None = None

    async def known(self) -> tuple[KnownModel, ...]:
        """The models; who asks while the question is under way waits for the same answer. Raises nothing."""
        while self._asking is not None:
            await self._asking.wait()
        if anyio.current_time() >= self._until or not self._models:
            self._asking = anyio.Event()
            try:
                self._models = await self._ask()
                self._until = anyio.current_time() + KEPT
            finally:
                asking, self._asking = self._asking, None
                asking.set()
        return self._models

    async def _ask(self) -> tuple[KnownModel, ...]:
        try:
            with anyio.fail_after(PATIENCE):
                page = await self._client.models.list(limit=1000, lifecycle=_LIFECYCLES, timeout=PATIENCE)
            return tuple(_known(info) for info in page.data) or built_in()
        except Exception as error:  # noqa: BLE001 - a gateway need not have the list, and advice is not worth a fault
            log.debug("no list of models: %s", type(error).__name__)
            return built_in()


def _known(info: ModelInfo) -> KnownModel:
    """Fields that a gateway leaves out are ``None`` whatever the SDK's types say."""
    created, retires = info.created_at, info.retires_at
    return KnownModel(
        str(info.id),
        info.line,
        info.lifecycle or "active",
        str(created or ""),
        str(retires)[:10] if retires else None,
    )
