"""How the grant of a failed attempt ends: what the budget is told."""

from __future__ import annotations

from typing import Final

from headway.core.error_kind import ErrorKind
from headway.core.reservation import Refusal, RefusalKind
from headway.ports import Grant, Rejection

_REFUSALS: Final = {
    ErrorKind.RATE_LIMIT: RefusalKind.RATE,
    ErrorKind.RAMP_LIMIT: RefusalKind.RAMP,
    ErrorKind.CONCURRENCY_LIMIT: RefusalKind.CONCURRENCY,
    ErrorKind.OVERLOADED: RefusalKind.OVERLOAD,
}


def end_grant(grant: Grant, rejection: Rejection, now: float, jitter: float) -> float:
    """End the grant of a failed attempt as its failure says; the seconds the budget asks this job to wait."""
    failure = rejection.failure
    if failure.row.throttle:
        # The store reads the report with the refusal: what it says of the level must not come before it.
        refusal = Refusal(_REFUSALS[failure.kind], failure.retry_after, rejection.report)
        return grant.refuse(refusal, now, jitter)
    if rejection.report:
        grant.observe(rejection.report, now)
    if rejection.usage is not None:
        grant.settle(rejection.usage, now)
    elif failure.maybe_billed or failure.kind is ErrorKind.INTERNAL:
        grant.forfeit(now)
    else:
        grant.release(now)
    return 0.0
