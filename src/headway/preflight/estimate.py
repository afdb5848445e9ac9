"""``headway.estimate``: cost and time of many requests before any is sent, and what the API would refuse of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Literal

from headway.core.account_limits import ToldLimits
from headway.core.catalog import BUILT_IN, Catalog
from headway.core.estimate import Estimate
from headway.core.faults import RequestError
from headway.core.price import Price
from headway.core.request import build_request
from headway.preflight.check import check
from headway.preflight.facts import Facts, facts_for
from headway.preflight.finding import Severity
from headway.preflight.forecast import Forecast

PROBLEMS: Final = 10
"""Problems that are told in words; all are counted."""


def estimate(
    requests: Iterable[object],
    *,
    model: str | None = None,
    max_tokens: int | None = None,
    expected_output: float | None = None,
    limits: ToldLimits | None = None,
    prices: Mapping[str, Price] | None = None,
    catalog: Catalog | None = None,
    cache: Literal["auto"] | None = None,
    dedupe: bool = False,
    **params: object,
) -> Estimate:
    """What ``scheduler.map(requests, …)`` would cost and take. Nothing is sent, and memory stays bounded.

    ``requests`` as for ``map`` (read to its end, so an iterator is used up). ``expected_output``: tokens of a mean
    answer, for an expected cost beside the bound that ``max_tokens`` sets. ``limits`` lead to a time. ``cache`` and
    ``dedupe`` as for ``map``: what they spare is taken off, and ``plain`` has the sums without it. Breakpoints that
    stand in the requests are reckoned with in any case.

    What is no request is counted in ``unsendable``, what the API would refuse in ``refused``. Raises `ValueError` for
    an ``expected_output`` below 0, and for another ``cache``.
    """
    if cache not in (None, "auto"):
        raise ValueError(f'cache must be "auto" or None, not {cache!r}')
    if expected_output is not None and not 0 <= expected_output < math.inf:
        raise ValueError(f"expected_output must be 0 tokens or more, not {expected_output!r}")
    known = (catalog or BUILT_IN).with_prices(prices or {})
    defaults = {
        name: value for name, value in (("model", model), ("max_tokens", max_tokens)) if value is not None
    }
    forecast, notes = Forecast(known, auto=cache is not None, dedupe=dedupe), _Notes(known)
    for number, item in enumerate(requests):
        try:
            request = build_request(item, defaults, params, catalog=known)
        except RequestError as error:
            notes.unsendable(number, error)
            continue
        if forecast.add(request):
            notes.look(number, request.params)
    found = forecast.result(expected_output=expected_output, limits=limits)
    return replace(found, refused=notes.refused, unsendable=notes.faults, problems=tuple(notes.problems))


class _Notes:
    """What is wrong with requests, by their place."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._facts: dict[str, Facts] = {}
        self.refused = 0
        self.faults = 0
        self.problems: list[str] = []

    def unsendable(self, number: int, error: RequestError) -> None:
        """It is no request."""
        self.faults += 1
        self._note(number, str(error))

    def look(self, number: int, body: Mapping[str, object]) -> None:
        """Preflight."""
        model = str(body.get("model"))
        facts = self._facts.get(model)
        if facts is None:
            facts = facts_for(body, self._catalog.as_of, self._catalog)
            if len(self._facts) < PROBLEMS * PROBLEMS:
                self._facts[model] = facts
        errors = [finding for finding in check(body, facts) if finding.severity is Severity.ERROR]
        if errors:
            self.refused += 1
            self._note(number, str(errors[0]))

    def _note(self, number: int, problem: str) -> None:
        if len(self.problems) < PROBLEMS:
            self.problems.append(f"request {number}: {problem}")
