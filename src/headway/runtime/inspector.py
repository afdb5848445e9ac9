"""Looking requests over before they are paid for, and finding repairs for those that the API refused.

Everything here is decided at once; what takes time (tools) is only named.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, TypeVar

from headway.core.amendment import Amendment, Params
from headway.core.catalog import Catalog
from headway.core.error_kind import ErrorKind
from headway.core.failure import Failure
from headway.core.request import Request, RequestError
from headway.core.tokens import PromptSize, TokenEstimator
from headway.preflight.cache_auto import CachePlacer
from headway.preflight.check import check
from headway.preflight.facts import Facts, facts_after_refusal
from headway.preflight.finding import Finding, Severity
from headway.preflight.policy import Mode, RepairPolicy
from headway.preflight.repair import repair
from headway.preflight.rule import Mended, Rule, UnrepairableError
from headway.preflight.rules import all_rules, context

T = TypeVar("T")
log: Final = logging.getLogger("headway")
TOOL_OF: Final = {"images": "images", "size": "files", "files": "files"}
"""The tool that repairs for a rule after a refusal that its check did not foresee."""
_OWN_UPLOADS: Final = "files"
"""The rule that concerns only files which headway itself uploaded for the job."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found in a request, and what was mended at once."""

    findings: tuple[Finding, ...] = ()
    mended: Mended | None = None


UNSEEN: Final = Inspected()
"""Nothing was found."""


