"""Which fault hits which request: deterministic by seed, job and attempt, not by order of arrival."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase

from headway.testing.fake_api.fault import (
    BODY_KINDS,
    ENVIRONMENT_KINDS,
    HEADER_KINDS,
    STREAM_KINDS,
    Endpoint,
    FaultKind,
    FaultRule,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule may look at."""

    job: str
    attempt: int
    """1 for the first time the job is seen."""
    model: str
    stream: bool
    since_first_request: float
    """Seconds."""
    since_server_start: float
    """Seconds."""
    endpoint: Endpoint = "messages"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request will suffer."""

    fault: FaultRule | None = None
    header_faults: tuple[FaultRule, ...] = ()


UNHARMED = Verdict()


def chance(seed: int, job: str, attempt: int, index: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    text = f"{seed}|{attempt}|{index}|{job}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2**64


class FaultPlan:
    """An ordered list of rules and how often each has struck."""

    def __init__(self, rules: tuple[FaultRule, ...], seed: int) -> None:
        self.rules = rules
        self.seed = seed
        self.struck = [0] * len(rules)
        self._of_requests = tuple(
            (index, rule) for index, rule in enumerate(rules) if rule.kind not in ENVIRONMENT_KINDS
        )

    def decide(self, asked: Asked) -> Verdict:
        """The first rule that applies; header rules before it apply as well."""
        if not self._of_requests:
            return UNHARMED
        header_faults: list[FaultRule] = []
        for index, rule in self._of_requests:
            if not self._applies(index, rule, asked):
                continue
            self.struck[index] += 1
            if rule.kind not in HEADER_KINDS:
                return Verdict(rule, tuple(header_faults))
            header_faults.append(rule)
        return Verdict(None, tuple(header_faults))

    def _applies(self, index: int, rule: FaultRule, asked: Asked) -> bool:
        first = rule.since == "first_request"
        return (
            rule.within(asked.since_first_request if first else asked.since_server_start)
            and (rule.count is None or self.struck[index] < rule.count)
            and _concerns(rule, asked)
            and (
                rule.probability >= 1 or chance(self.seed, asked.job, asked.attempt, index) < rule.probability
            )
        )


def _concerns(rule: FaultRule, asked: Asked) -> bool:
    if rule.kind in STREAM_KINDS and not asked.stream:
        return False
    if rule.kind in BODY_KINDS and asked.stream:
        return False
    return (
        rule.endpoint == asked.endpoint
        and (rule.model is None or rule.model == asked.model)
        and (rule.stream is None or rule.stream == asked.stream)
        and (rule.attempts == "all" or (rule.attempts == "first") == (asked.attempt == 1))
        and (rule.job is None or fnmatchcase(asked.job, rule.job))
    )


def outages(rules: tuple[FaultRule, ...]) -> tuple[tuple[float, float | None], ...]:
    """Windows, in seconds since the first request, in which nobody is served."""
    return tuple(
        (rule.start, rule.end)
        for rule in rules
        if rule.everybody and rule.since == "first_request" and rule.kind is not FaultKind.HANG
    )
