"""The prompt within the model's window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from headway.core.change import Change
from headway.core.error_kind import ErrorKind
from headway.core.tokens import PromptSize, measure
from headway.preflight.facts import Body, Facts
from headway.preflight.finding import Finding, Severity
from headway.preflight.rule import Mended, Rule, UnrepairableError
from headway.preflight.trim import trim
from headway.preflight.turns import as_object, is_list, messages_in

NAME = "context"
CERTAIN: Final = 1.25
"""An estimate that many times the window is believed without a count: the characters of a token vary by about
so much with language and tokenizer. Between once and this the API may take the prompt, so without a count it is
sent; a refusal costs nothing and brings the exact numbers."""
NEAR: Final = 0.9
"""From this part of the window on, and up to `CERTAIN` times it, an estimate is too near to call: a count decides."""
MARGIN_COUNTED: Final = 0.02
"""Part of the window that stays free after trimming, when the API's own count is known."""
MARGIN_ESTIMATED: Final = 0.10
"""The same after an estimate."""
ANSWER: Final = 4
"""At most the window's fourth part is kept free for the answer when a conversation is trimmed."""
LEAST_ANSWER: Final = 1024
"""Tokens below which max_tokens is not lowered to make room: the conversation is trimmed instead."""
_REMEDY: Final = (
    "Shorten the conversation (headway.Conversation does it as it grows), take a model with a larger window, or "
    "use the API's context editing or compaction (beta, context_management)."
)