class Inspector:
    """Applies the rules as the policy says; counts findings and logs each kind of them once."""

    def __init__(
        self, policy: RepairPolicy, catalog: Catalog, estimator: Callable[[str], TokenEstimator]
    ) -> None:
        self._policy = policy
        self._catalog = catalog
        self._estimator = estimator
        self._told: set[tuple[str, str]] = set()
        self._near = context.NEAR * min((facts.window for facts in catalog.models), default=0)
        self.found: Counter[str] = Counter()
        """Findings by rule."""

    def policy_of(self, own: RepairPolicy | None) -> RepairPolicy:
        """The policy of a job: its own or the scheduler's."""
        return self._policy if own is None else own

    def look(self, request: Request, own: RepairPolicy | None, *, as_it_is: bool = False) -> Inspected:
        """Check a new request; in mode ``repair`` mend what can be mended at once. ``as_it_is``: only report.

        Raises `RequestError` for what a rule in mode ``strict`` finds, or one in mode ``repair`` cannot mend.
        """
        policy = self.policy_of(own)
        body = request.params
        facts = self._facts(body, policy)
        findings = self._check(body, facts, policy)
        if not findings:
            return UNSEEN
        self._tell(findings, request.model)
        if as_it_is:
            return Inspected(tuple(findings))
        return self._obey(body, facts, policy, findings)

    def is_undecided(self, body: Params, size: PromptSize, own: RepairPolicy | None) -> bool:
        """Whether a count of its tokens has to decide if a body of this size fits into its model's window."""
        policy = self.policy_of(own)
        ratio = self._estimator(str(body.get("model"))).tokens_per_char
        small = size.fixed + size.characters * ratio < self._near  # most are, and a million of them are asked
        if small or policy.mode(context.NAME) is Mode.OFF:
            return False
        return context.too_near_to_call(size, self._facts(body, policy))

    def weigh(
        self, body: Params, own: RepairPolicy | None, tokens: int, before: Sequence[Finding]
    ) -> Inspected:
        """Look again at the size of a body whose input tokens were counted: what was found ``before`` by estimate
        does not count any more. Raises `RequestError` as `look` does."""
        policy = self.policy_of(own)
        facts = replace(self._facts(body, policy), counted=float(tokens))
        findings = [found for found in self._check(body, facts, policy) if found.rule == context.NAME]
        others = [found for found in before if found.rule != context.NAME]
        self.found[context.NAME] -= len(before) - len(others)
        self._tell(findings, str(body.get("model")))
        seen = self._obey(body, facts, policy, findings)
        return replace(seen, findings=(*others, *findings))

    def _obey(
        self, body: Params, facts: Facts, policy: RepairPolicy, findings: Sequence[Finding]
    ) -> Inspected:
        """Refuse or mend what was found, as the policy says."""
        _refuse(findings, policy, Mode.STRICT)
        if not any(policy.mode(finding.rule) is Mode.REPAIR for finding in findings):
            return Inspected(tuple(findings))
        try:
            mended = repair(body, facts, policy)
        except UnrepairableError as error:
            raise RequestError(_path(findings, policy), f"{error}") from None
        _refuse(self.remaining(mended.body, policy), policy, Mode.REPAIR)
        return Inspected(tuple(findings), mended if mended.changes else None)

    def learn_shared(self, body: Params, placer: CachePlacer) -> None:
        """A body was given that will be sent, as one of many that may begin alike."""
        self._tried(lambda: placer.observe((body,), self._facts(body, self._policy)))

    def place_cache(self, body: Params, placer: CachePlacer) -> Mended:
        """The body with a breakpoint where what it shares with the others ends, if that is worth it."""
        return self._tried(lambda: placer.place(body, self._facts(body, self._policy))) or Mended(body, ())

    def remaining(
        self, body: Params, own: RepairPolicy | None, failure: Failure | None = None
    ) -> list[Finding]:
        """What the rules in mode ``repair`` still find in a body, or in one that the API refused with this."""
        policy = self.policy_of(own)
        found = self._check(body, self._facts(body, policy, failure), policy)
        return [finding for finding in found if policy.mode(finding.rule) is Mode.REPAIR]

    def may_help(self, amendment: Amendment, failure: Failure, own: RepairPolicy | None) -> bool:
        """Some rule in mode ``repair`` can help against this refusal, and the job's repairs are not used up."""
        policy = self.policy_of(own)
        used_up = len(amendment.repairs) >= policy.attempts
        return not used_up and any(True for _ in _rules_after(failure.kind, amendment, policy))

    def mend_after(self, body: Params, failure: Failure, own: RepairPolicy | None) -> Mended:
        """The body with everything mended that needs no tool. Raises `UnrepairableError`."""
        policy = self.policy_of(own)
        return repair(body, self._facts(body, policy, failure), policy, after=failure.kind)

    def mend_for_model(self, body: Params, own: RepairPolicy | None) -> Mended:
        """The body fitted to a model that it was not written for, as far as the policy allows."""
        policy = self.policy_of(own)
        try:
            return repair(body, self._facts(body, policy), policy)
        except UnrepairableError:
            return Mended(body, ())

    def tools_after(
        self, body: Params, amendment: Amendment, failure: Failure, own: RepairPolicy | None
    ) -> list[str]:
        """The tools that may help against a refusal."""
        policy = self.policy_of(own)
        facts = self._facts(body, policy, failure)
        tools: list[str] = []
        for rule in _rules_after(failure.kind, amendment, policy):
            tools += [finding.tool for finding in rule.check(body, facts) if finding.tool]
            tools += [TOOL_OF[rule.name]] if rule.name in TOOL_OF else []
        return list(dict.fromkeys(tools))

    def _check(self, body: Params, facts: Facts, policy: RepairPolicy) -> list[Finding]:
        return self._tried(lambda: check(body, facts, policy)) or []

    def _tried(self, look: Callable[[], T]) -> T | None:
        """A fault in a rule must not keep a request from being sent: the API has the last word anyhow."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001 - see above; the text may quote the prompt
            self._say_once("preflight", type(error).__name__, "a rule failed (%s): please report it")
            return None

    def _say_once(self, rule: str, what: str, text: str) -> None:
        if (rule, what) not in self._told:
            self._told.add((rule, what))
            log.warning(text, what)

    def _facts(self, body: Params, policy: RepairPolicy, failure: Failure | None = None) -> Facts:
        model = str(body.get("model"))
        facts = Facts(
            self._catalog.find(model),
            _date(int(time.time() // 86400)),
            self._estimator(model).tokens_per_char,
            keep_first_turn=policy.keep_first_turn,
            catalog=self._catalog,
        )
        return facts if failure is None else facts_after_refusal(facts, failure)

    def _tell(self, findings: Iterable[Finding], model: str) -> None:
        for finding in findings:
            self.found[finding.rule] += 1
            more = f"{finding} (rule {finding.rule}; further ones are counted, not logged)"
            self._say_once(finding.rule, model, "%s: " + more.replace("%", "%%"))


@lru_cache(maxsize=2)
def _date(days: int) -> str:
    """The ISO date so many days after 1970-01-01 (UTC)."""
    return time.strftime("%Y-%m-%d", time.gmtime(days * 86400))


def needs_tool(findings: Iterable[Finding], policy: RepairPolicy) -> bool:
    """Something was found that a tool mends, and mending it was asked for."""
    return any(finding.tool and policy.mode(finding.rule) is Mode.REPAIR for finding in findings)


def _rules_after(kind: ErrorKind, amendment: Amendment, policy: RepairPolicy) -> Iterable[Rule]:
    for rule in all_rules():
        if kind not in rule.after or policy.mode(rule.name) is not Mode.REPAIR:
            continue
        if rule.repair is None and rule.name not in TOOL_OF:
            continue
        if rule.name != _OWN_UPLOADS or TOOL_OF[rule.name] in amendment.tools:
            yield rule


def _refuse(findings: Iterable[Finding], policy: RepairPolicy, mode: Mode) -> None:
    """Raises `RequestError` for the first error of a rule in this mode that no tool will mend."""
    for finding in findings:
        helped = mode is Mode.REPAIR and finding.tool is not None
        if finding.severity is Severity.ERROR and policy.mode(finding.rule) is mode and not helped:
            raise RequestError(finding.path, f"{finding.problem}. {finding.remedy}")


def _path(findings: Iterable[Finding], policy: RepairPolicy) -> str:
    """The field to name when a repair failed."""
    return next((f.path for f in findings if policy.mode(f.rule) is Mode.REPAIR), "params")
