"""What the rules take for parameters of the API is what the SDK takes."""

from __future__ import annotations

import inspect

from anthropic.resources.beta.messages import AsyncMessages as BetaMessages
from anthropic.resources.messages import AsyncMessages
from parameter_bodies import ask, warnings

from headway.core.request import CALL_OPTIONS
from headway.preflight.rules.parameters import BETA, ELSEWHERE, KNOWN


def names_of(function: object) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"} - CALL_OPTIONS  # type: ignore[arg-type]


def test_every_parameter_of_the_sdk_is_known_and_no_other() -> None:
    assert names_of(AsyncMessages.create) == KNOWN
    beta = names_of(BetaMessages.create) - KNOWN
    assert beta <= BETA, beta - BETA


def test_names_of_other_apis_are_not_those_of_this_one() -> None:
    assert not ELSEWHERE.keys() & (KNOWN | BETA)
    for name in ELSEWHERE:
        assert warnings(ask(**{name: 1})) == [f"parameters:{name}"]
