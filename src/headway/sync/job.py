"""A submitted job, for threads that wait instead of awaiting."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from headway.runtime.handle import Job as AsyncJob
from headway.runtime.handle import Outcome
from headway.sync.bridge import Bridge

if TYPE_CHECKING:
    from anthropic.types import Message

    from headway.core.job import Attempt, JobState

MessageT = TypeVar("MessageT", bound="Message", covariant=True)


class Job(Generic[MessageT]):
    """``job.result(timeout)`` gives the message. Safe from several threads."""

    def __init__(self, job: AsyncJob[MessageT], bridge: Bridge) -> None:
        """To be made in the scheduler's loop; `headway.sync.Scheduler.submit` does it."""
        self._job = job
        self._bridge = bridge
        self._ended: Future[Outcome[MessageT]] = Future()
        job.add_done_callback(self._ended.set_result, observe=False)

    @property
    def key(self) -> str:
        """Identity in journal and output: the ``custom_id`` where one was given."""
        return self._job.key

    @property
    def state(self) -> JobState:
        """Where the job is now."""
        return self._job.state

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The requests sent so far, each with its failure."""
        return self._job.attempts

    def done(self) -> bool:
        """It has its outcome."""
        return self._ended.done()

    def cancel(self) -> bool:
        """Take the job back, queued or running; false if it has ended already."""
        return not self.done() and self._bridge.call(self._job.cancel)

    def result(self, timeout: float | None = None) -> MessageT:
        """Wait for the message, at most ``timeout`` seconds; raises what ``await job`` would, or TimeoutError
        when the job has not ended (it goes on: `cancel` it if you do not want it any more)."""
        return self.outcome(timeout).result()

    def outcome(self, timeout: float | None = None) -> Outcome[MessageT]:
        """Wait for the end; raises nothing for a failed job, and TimeoutError after ``timeout`` seconds."""
        if not self._ended.done():
            self._bridge.require_process()
        try:
            outcome = self._ended.result(timeout)
        except TimeoutError:
            raise TimeoutError(f"job {self.key} has not ended within {timeout:g} s, and goes on") from None
        self._job.add_done_callback(_seen)
        return outcome

    def __repr__(self) -> str:
        return f"<Job {self.key} {self.state.value}>"


def _seen(outcome: Outcome[Message]) -> None:
    """Somebody looked at the outcome: it need not be logged as a failure that nobody awaited."""
