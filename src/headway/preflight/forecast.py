"""What a run will send of the requests it is given: identical ones once if asked, breakpoints where it would place
them, each prefix written once and read by the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from headway.core.account_limits import ToldLimits
from headway.core.cache_forecast import NO_USE, CacheForecast
from headway.core.cache_prefix import cache_prefixes
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.estimate import Counted, Estimate, EstimateTally
from headway.core.id_set import IdSet
from headway.core.request import Request
from headway.core.tokens import measure
from headway.preflight.cache_auto import CachePlacer
from headway.preflight.facts import Facts, facts_for

AHEAD: Final = 256
"""Requests that are known before the first of them is sent, as in a run, where a window is read ahead."""
AHEAD_CHARACTERS: Final = 20_000_000
"""… as long as they are no longer together."""


class _Waiting(NamedTuple):
    request: Request
    characters: int
    repeated: bool


class Forecast:
    """Adds up requests in the order in which a run would read them. Memory stays bounded (16 to 32 bytes for the
    content of each)."""

    def __init__(self, catalog: Catalog = BUILT_IN, *, auto: bool = False, dedupe: bool = False) -> None:
        """``auto``: headway places breakpoints (``cache="auto"``); ``dedupe``: repeated requests are not sent."""
        self._catalog = catalog
        self._tally = EstimateTally(catalog, dedupe=dedupe)
        self._dedupe = dedupe
        self._contents = IdSet()
        self._cache = CacheForecast()
        self._placer = CachePlacer() if auto else None
        self._ahead: deque[_Waiting] = deque()
        self._characters = 0
        self._facts: dict[str, Facts] = {}

    def answered(self, content: str) -> None:
        """There is an answer to a request with this hash (`Request.content_hash`) already."""
        self._contents.add(content)

    def add(self, request: Request) -> bool:
        """One more request; false if it would not be sent, because another one has its content."""
        repeated = not self._contents.add(request.content_hash())
        if self._placer is None:
            self._take(request, repeated=repeated)
        else:
            self._placer.observe((request.params,), self._facts_of(request))
            self._ahead.append(_Waiting(request, measure(request.params).characters, repeated))
            self._characters += self._ahead[-1].characters
            while len(self._ahead) > AHEAD or (self._characters > AHEAD_CHARACTERS and self._ahead):
                self._place(self._placer)
        return not (repeated and self._dedupe)

    def result(
        self,
        *,
        expected_output: float | None = None,
        limits: ToldLimits | None = None,
        counted: Mapping[str, Counted] | None = None,
    ) -> Estimate:
        """What they come to, as of `EstimateTally.result`."""
        while self._placer is not None and self._ahead:
            self._place(self._placer)
        return self._tally.result(expected_output=expected_output, limits=limits, counted=counted)

    def _place(self, placer: CachePlacer) -> None:
        """It is the oldest one's turn: what is shared is told by those behind it, too."""
        waiting = self._ahead.popleft()
        self._characters -= waiting.characters
        placed = placer.place(waiting.request.params, self._facts_of(waiting.request))
        self._take(waiting.request, placed.body if placed.changes else None, repeated=waiting.repeated)

    def _take(
        self, request: Request, placed: Mapping[str, object] | None = None, *, repeated: bool = False
    ) -> None:
        body = request.params if placed is None else placed
        asked = placed is not None or measure(body).cached
        use = self._cache.use(cache_prefixes(body, self._catalog)) if asked else NO_USE
        sized = request if placed is None else replace(request, params=body)
        self._tally.add(sized, use, placed=placed is not None, repeated=repeated)

    def _facts_of(self, request: Request) -> Facts:
        model = request.model
        facts = self._facts.get(model)
        if facts is None:
            if len(self._facts) >= AHEAD:
                self._facts.clear()
            facts = self._facts[model] = facts_for(request.params, catalog=self._catalog)
        return facts
