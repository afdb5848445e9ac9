"""What one run came to, from the server's statistics and the clients' accounts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from headway.testing.fake_api import FakeStats
from utilisation_suite.errand import Account
from utilisation_suite.workload import Workload


@dataclass(frozen=True, slots=True)
class Figures:
    """One run."""

    contender: str
    workload: str
    seed: int
    jobs: int
    """That had to be done, interactive ones included."""
    finished: int
    failed: int
    """Jobs reported as failed although nothing was wrong with them."""
    lost: int
    """Jobs of which nothing was heard, or which the server never answered."""
    bound: float
    """Seconds that physics demands for what was done."""
    makespan: float
    arrivals: int
    refused_429: int
    overloaded_529: int
    duplicates: int
    """Jobs with more than one whole good reply."""
    interactive_p50: float | None = None
    """Time of an interactive job over its time on an idle API, job by job."""
    interactive_p99: float | None = None
    interactive_jobs: int = 0
    cpu_ms_per_job: float = 0.0
    peak_mib: float = 0.0
    """Of the largest client process."""
    base_mib: float = 0.0
    """The same before the first job."""
    spread: float = 0.0
    """Seconds between the first and the last process to end."""
    stall: float = 0.0
    """Longest that a client's event loop was late, in seconds."""
    timed_out: bool = False
    errors: dict[str, int] = field(default_factory=dict[str, int])
    """Why jobs failed."""
    series: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    """Per second, as the server saw it."""

    @property
    def efficiency(self) -> float:
        """Physical bound over makespan."""
        return self.bound / self.makespan if self.makespan else 0.0

    @property
    def requests_per_job(self) -> float:
        """Requests that arrived per finished job."""
        return self.arrivals / self.finished if self.finished else math.inf


def figures_of(
    contender: str, workload: Workload, seed: int, accounts: list[Account], stats: FakeStats
) -> Figures:
    """Put both sides together."""
    urgent = [
        name for account in accounts for name in (*account.finished, *account.failures) if name[0] == "u"
    ]
    finished = {name for account in accounts for name in account.finished}
    failures = {name: why for account in accounts for name, why in account.failures.items()}
    jobs = workload.jobs + len(urgent)
    ratios = sorted(
        seconds / (workload.latency.ttft + tokens / workload.latency.speed)
        for account in accounts
        for seconds, tokens in account.waits
    )
    errors = Counter(why[:80] for why in failures.values())
    errors.update(account.error for account in accounts if account.error)
    ends = [account.seconds for account in accounts]
    return Figures(
        contender=contender,
        workload=workload.name,
        seed=seed,
        jobs=jobs,
        finished=min(len(finished), stats.served),
        failed=len(failures),
        lost=max(jobs - len(finished) - len(failures), len(finished) - stats.served),
        bound=stats.bound_seconds(),
        makespan=stats.makespan or 0.0,
        arrivals=stats.arrivals,
        refused_429=stats.statuses.get(429, 0),
        overloaded_529=stats.statuses.get(529, 0),
        duplicates=stats.duplicates,
        interactive_p50=_quantile(ratios, 0.5),
        interactive_p99=_quantile(ratios, 0.99),
        interactive_jobs=len(ratios),
        cpu_ms_per_job=1000 * sum(account.cpu_seconds for account in accounts) / max(1, len(finished)),
        peak_mib=max(account.peak_mib for account in accounts),
        base_mib=max(account.base_mib for account in accounts),
        spread=max(ends) - min(ends),
        stall=max(account.stall for account in accounts),
        timed_out=any(account.timed_out for account in accounts),
        errors=dict(errors.most_common(5)),
        series=[_second(row) for row in stats.to_json()["series"]],
    )


def _second(row: dict[str, object]) -> dict[str, object]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()}


def _quantile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)]
