"""Dead scopes: whom a failure of a request concerns, and which requests are not sent after it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.error_kind import Scope
from headway.core.failure import ErrorResponse, Failure, classify
from headway.core.request import Request
from headway.core.scopes import ACCOUNT, DeadScope, DeadScopes, scope_for

MODEL_404 = classify(ErrorResponse(404, "not_found_error", None, "model: m"))
PROFILE_403 = classify(ErrorResponse(403, "permission_error", "user_profile_not_billable"))
WORKSPACE_400 = classify(
    ErrorResponse(400, "invalid_request_error", None, "reached your specified workspace API usage limits")
)
BILLING = classify(ErrorResponse(402, "billing_error"))
PLAIN_400 = classify(ErrorResponse(400, "invalid_request_error", None, "max_tokens: wrong"))


def request(model: str = "m", headers: dict[str, str] | None = None, **params: object) -> Request:
    options = {} if headers is None else {"extra_headers": headers}
    return Request({"model": model, "max_tokens": 1, **params}, options)


@pytest.mark.parametrize(
    ("failure", "of", "dead"),
    [
        (PLAIN_400, request(), None),
        (BILLING, request(user_profile_id="p"), ACCOUNT),
        (MODEL_404, request("m"), DeadScope(Scope.MODEL, "m")),
        (PROFILE_403, request(user_profile_id="p"), DeadScope(Scope.PROFILE, "p")),
        (
            PROFILE_403,
            request(headers={"Anthropic-User-Profile-Id": "p"}),
            DeadScope(Scope.PROFILE, "p"),
        ),
        (PROFILE_403, request(), None),
        (WORKSPACE_400, request(workspace_id="w"), DeadScope(Scope.WORKSPACE, "w")),
        (WORKSPACE_400, request(), ACCOUNT),
    ],
)
def test_what_dies_by_a_failure(failure: Failure, of: Request, dead: DeadScope | None) -> None:
    assert scope_for(failure, of) == dead
    if dead is not None:
        assert dead.concerns(of)


def test_a_dead_scope_names_itself() -> None:
    assert str(ACCOUNT) == "the account"
    assert str(DeadScope(Scope.MODEL, "claude-x")) == "model claude-x"


def test_others_are_sent_all_the_same() -> None:
    dead = DeadScopes().add(DeadScope(Scope.MODEL, "m"), MODEL_404)
    assert dead.failure_for(request("m")) is MODEL_404
    assert dead.failure_for(request("other")) is None
    assert dead.account is None
    dead = dead.add(DeadScope(Scope.PROFILE, "p"), PROFILE_403)
    assert dead.failure_for(request("other", user_profile_id="p")) is PROFILE_403
    assert dead.failure_for(request("other", user_profile_id="q")) is None
    dead = dead.add(ACCOUNT, BILLING)
    assert dead.failure_for(request("m")) is BILLING, "the widest speaks"
    assert dead.remove(ACCOUNT).failure_for(request("m")) is MODEL_404
    assert dead.remove(DeadScope(Scope.MODEL, "never")) == dead


NAMES = st.sampled_from(["a", "b"])
REQUESTS = st.builds(
    lambda model, profile, workspace: request(
        model, **{k: v for k, v in (("user_profile_id", profile), ("workspace_id", workspace)) if v}
    ),
    NAMES,
    st.none() | NAMES,
    st.none() | NAMES,
)
SCOPES = st.just(ACCOUNT) | st.builds(
    DeadScope, st.sampled_from([Scope.MODEL, Scope.PROFILE, Scope.WORKSPACE]), NAMES
)


@given(st.lists(SCOPES, max_size=4), REQUESTS)
def test_a_request_is_stopped_exactly_by_the_scopes_that_concern_it(
    scopes: list[DeadScope], asked: Request
) -> None:
    dead = DeadScopes()
    for scope in scopes:
        dead = dead.add(scope, BILLING)
    assert (dead.failure_for(asked) is not None) == any(scope.concerns(asked) for scope in scopes)
