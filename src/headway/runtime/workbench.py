"""Where jobs are mended: first what the rules do by themselves, then what tools do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from headway.core.amendment import Amendment, Params
from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.events import Failed, JobEvent, Repaired
from headway.core.failure import Failure, failure_of
from headway.core.request import Request, RequestError
from headway.core.tokens import measure
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, UnrepairableError
from headway.preflight.tool import Tool
from headway.runtime.clock import loop_time
from headway.runtime.fault import is_fault
from headway.runtime.handle import Job
from headway.runtime.inspector import Inspector, needs_tool
from headway.runtime.policies import Count

if TYPE_CHECKING:
    from anthropic.types import Message

log: Final = logging.getLogger("headway")
ROUNDS: Final = 4
"""Tools may take turns: an image is converted, then the body is still too large. So often at most."""
RELEASE_SECONDS: Final = 30.0
"""Time for a tool to clean up after one job."""


COUNT_SECONDS: Final = 10.0
"""A job waits so long for the count of its tokens, or a fourth of what is left to its deadline."""


class Workbench:
    """Mends one job at a time for whoever asks, and says by an event what came of it."""

    def __init__(
        self, inspector: Inspector, tools: Callable[[str], Tool], count: Count | None = None
    ) -> None:
        self._inspector = inspector
        self._tools = tools
        self._count = count

    def has_work(self, job: Job[Message]) -> bool:
        """A new job needs a tool, or its tokens have to be counted before it can be judged."""
        own = job.terms.repair
        if needs_tool(job.findings, self._inspector.policy_of(own)):
            return True
        return self._count is not None and self._inspector.is_undecided(
            job.record.sending.params, job.size, own
        )

    def mend_at_once(self, job: Job[Message], failure: Failure) -> JobEvent:
        """What the rules make of a refused request without a tool."""
        try:
            mended = self._inspector.mend_after(job.record.sending.params, failure, job.terms.repair)
        except UnrepairableError as error:
            return Failed(loop_time(), _because(failure, error))
        return _outcome_of(mended.body, mended.changes, failure, ())

    async def mend(self, job: Job[Message], failure: Failure | None) -> JobEvent:
        """What tools make of a job's request."""
        own, record = job.terms.repair, job.record
        work = _Work(self._tools, record.sending.params)
        try:
            if failure is not None:
                await self._mend_after(job, work, failure)
            left = self._inspector.remaining(work.body, own)
            for _ in range(ROUNDS):
                name = next((finding.tool for finding in left if finding.tool), None)
                if name is None or not await work.use(name, left, None):
                    break
                left = self._inspector.remaining(work.body, own)
        except UnrepairableError as error:
            return Failed(loop_time(), _because(failure, error))
        error = next((finding for finding in left if finding.severity is Severity.ERROR), None)
        if error is not None:
            return Failed(loop_time(), _because(failure, error))
        if failure is None:
            try:
                await self._weigh(job, work)
            except RequestError as error:
                return Failed(loop_time(), failure_of(ErrorKind.CONTEXT_OVERFLOW, str(error)))
        return _outcome_of(work.body, tuple(work.changes), failure, tuple(work.used))

    async def _weigh(self, job: Job[Message], work: _Work) -> None:
        """Have the tokens counted where the estimate is too near the window, and look again. Without a count the
        estimate stands. Raises `RequestError`."""
        own = job.terms.repair
        if not self._inspector.is_undecided(work.body, measure(work.body), own):
            return
        tokens = await self._counted(job, replace(job.record.sending, params=work.body))
        if tokens is None:
            return
        seen = self._inspector.weigh(work.body, own, tokens, job.findings)
        job.findings = seen.findings
        if seen.mended is not None:
            work.take(seen.mended)

    async def _counted(self, job: Job[Message], request: Request) -> int | None:
        if self._count is None:
            return None
        deadline = job.record.deadline
        patience = COUNT_SECONDS if deadline is None else min(COUNT_SECONDS, (deadline - loop_time()) / 4)
        with anyio.move_on_after(patience):
            try:
                return await self._count(request)
            except Exception as error:  # noqa: BLE001 - a transport of the user's own
                log.warning("tokens could not be counted: %s", type(error).__name__)
        return None

    async def _mend_after(self, job: Job[Message], work: _Work, failure: Failure) -> None:
        own, amendment = job.terms.repair, job.record.amendment
        mended = self._inspector.mend_after(work.body, failure, own)
        work.take(mended)
        for name in self._inspector.tools_after(work.body, amendment, failure, own):
            left = self._inspector.remaining(work.body, own, failure)
            try:
                await work.use(name, left, failure.kind)
            except UnrepairableError:
                if not work.changes:  # otherwise the API has the next word
                    raise

    async def release(self, amendment: Amendment) -> None:
        """A job has ended: its tools may remove what they made for it."""
        try:
            for name in amendment.tools:
                with anyio.move_on_after(RELEASE_SECONDS):
                    await self._tools(name).release(amendment.changes)
        except BaseException as error:
            if not is_fault(error):
                raise
            # The job has its outcome, this cannot change it.
            log.warning("a tool could not clean up after a job: %s", type(error).__name__)


class _Work:
    """A body on its way through tools."""

    def __init__(self, tools: Callable[[str], Tool], body: Params) -> None:
        self._tools = tools
        self.body = body
        self.changes: list[Change] = []
        self.used: list[str] = []

    def take(self, mended: Mended) -> bool:
        """Go on with what came out; true if anything was changed."""
        self.body = mended.body
        self.changes += mended.changes
        return bool(mended.changes)

    async def use(self, name: str, findings: Sequence[Finding], kind: ErrorKind | None) -> bool:
        """Let a tool mend what it can of these; true if it changed anything. Raises `UnrepairableError`."""
        its_own = [finding for finding in findings if finding.tool == name]
        changed = self.take(await self._tools(name).mend(self.body, its_own, kind))
        if changed and name not in self.used:
            self.used.append(name)
        return changed


def _outcome_of(
    body: Params, changes: tuple[Change, ...], failure: Failure | None, tools: tuple[str, ...]
) -> JobEvent:
    """A repair that changes nothing does not help: the refusal stands."""
    if failure is not None and not changes:
        return Failed(loop_time(), failure)
    return Repaired(loop_time(), body, changes, failure, tools)


def _because(failure: Failure | None, error: UnrepairableError | Finding) -> Failure:
    """The refusal, with why it cannot be repaired."""
    if failure is None:
        return failure_of(ErrorKind.INVALID_REQUEST, f"cannot be repaired: {error}")
    return replace(failure, message=f"{failure.message} (cannot be repaired: {error})")
