"""The access token of a client with a credential provider: when a 401 is worth another attempt.

The SDK fetches a new token after a 401 inside its own retries only, and those are off. Here the first 401 of
a token makes the client forget it, and the attempts that it was used for are told to try again; if the token
fetched after that is refused before it was ever accepted, the credential itself is not good.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure

STATIC: Final = -1
"""The token's number for a client whose key never changes."""


class TokenSource:
    """Counts the tokens of a client; a static key has none."""

    def __init__(self, client: object) -> None:
        self._cache = getattr(client, "_token_cache", None)  # SDK 2.12 has no public name for it
        self._number = STATIC if self._cache is None else 0
        self._accepted = False

    @property
    def current(self) -> int:
        """The number of the token that the next request goes with."""
        return self._number

    def accept(self, number: int) -> None:
        """The API took this token."""
        self._accepted = self._accepted or (number == self._number and number != STATIC)

    def refuse(self, number: int) -> bool:
        """The API answered 401 to this token. True: another one is there, or will be fetched."""
        if self._cache is None:
            return False
        if number != self._number:
            return True  # others were refused first, and a newer one is in use
        if number > 0 and not self._accepted:
            return False
        self._cache.invalidate()
        self._number += 1
        self._accepted = False
        return True

    def judge(self, number: int, failure: Failure) -> Failure:
        """A request with this token has failed: with a 401 that a new token may mend, it is another failure."""
        if failure.status != HTTPStatus.UNAUTHORIZED:
            if failure.request_id is not None:  # the API itself answered, so it knew the caller
                self.accept(number)
            return failure
        if failure.kind is not ErrorKind.AUTHENTICATION or not self.refuse(number):
            return failure
        return replace(failure, kind=ErrorKind.STALE_TOKEN, scope=Scope.JOB)
