"""What headway does about each kind of failure, in words made from the table's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headway.core.error_kind import ErrorKind, KindRow, Scope
from headway.core.retry import RetryPolicy

_OWN: Final[dict[ErrorKind, str]] = {
    ErrorKind.STALE_TOKEN: "Asks the client's credential provider for a new token before the next attempt.",
    ErrorKind.RAMP_LIMIT: "The budget of that model climbs more slowly afterwards.",
    ErrorKind.OVERLOADED: "The circuit of that model's budget opens; single probes go until one is answered.",
    ErrorKind.DEADLINE: "Ends the job as expired; an attempt under way is cut off.",
    ErrorKind.STOPPED: "Ends the job resumably; a journal keeps it queued.",
}
"""What no column of the table says."""


def conduct(row: KindRow) -> str:
    """What headway does about a failure of this kind."""
    return " ".join(_sentences(row))


def _sentences(row: KindRow) -> Iterator[str]:
    if row.throttle:
        yield f"Waits as long as the budget and Retry-After ask, {_patience()}, without using up an attempt."
    elif row.attempts > 1:
        yield f"Tries again, {row.attempts} attempts in all, {_waits(row)}; Retry-After is a minimum."
    if row.kind in _OWN:
        yield _OWN[row.kind]
    if row.narrows:
        yield "Fewer requests are in flight from then on, and slowly more again."
    if row.streams:
        yield "The next attempt is streamed inside."
    if row.attempts == 1 and not row.throttle and row.kind not in _OWN:
        yield from _final(row)
    if row.maybe_billed:
        yield "The attempt is counted as perhaps billed."


def _final(row: KindRow) -> Iterator[str]:
    """Kinds that are never tried again."""
    if row.scope is Scope.ACCOUNT:
        yield (
            "Sends nothing more: all queued jobs end resumably, with one message and an alert, until "
            "scheduler.resume()."
        )
    elif row.scope is Scope.JOB:
        yield "Fails the job at once; the others go on."
    else:
        yield _only(row.scope)
    for claim, scope in row.scopes:
        if scope is Scope.JOB:
            yield f"“{claim}” fails only its own job."
        else:
            yield f"“{claim}”: {_only(scope)}"


def _only(scope: Scope) -> str:
    return (
        f"Sends nothing more to that {scope.value}: its queued jobs end resumably, with one message and an alert, "
        "until scheduler.resume(); the others go on."
    )


def _patience() -> str:
    minutes = RetryPolicy().max_throttle_wait / 60
    return f"for {minutes:.0f} minutes of 429 and 529 together or until the deadline"


def _waits(row: KindRow) -> str:
    backoff = row.backoff
    if backoff.schedule:
        steps = ", ".join(f"{step:g}" for step in backoff.schedule)
        return f"after {steps} s (half of each is kept, half is jitter)"
    return f"after up to {backoff.base:g} s, doubled each time to at most {backoff.cap:g} s (full jitter)"
