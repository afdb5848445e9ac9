"""What headway does about a kind of failure, in words: made from the row's data, so that it cannot lie."""

from __future__ import annotations

from headway.core.error_kind import Backoff, ErrorKind, KindRow, Scope
from headway.core.retry import RetryPolicy


def conduct(row: KindRow) -> str:
    """One or two sentences: what headway does when a request fails this way (with the default policy)."""
    if row.kind is ErrorKind.DEADLINE:
        return "Ends the job as expired."
    said = [_answer(row)]
    if row.maybe_billed:
        said.append("The attempt may be billed without an answer that reached us, and is counted as such.")
    return " ".join(said)


def _answer(row: KindRow) -> str:
    if row.throttle:
        bound = _span(RetryPolicy().max_throttle_wait)
        return (
            "Sends the request again when the budget has room; such waiting uses up no attempt and is bounded by "
            f"the deadline or {bound} in all. Retry-After is a minimum."
        )
    if row.attempts > 1:
        return f"Sends the request again, {row.attempts} attempts in all, after {_waits(row.backoff)}."
    if row.scope is not Scope.JOB:
        return (
            f"Sends nothing more to this {row.scope.value}: says so once, and ends its queued jobs resumably "
            "(a journal keeps them) until scheduler.resume()."
        )
    if row.resumable:
        return "Ends the job resumably: a journal keeps it queued."
    return "Fails the job at once; the others go on."


def _waits(backoff: Backoff) -> str:
    if backoff.schedule:
        steps = ", ".join(f"{step:g}" for step in backoff.schedule)
        return f"waits of {steps} s (a random share of up to half is left out)"
    return f"random waits below {backoff.base:g} s, doubling up to {backoff.cap:g} s (full jitter)"


def _span(seconds: float) -> str:
    return "one hour" if seconds == 3600 else f"{seconds:g} s"
