"""Which cached prefixes are warm: of many jobs with the same one, one goes first and the rest when it can be read.

An entry can be read once the first response begins; whoever is sent before that pays for writing it again, and
counts in full against the input limit (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
Waiting is bounded: by time, by failures, and where answers say that nothing is cached nobody waits at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from headway.core.cache_prefix import CachePrefix

WAIT: Final = 10.0
"""Seconds that jobs wait for the first response at most. It begins after a second or two, when it can be heard
beginning (a stream); a long answer without one takes longer, and then waiting would cost more than it saves."""
TRIES: Final = 2
"""After so many jobs that went first and failed the rest goes: what failed them may be their own."""
MOST: Final = 10_000
"""Prefixes that are known; of those unheard of for longest half are forgotten, and warmed again if they come back."""


class _State:
    """One prefix."""

    __slots__ = ("met", "open", "since", "tries", "until")

    def __init__(self) -> None:
        self.met = 0
        """Jobs that had it."""
        self.since: float | None = None
        """When the job was sent that is to warm it."""
        self.until = 0.0
        """Warm until then."""
        self.tries = 0
        self.open = False
        """Nobody waits for it: warming it failed or took too long, or it is not cached."""


class Warmth:
    """The prefixes of the jobs of one budget. ``now`` is in seconds."""

    def __init__(self) -> None:
        self._states: dict[bytes, _State] = {}
        self._warming: dict[bytes, float] = {}
        """Until when jobs wait; in the order of these times, because all waits are equally long."""

    def meet(self, prefixes: Sequence[CachePrefix]) -> None:
        """A job with these prefixes was queued."""
        for prefix in prefixes:
            state = self._states.pop(prefix.digest, None) or _State()
            self._states[prefix.digest] = state  # the last one to be forgotten
            state.met += 1
        if len(self._states) > MOST:
            self._forget()

    def awaited(self, prefixes: Sequence[CachePrefix], now: float) -> bytes | None:
        """The prefix, the longest one, that another job is warming just now, if any."""
        for prefix in reversed(prefixes):
            state = self._states.get(prefix.digest)
            if state is not None and state.since is not None and not state.open and state.until <= now:
                return prefix.digest
        return None

    def begin(self, prefixes: Sequence[CachePrefix], now: float) -> tuple[bytes, ...]:
        """A job is sent. The prefixes that it warms, for others too."""
        mine: list[bytes] = []
        for prefix in prefixes:
            state = self._states.setdefault(prefix.digest, _State())
            if state.until > now:
                state.until = now + prefix.life  # a hit renews it
            elif state.since is None and not state.open:
                state.since = now
                self._warming[prefix.digest] = now + WAIT
                mine.append(prefix.digest)
        return tuple(mine)

    def is_wanted(self, prefixes: Sequence[CachePrefix]) -> bool:
        """Whether somebody may be waiting for the beginning of a response to a prompt with these."""
        states = (self._states.get(prefix.digest) for prefix in prefixes)
        return any(state is not None and state.since is not None and state.met > 1 for state in states)

    def began(self, prefixes: Sequence[CachePrefix], sent: float) -> list[bytes]:
        """The response to a job that was sent then has begun: its prefixes are warm. Returns those that were not."""
        news: list[bytes] = []
        for prefix in prefixes:
            state = self._states.setdefault(prefix.digest, _State())
            if self._stop(prefix.digest, state):
                news.append(prefix.digest)
            state.until = max(state.until, sent + prefix.life)
        return news

    def confirm(self, prefixes: Sequence[CachePrefix], cached_tokens: int) -> None:
        """A job was answered, and so many tokens of its prompt were read from the cache or written to it."""
        for prefix in prefixes:
            state = self._states.get(prefix.digest)
            if state is not None:
                state.tries, state.open = 0, not cached_tokens

    def fail(self, digests: Iterable[bytes], *, counts: bool) -> list[bytes]:
        """The job that was to warm these failed, or was refused before any work (which does not count). Returns
        those for which somebody may be waiting."""
        news: list[bytes] = []
        for digest in digests:
            state = self._states.get(digest)
            if state is None:
                continue
            if self._stop(digest, state):
                news.append(digest)
            state.until = 0.0
            state.tries += counts
            state.open = state.open or state.tries >= TRIES
        return news

    def overdue(self, now: float) -> list[bytes]:
        """The prefixes that were waited for long enough: nobody waits for them any more."""
        late: list[bytes] = []
        while (first := next(iter(self._warming), None)) is not None and self._warming[first] <= now:
            state = self._states[first]
            self._stop(first, state)
            state.open = True
            late.append(first)
        return late

    @property
    def next_event(self) -> float:
        """When a prefix will be overdue."""
        return next(iter(self._warming.values()), float("inf"))

    def _stop(self, digest: bytes, state: _State) -> bool:
        """Nobody is warming it any more; false if nobody was."""
        state.since = None
        return self._warming.pop(digest, None) is not None

    def _forget(self) -> None:
        kept = list(self._states.items())
        self._states = {
            digest: state
            for index, (digest, state) in enumerate(kept)
            if index >= len(kept) - MOST // 2 or state.since is not None
        }
