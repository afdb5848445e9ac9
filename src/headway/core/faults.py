"""The root of headway's exceptions, and the one that pure code raises: a request that cannot be sent.

They are re-exported by `headway.errors`, which holds the others; core lies below it and cannot import it.
"""

from __future__ import annotations


class HeadwayError(Exception):
    """The root of headway's own exceptions."""


class RequestError(HeadwayError, ValueError):
    """A request that cannot be sent: names the field and the remedy. Raised at the call that built it."""

    def __init__(self, field_name: str, problem: str) -> None:
        super().__init__(f"{field_name}: {problem}")
        self.field = field_name
        self.problem = problem

    def __reduce__(self) -> tuple[type[RequestError], tuple[str, str]]:
        return type(self), (self.field, self.problem)
