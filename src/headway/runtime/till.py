"""Where a job's next attempt is paid for: no money, no turn. Asked by the dispatcher next to the budget."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headway.core.budget import Refusal, Wait
from headway.core.error_kind import ErrorKind
from headway.core.events import Failed, JobEvent
from headway.core.failure import Failure, failure_of
from headway.core.limits import LimitReport
from headway.core.spend import Hold
from headway.core.usage import Usage
from headway.errors import JournalError
from headway.ports import Grant
from headway.runtime.clock import loop_time
from headway.runtime.purse import Purse, unpriced

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.runtime.handle import Job

SPEND: Final = "spend"
"""The reason of a `Wait` for money that is reserved by others."""


class CappedPayment:
    """What one attempt of a job may cost, and once it has its turn the money for it."""

    __slots__ = ("_purse", "_request", "_sends", "hold", "most")

    def __init__(self, purse: Purse, job: Job[Message]) -> None:
        record = job.record
        request, sends = record.sending, len(record.attempts)
        # A stream that goes on after a break reads again what it had written.
        shown = request.max_tokens if job.guest is not None and sends else 0
        self._purse = purse
        self._request = request
        self._sends = sends
        self.most = purse.worst(request, shown=shown)
        """USD; ``None``: unknown."""
        self.hold: Hold | None = None

    def is_for(self, job: Job[Message]) -> bool:
        """Whether it is for the job's next attempt, and not for an earlier one or another request."""
        record = job.record
        return record.sending.params is self._request.params and len(record.attempts) == self._sends

    def pay(self, usage: Usage) -> None:
        """A whole answer came: it costs what it used."""
        if self.hold is not None:
            self.hold.settle(self._purse.cost(self._request.model, usage))

    def pay_broken(self, used: Usage) -> None:
        """An answer broke off: its input is known, and the API may have written on to the end. (The budget is
        told apart from this: it cares for what was seen.)"""
        if self.hold is not None:
            whole = replace(used, output=max(used.output, self._request.max_tokens))
            self.hold.forfeit(self._purse.cost(self._request.model, whole) if used.true_input else None)


class CappedGrant:
    """A grant whose end also settles what was reserved of the cap."""

    __slots__ = ("_grant", "_hold", "_payment")

    def __init__(self, grant: Grant, hold: Hold, payment: CappedPayment) -> None:
        self._grant = grant
        self._hold = hold
        self._payment = payment

    @property
    def scout(self) -> bool:
        """As the budget's."""
        return self._grant.scout

    def observe(self, report: LimitReport, now: float) -> None:
        """Told to the budget."""
        self._grant.observe(report, now)

    def settle(self, usage: Usage, now: float) -> None:
        """An answer came."""
        self._payment.pay(usage)
        self._grant.settle(usage, now)

    def release(self, now: float) -> None:
        """Nothing was used."""
        self._hold.release()
        self._grant.release(now)

    def forfeit(self, now: float) -> None:
        """Outcome unknown: the most counts as spent."""
        self._hold.forfeit()
        self._grant.forfeit(now)

    def refuse(self, refusal: Refusal, now: float, jitter: float) -> float:
        """429 or 529: no work was done."""
        self._hold.release()
        return self._grant.refuse(refusal, now, jitter)


class Till:
    """Reserves money for a job before its budget is asked."""

    def __init__(
        self,
        purse: Purse,
        *,
        halt: Callable[[Failure], None],
        discard: Callable[[Job[Message]], bool],
        finish: Callable[[Job[Message], JobEvent], None],
    ) -> None:
        self.purse = purse
        self._halt = halt
        self._discard = discard
        self._finish = finish
        self._halted_on: int | None = None
        self.short = False
        """Somebody waits for money that is reserved: every end of an attempt is news."""

    async def reserve(self, job: Job[Message], ask: Callable[[], Awaitable[Grant | Wait]]) -> Grant | Wait:
        """Reserve money and then, by ``ask``, budget: both or none."""
        payment = job.payment
        if not isinstance(payment, CappedPayment) or not payment.is_for(job):
            job.payment = payment = CappedPayment(self.purse, job)
        hold = await self._hold(job, payment.most)
        if isinstance(hold, Wait):
            return hold
        try:
            granted = await ask()
        except BaseException:
            hold.release()
            raise
        if isinstance(granted, Wait):
            hold.release()
            return granted
        payment.hold = hold
        return CappedGrant(granted, hold, payment)

    async def _hold(self, job: Job[Message], most: float | None) -> Hold | Wait:
        if (
            most is None
        ):  # a follow-up or a repair changed the model: requests as given were asked about at the call
            error = unpriced(job.record.sending.model)
            if self._discard(job):
                failure = failure_of(ErrorKind.INVALID_REQUEST, str(error))
                self._finish(job, Failed(loop_time(), failure))
            return Wait(math.inf, SPEND)
        try:
            hold = await self.purse.take(most)
        except JournalError as error:
            self._halt(failure_of(ErrorKind.JOURNAL, str(error)))
            return Wait(math.inf, SPEND)
        if hold is not None:
            return hold
        self.short = True
        if not self.purse.open_holds:
            self.stop(most)
        return Wait(self.purse.seconds_to_renewal, SPEND)

    def stop(self, most: float) -> None:
        """The next attempt may cost this much, and there is not so much left: the run ends resumably."""
        self._halted_on = self.purse.day
        self._halt(self._exhausted(most))

    def _exhausted(self, most: float) -> Failure:
        status = self.purse.status()
        where = "today (UTC)" if status.per == "day" else "in this run"
        text = f"{_usd(status.spent)} of the cap of {_usd(status.cap)} {where} is spent"
        if status.unanswered:
            text += f" ({_usd(status.unanswered)} of it for requests that may be billed without an answer)"
        text += f", and the next request may cost {_usd(most)}"
        return replace(failure_of(ErrorKind.SPEND_CAP, text), resumes_at=self.purse.renewed_at)

    def renewed(self) -> bool:
        """Once after a new day has begun over a run that the cap had stopped: true."""
        if self._halted_on is None or self.purse.renewed_at is None or self.purse.day == self._halted_on:
            return False
        self._halted_on = None
        return True


def _usd(value: float) -> str:
    """Cents, or as many digits as a small sum needs."""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.6f}"
