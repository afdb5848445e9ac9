"""Dead scopes: what a failure stops beyond its own job, and which requests that concerns.

A job alone never dies as a scope. A workspace or profile that a request does not name is its key's own: a
limit of the key's own workspace is therefore the account's, as far as this scheduler can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from headway.core.error_kind import Scope
from headway.core.failure import Failure
from headway.core.request import Request

WORKSPACE_HEADER: Final = "anthropic-workspace-id"
_NAMED: Final[dict[Scope, tuple[str, str]]] = {
    Scope.PROFILE: ("user_profile_id", "anthropic-user-profile-id"),
    Scope.WORKSPACE: ("workspace_id", WORKSPACE_HEADER),
}
"""The parameter of ``messages.create`` that names one, and the header it travels in."""
NAMING_HEADERS: Final = frozenset(header for _, header in _NAMED.values())
"""The headers (lower case) that a scope depends on."""


@dataclass(frozen=True, slots=True, order=True)
class DeadScope:
    """The account, a workspace, a profile or a model that is not sent to until ``scheduler.resume()``."""

    scope: Scope
    name: str = ""
    """Model, profile or workspace id; empty for the account."""

    def concerns(self, request: Request) -> bool:
        """Whether a request would be sent to it."""
        return self.scope is Scope.ACCOUNT or _name(self.scope, request) == self.name

    def __str__(self) -> str:
        return "the account" if self.scope is Scope.ACCOUNT else f"{self.scope.value} {self.name}"


ACCOUNT: Final = DeadScope(Scope.ACCOUNT)


def scope_for(failure: Failure, request: Request) -> DeadScope | None:
    """What dies by this failure of this request; ``None``: nothing but its job."""
    if failure.scope is Scope.JOB:
        return None
    if failure.scope is Scope.ACCOUNT:
        return ACCOUNT
    if name := _name(failure.scope, request):
        return DeadScope(failure.scope, name)
    return ACCOUNT if failure.scope is Scope.WORKSPACE else None


@dataclass(frozen=True, slots=True)
class DeadScopes:
    """All dead scopes, each with the failure that showed it; a new value for every change."""

    failures: Mapping[DeadScope, Failure] = field(default_factory=dict[DeadScope, Failure])

    def add(self, scope: DeadScope, failure: Failure) -> DeadScopes:
        """With one more, or with another failure for one."""
        return DeadScopes({**self.failures, scope: failure})

    def remove(self, scope: DeadScope) -> DeadScopes:
        """Without one, dead or not."""
        return DeadScopes({other: failure for other, failure in self.failures.items() if other != scope})

    @property
    def account(self) -> Failure | None:
        """Why nothing at all is sent."""
        return self.failures.get(ACCOUNT)

    def failure_for(self, request: Request) -> Failure | None:
        """Why this request is not sent; the widest scope speaks. ``None``: it may be sent."""
        if not self.failures:
            return None
        found = (self.failures.get(scope) for scope in _scopes_of(request))
        return next((failure for failure in found if failure is not None), None)


def _scopes_of(request: Request) -> Iterator[DeadScope]:
    """What a request depends on, widest first."""
    yield ACCOUNT
    for scope in (Scope.WORKSPACE, Scope.PROFILE, Scope.MODEL):
        if name := _name(scope, request):
            yield DeadScope(scope, name)


def _name(scope: Scope, request: Request) -> str:
    if scope is Scope.MODEL:
        return str(request.params.get("model", ""))
    parameter, header = _NAMED[scope]
    given = request.params.get(parameter)
    if isinstance(given, str):
        return given
    headers = request.options.get("extra_headers")
    if isinstance(headers, Mapping):
        for name, value in cast("Mapping[object, object]", headers).items():
            if str(name).lower() == header and isinstance(value, str):
                return value
    return ""
