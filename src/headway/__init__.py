"""headway: run any number of Claude calls at the full speed of your rate limits, and lose none of them.

::

    async with Scheduler(model="claude-sonnet-5-5", max_tokens=1024) as scheduler:
        message = await scheduler.submit("Hello")

Names are loaded on first use (PEP 562): importing headway does not import the SDK.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headway.adapters.alerts import Alerts
    from headway.adapters.anthropic import EndpointLimits, NotSentError
    from headway.adapters.anthropic.listing import account_limits
    from headway.adapters.ceiling import Ceiling
    from headway.adapters.results_file import read_results
    from headway.adapters.sqlite import SQLiteJournal
    from headway.core.account_limits import AccountLimits, GroupLimits
    from headway.core.alert import Alert
    from headway.core.batching import Batching
    from headway.core.bill import Bill, Money
    from headway.core.catalog import Catalog
    from headway.core.change import Change
    from headway.core.cost_sheet import CostLine, Costs
    from headway.core.error_kind import ErrorKind, Scope
    from headway.core.estimate import Estimate
    from headway.core.events import JobEvent
    from headway.core.failure import Failure
    from headway.core.file_policy import FilePolicy
    from headway.core.follow_up import FollowUp
    from headway.core.job import Attempt, JobRecord, JobState, Priority
    from headway.core.lane import Lane
    from headway.core.limits import Limits
    from headway.core.price import Price
    from headway.core.request import Request, RequestError
    from headway.core.retry import RetryPolicy
    from headway.core.scopes import DeadScope
    from headway.core.spend import SpendCap, SpendStatus
    from headway.core.usage import Usage
    from headway.errors import (
        AccountLimitsError,
        AuthenticationError,
        BatchCallError,
        BillingError,
        HeadwayError,
        JobCancelledError,
        JobExpiredError,
        JobFailedError,
        JournalDamagedError,
        JournalError,
        JournalLockedError,
        JournalMismatchError,
        QueueFullError,
        RequestRejectedError,
        RetriesExhaustedError,
        SchedulerClosedError,
        StoppedError,
        StreamInterruptedError,
    )
    from headway.preflight.conversation import Conversation
    from headway.preflight.estimate import estimate
    from headway.preflight.finding import Finding
    from headway.preflight.policy import RepairPolicy
    from headway.runtime.flow import Flow
    from headway.runtime.handle import Job, Outcome
    from headway.runtime.outcomes import Outcomes
    from headway.runtime.status import Status
    from headway.runtime.terms import job_terms
    from headway.scheduler import Scheduler
    from headway.standalone import middleware

__version__ = "0.1.0"

_HOME: Final[dict[str, str]] = {
    "AccountLimits": "core.account_limits",
    "AccountLimitsError": "errors",
    "Alert": "core.alert",
    "Alerts": "adapters.alerts",
    "Attempt": "core.job",
    "AuthenticationError": "errors",
    "BatchCallError": "errors",
    "Batching": "core.batching",
    "Bill": "core.bill",
    "BillingError": "errors",
    "Catalog": "core.catalog",
    "Ceiling": "adapters.ceiling",
    "Change": "core.change",
    "Conversation": "preflight.conversation",
    "CostLine": "core.cost_sheet",
    "Costs": "core.cost_sheet",
    "DeadScope": "core.scopes",
    "EndpointLimits": "adapters.anthropic",
    "ErrorKind": "core.error_kind",
    "Estimate": "core.estimate",
    "Failure": "core.failure",
    "FilePolicy": "core.file_policy",
    "Finding": "preflight.finding",
    "Flow": "runtime.flow",
    "FollowUp": "core.follow_up",
    "GroupLimits": "core.account_limits",
    "HeadwayError": "errors",
    "Job": "runtime.handle",
    "JobCancelledError": "errors",
    "JobEvent": "core.events",
    "JobExpiredError": "errors",
    "JobFailedError": "errors",
    "JobRecord": "core.job",
    "JobState": "core.job",
    "JournalDamagedError": "errors",
    "JournalError": "errors",
    "JournalLockedError": "errors",
    "JournalMismatchError": "errors",
    "Lane": "core.lane",
    "Limits": "core.limits",
    "Money": "core.bill",
    "NotSentError": "adapters.anthropic",
    "Outcome": "runtime.handle",
    "Outcomes": "runtime.outcomes",
    "Price": "core.price",
    "Priority": "core.job",
    "QueueFullError": "errors",
    "RepairPolicy": "preflight.policy",
    "Request": "core.request",
    "RequestError": "core.request",
    "RequestRejectedError": "errors",
    "RetriesExhaustedError": "errors",
    "RetryPolicy": "core.retry",
    "SQLiteJournal": "adapters.sqlite",
    "Scheduler": "scheduler",
    "SchedulerClosedError": "errors",
    "Scope": "core.error_kind",
    "SpendCap": "core.spend",
    "SpendStatus": "core.spend",
    "Status": "runtime.status",
    "StoppedError": "errors",
    "StreamInterruptedError": "errors",
    "Usage": "core.usage",
    "account_limits": "adapters.anthropic.listing",
    "estimate": "preflight.estimate",
    "job_terms": "runtime.terms",
    "middleware": "standalone",
    "read_results": "adapters.results_file",
}

__all__ = [
    "AccountLimits",
    "AccountLimitsError",
    "Alert",
    "Alerts",
    "Attempt",
    "AuthenticationError",
    "BatchCallError",
    "Batching",
    "Bill",
    "BillingError",
    "Catalog",
    "Ceiling",
    "Change",
    "Conversation",
    "CostLine",
    "Costs",
    "DeadScope",
    "EndpointLimits",
    "ErrorKind",
    "Estimate",
    "Failure",
    "FilePolicy",
    "Finding",
    "Flow",
    "FollowUp",
    "GroupLimits",
    "HeadwayError",
    "Job",
    "JobCancelledError",
    "JobEvent",
    "JobExpiredError",
    "JobFailedError",
    "JobRecord",
    "JobState",
    "JournalDamagedError",
    "JournalError",
    "JournalLockedError",
    "JournalMismatchError",
    "Lane",
    "Limits",
    "Money",
    "NotSentError",
    "Outcome",
    "Outcomes",
    "Price",
    "Priority",
    "QueueFullError",
    "RepairPolicy",
    "Request",
    "RequestError",
    "RequestRejectedError",
    "RetriesExhaustedError",
    "RetryPolicy",
    "SQLiteJournal",
    "Scheduler",
    "SchedulerClosedError",
    "Scope",
    "SpendCap",
    "SpendStatus",
    "Status",
    "StoppedError",
    "StreamInterruptedError",
    "Usage",
    "account_limits",
    "estimate",
    "job_terms",
    "middleware",
    "read_results",
]

_ROOMS: Final = ("sync", "web")
"""Submodules that ``import headway`` alone makes reachable, when they are asked for."""

# Quiet unless the application configures logging.
logging.getLogger("headway").addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"headway.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'headway' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"headway.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