@dataclass(frozen=True, slots=True)
class _Size:
    """A body beside its window, in tokens."""

    window: int
    input: float
    """Counted, or estimated."""
    certain: float
    """Without what an estimate can only guess; the same as ``input`` when it was counted."""
    scale: float
    """Counted over estimated input."""
    counted: bool
    cap: int
    """``max_tokens``."""
    summed: bool
    """The model counts ``max_tokens`` into the window (before 4.5)."""

    @property
    def limit(self) -> float:
        """Input certainly above this is refused."""
        return self.window - (self.cap if self.summed else 0) if self.counted else self.window * CERTAIN

    @property
    def target(self) -> float:
        """Input to trim to: a margin, and room for the answer."""
        part = 1 - (MARGIN_COUNTED if self.counted else MARGIN_ESTIMATED)
        if self.summed:
            return (self.window - self.cap) * part
        return min(self.window * part, self.window - min(self.cap, self.window // ANSWER))


def too_near_to_call(size: PromptSize, facts: Facts) -> bool:
    """Whether only a count can tell if a prompt of this size fits into its model's window."""
    if facts.model is None or size.held:
        return False
    text = size.characters * facts.tokens_per_char
    window = facts.model.window
    return text + size.fixed >= NEAR * window and text + size.fixed - size.guessed <= CERTAIN * window


def _size(body: Body, facts: Facts) -> _Size | None:
    overflow = facts.overflow
    window = (overflow.window if overflow else None) or (facts.model.window if facts.model else None)
    if window is None or (facts.counted is None and overflow is None and _is_small(body, facts, window)):
        return None
    whole = measure(body)
    text = whole.fixed + whole.characters * facts.tokens_per_char
    estimate = max(1.0, text)
    counted = facts.counted
    if counted is None and overflow is not None:
        # Refused without numbers: all that is known is that it was too much.
        counted = max(estimate, window * (1 + MARGIN_COUNTED))
    asked = body.get("max_tokens")
    cap = asked if isinstance(asked, int) else 0
    summed = overflow is not None and overflow.max_tokens is not None
    if counted is None:
        return _Size(window, estimate, text - whole.guessed, 1.0, False, cap, summed)
    return _Size(window, counted, counted, counted / estimate, True, cap, summed)


def _is_small(body: Body, facts: Facts, window: int) -> bool:
    """Certainly within the window, by a look at the lengths of its texts."""
    system = body.get("system")
    messages = body.get("messages")
    if body.get("tools") or not (system is None or isinstance(system, str)) or not is_list(messages):
        return False
    characters = len(system or "")
    for message in messages_in(body):
        content = message.get("content")
        if not isinstance(content, str):
            return False
        characters += len(content) + 32
    return characters * facts.tokens_per_char < window / 2


def _check(body: Body, facts: Facts) -> Iterator[Finding]:
    size = _size(body, facts)
    if size is None or size.input <= min(size.limit, size.window):
        return
    certain = size.certain > size.limit
    what = "tokens" if size.counted else "tokens by estimate"
    cap = f" and max_tokens {size.cap:,}" if size.summed else ""
    problem = f"the prompt has {size.input:,.0f} {what}{cap}, the model's window {size.window:,}"
    yield Finding(NAME, "messages", problem, _REMEDY, Severity.ERROR if certain else Severity.WARNING)


def _repair(body: Body, facts: Facts) -> Mended:
    size = _size(body, facts)
    if size is None or size.certain <= size.limit:
        return Mended(body, ())
    if size.summed and (lowered := _lowered(body, size)) is not None:
        return lowered
    if size.summed:
        cap = max(min(size.cap, LEAST_ANSWER), min(size.cap, _thinking_budget(body) + 1))
        body, first = _with_cap(body, size, cap)
        trimmed = _trimmed(body, facts, replace(size, cap=cap))
        return Mended(trimmed.body, (*first, *trimmed.changes))
    return _trimmed(body, facts, size)


def _lowered(body: Body, size: _Size) -> Mended | None:
    """Lower ``max_tokens`` where that alone helps; thinking must stay below it."""
    room = int((size.window - size.input) * (1 - MARGIN_COUNTED))
    if room < min(size.cap, LEAST_ANSWER) or room <= _thinking_budget(body):
        return None
    return Mended(*_with_cap(body, size, room))


def _with_cap(body: Body, size: _Size, cap: int) -> tuple[Body, tuple[Change, ...]]:
    if cap == size.cap:
        return body, ()
    reason = f"prompt and answer together exceed the window of {size.window:,} tokens"
    return {**body, "max_tokens": cap}, (Change(NAME, "max_tokens", reason, size.cap, cap),)


def _thinking_budget(body: Body) -> int:
    budget = as_object(body.get("thinking")).get("budget_tokens")
    return budget if isinstance(budget, int) else 0


def _trimmed(body: Body, facts: Facts, size: _Size) -> Mended:
    def tokens_of(part: Body) -> float:
        return facts.input_tokens(part) * size.scale if size.counted else facts.certain_tokens(part)

    done = trim(body, facts, size.target, tokens_of)
    if done.tokens > size.limit:
        about = "" if size.counted else "about "
        raise UnrepairableError(
            f"messages: the system prompt, tools and the turns that must stay have {about}{done.tokens:,.0f} "
            f"tokens, the model's window {size.window:,}. {_REMEDY}"
        )
    before = len(messages_in(body))
    reason = f"the prompt of {size.input:,.0f} tokens exceeds the window of {size.window:,}"
    after = f"{len(messages_in(done.body)):,} messages, about {done.tokens:,.0f} tokens"
    changes = [Change(NAME, "messages", reason, f"{before:,} messages", after)]
    if done.thinking:
        why = "thinking blocks are bound to the conversation before it was shortened"
        changes.append(Change(NAME, "messages", why, f"{done.thinking:,} thinking blocks", None))
    if done.hoisted:
        why = "instructions of dropped turns go on to hold"
        changes.append(Change(NAME, "system", why, None, f"{done.hoisted:,} system messages"))
    return Mended(done.body, tuple(changes))


RULES = (
    Rule(
        NAME,
        "The prompt must fit the model's context window.",
        "Lowers max_tokens where the model counts it into the window; otherwise drops the oldest turns, keeping "
        "the system prompt, tools, the first and the last user turn, and tool calls with their results.",
        _check,
        _repair,
        frozenset({ErrorKind.CONTEXT_OVERFLOW}),
        order=80,
    ),
)
