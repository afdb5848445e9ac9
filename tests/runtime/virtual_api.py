"""A Messages API in virtual time: token buckets with continuous refill, output charged while it is written,
headers that describe admission. The buckets are the fake API's, so the judge shares no code with the judged."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from headway.core.dimension import Dimension
from headway.core.limits import NO_REPORT, LimitReport, OnHeaders
from headway.core.limits import Bucket as Seen
from headway.core.request import Request
from headway.core.usage import Usage
from headway.ports import Rejection, Reply
from headway.testing.fake_api.bucket import Bucket
from headway.testing.transport import ScriptedTransport, last_text, refusal, reply

LIMITED = (Dimension.REQUESTS, Dimension.INPUT, Dimension.OUTPUT)
SPEED = 80.0
"""Output tokens a second of one reply."""


@dataclass
class VirtualAPI(ScriptedTransport):
    """Prompts are ``"<input tokens> <output tokens> <anything>"``."""

    limits: tuple[float, float, float]
    """Requests, input and output tokens a minute."""
    burst: float = 10.0
    headers: bool = True
    others: float = 0.0
    """Input tokens a second that somebody else takes while they are there."""
    storm: tuple[float, float] = (0.0, 0.0)
    refused: list[tuple[float, int]] = field(default_factory=list)
    served: list[tuple[float, str]] = field(default_factory=list)
    starts: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(connections=2000)
        self.buckets = tuple(Bucket(limit, self.burst, 0.0) for limit in self.limits)
        self.writing = 0

    def cut(self, factor: float) -> None:
        """Change all limits now."""
        self._touch()
        for bucket in self.buckets:
            assert bucket.limit is not None
            bucket.change(bucket.limit * factor, self.burst)

    async def send(
        self, request: Request, *, streamed: bool = False, on_headers: OnHeaders | None = None
    ) -> Reply | Rejection:
        now = anyio.current_time()
        text = last_text(request.params)
        tokens_in, tokens_out = (int(word) for word in text.split()[:2])
        self.starts.append((now, text))
        if self.storm[0] <= now < self.storm[1]:
            return await self._refuse(529, "overloaded_error")
        self._touch()
        requests, inputs, outputs = self.buckets
        if requests.level < 1 or inputs.level < min(tokens_in, inputs.depth) or outputs.level <= 0:
            return await self._refuse(429, "rate_limit_error")
        requests.take(1)
        inputs.take(tokens_in)
        report = self._report()
        await anyio.sleep(0.4)
        if on_headers is not None:
            on_headers(report)
        self._touch()
        self.writing += 1
        try:
            await anyio.sleep(tokens_out / SPEED)
        finally:
            self._touch()
            self.writing -= 1
        self.served.append((anyio.current_time(), text))
        return reply(usage=Usage(input=tokens_in, output=tokens_out), report=report)

    async def _refuse(self, status: int, kind: str) -> Rejection:
        self.refused.append((anyio.current_time(), status))
        await anyio.sleep(0.1)
        return refusal(status, kind, report=self._report() if status == 429 else NO_REPORT)

    def _touch(self) -> None:
        now = anyio.current_time()
        requests, inputs, outputs = self.buckets
        requests.touch(now)
        inputs.touch(now, self.others)
        outputs.touch(now, self.writing * SPEED)

    def _report(self) -> LimitReport:
        if not self.headers:
            return NO_REPORT
        self._touch()
        seen: list[tuple[Dimension, Seen]] = []
        for dimension, bucket in zip(LIMITED, self.buckets, strict=True):
            assert bucket.limit is not None
            unit = 1 if dimension is Dimension.REQUESTS else 1000
            level = max(0.0, bucket.level)
            full_in = (bucket.depth - bucket.level) / (bucket.limit / 60)
            seen.append((dimension, Seen(bucket.limit, round(level / unit) * unit, float(int(full_in) + 1))))
        return LimitReport(tuple(seen))

    def used(self) -> float:
        """The largest share of what any bucket could have given so far: content at the start and refill."""
        self._touch()
        now = anyio.current_time()
        shares: list[float] = []
        for bucket in self.buckets:
            assert bucket.limit is not None
            shares.append(bucket.consumed / (bucket.depth + bucket.limit / 60 * now))
        return max(shares)

    def refusals(self, status: int, since: float = 0.0) -> int:
        """How many answers had this status."""
        return sum(1 for at, seen in self.refused if seen == status and at >= since)

    def rate(self, since: float, until: float) -> float:
        """Requests admitted a second in a window."""
        refused = {at for at, _ in self.refused}
        return sum(1 for at, _ in self.starts if since <= at < until and at not in refused) / (until - since)
