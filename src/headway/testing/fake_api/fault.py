"""One fault: what goes wrong, for whom and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from headway.testing.fake_api.limits import FakeLimits


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """An error answer: ``status``, ``error_type``, ``error_code``, ``message``, ``headers``, ``body`` …"""
    RESET = "reset"
    """The connection ends before any header (``how``)."""
    HANG = "hang"
    """No answer for ``seconds``, then the connection ends."""
    SLOW_HEADERS = "slow_headers"
    """A good answer, ``seconds`` late."""
    BODY_CUT = "body_cut"
    """200 whose body ends half-way with the connection (``how``)."""
    BODY_TRUNCATED = "body_truncated"
    """200, whole by its Content-Length, but the JSON stops half-way."""
    BODY_MALFORMED = "body_malformed"
    """200 ``application/json`` that is not JSON."""
    BODY_HTML = "body_html"
    """200 ``text/html``."""
    BODY_SHAPE = "body_shape"
    """200 ``{}``."""
    STREAM_CUT = "stream_cut"
    """The connection ends after ``after_events`` events (``how``)."""
    STREAM_EOF = "stream_eof"
    """The stream ends cleanly after ``after_events`` events, without ``message_stop``."""
    STREAM_ERROR = "stream_error"
    """``event: error`` after ``after_events`` events (``error_type``, ``error_code``, ``message``)."""
    STREAM_STALL = "stream_stall"
    """After ``after_events`` events only pings for ``seconds``, then the stream goes on."""
    STREAM_BAD_JSON = "stream_bad_json"
    """An event after ``after_events`` others whose data is not JSON."""
    STREAM_EMPTY = "stream_empty"
    """200 ``text/event-stream`` with an empty body."""
    STREAM_JSON = "stream_json"
    """200 with a JSON message although a stream was asked for."""
    STOP = "stop"
    """A good answer that ends for another reason: ``stop_reason``."""
    HEADERS = "headers"
    """Changes the headers of an otherwise normal answer: ``headers`` (null removes one), ``retry_after``."""
    HEADERS_MISSING = "headers_missing"
    """No ``anthropic-ratelimit-*`` and ``retry-after`` headers."""
    EXPIRED = "expired"
    """Batch items only: it expires undone, whenever its batch ends."""
    LOST = "lost"
    """Batch items only: it is done and billed, but its line is missing in the results."""
    STRANGER = "stranger"
    """Batch items only: its line bears another ``custom_id``, ``stranger-`` and its own."""
    LIMITS = "limits"
    """In the window other limits are in force: ``limits``, or ``scale`` times the usual ones."""
    TENANT = "tenant"
    """In the window an unseen user takes ``share`` of every refill."""


BODY_KINDS: Final = frozenset(
    {FaultKind.BODY_CUT, FaultKind.BODY_TRUNCATED, FaultKind.BODY_MALFORMED, FaultKind.STOP}
)
"""Meaningful only for a JSON reply: they leave streams alone."""
STREAM_KINDS: Final = frozenset(kind for kind in FaultKind if kind.startswith("stream_"))
"""Meaningful only for a streamed reply."""
ENVIRONMENT_KINDS: Final = frozenset({FaultKind.LIMITS, FaultKind.TENANT})
"""They change the account, not a request."""
HEADER_KINDS: Final = frozenset({FaultKind.HEADERS, FaultKind.HEADERS_MISSING})
"""They change headers and let later rules decide on the answer."""

ITEM_KINDS: Final = frozenset({FaultKind.EXPIRED, FaultKind.LOST, FaultKind.STRANGER})
"""Meaningful only for an item of a batch."""
_OF_ITEMS: Final = ITEM_KINDS | {
    FaultKind.STATUS,
    FaultKind.STOP,
    FaultKind.BODY_MALFORMED,
    FaultKind.BODY_SHAPE,
}
Endpoint = Literal[
    "messages", "batch_create", "batch_retrieve", "batch_list", "batch_cancel", "batch_results", "batch_item"
]


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What goes wrong, for whom and when; the first rule that applies to a request decides.

    Chance is drawn from a hash of (seed, job, attempt, place of the rule), so that a run repeats
    exactly, whatever the order in which requests arrive. ``count`` alone depends on that order.
    """

    kind: FaultKind
    probability: float = 1.0
    count: int | None = None
    """At most so many times."""
    start: float = 0.0
    """Seconds after ``since``."""
    end: float | None = None
    """Seconds after ``since``; ``None``: for ever."""
    since: Literal["first_request", "server_start"] = "first_request"
    model: str | None = None
    """Only this model id."""
    endpoint: Endpoint = "messages"
    """Which calls it strikes; ``batch_item``: the requests in batches, where ``status`` means errored,
    ``body_malformed`` and ``body_shape`` spoil the line, and chance and ``attempts`` count how often an item's job
    was in a batch. Of the other batch calls ``job`` is the batch's id, and ``attempts`` counts such calls."""
    job: str | None = None
    """Only jobs whose identity (``x-fake-job``, ``metadata.user_id``) matches this shell pattern."""
    attempts: Literal["all", "first", "retries"] = "all"
    """Of each job."""
    stream: bool | None = None
    """Only streamed (true) or only unstreamed (false) requests."""
    status: int = 529
    error_type: str | None = None
    """``None``: the usual one of the status; of ``stream_error``: ``overloaded_error``."""
    error_code: str | None = None
    """Goes to ``error.details.error_code``."""
    message: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """Headers to set; ``null`` removes one."""
    retry_after: str | None = None
    """Text of the ``retry-after`` header, sent as it is; ``date+5`` becomes the HTTP date in 5 s."""
    html: bool | None = None
    """Whether an error's body is a gateway's HTML page; ``None``: for 502, 503 without code, 520-527."""
    body: str | None = None
    """An error's whole body, sent as it is."""
    seconds: float = 30.0
    after_events: int = 3
    how: Literal["fin", "rst"] = "fin"
    """The connection ends in order (the client sees an incomplete body) or is reset."""
    stop_reason: Literal["pause_turn", "refusal", "model_context_window_exceeded"] = "refusal"
    """Of ``stop``."""
    after_work: bool = False
    """``status``, ``reset``, ``hang``: only once the reply has been generated and billed."""
    limits: FakeLimits | None = None
    scale: float | None = None
    share: float = 0.6
    group: str | None = None
    """``limits`` and ``tenant``: only this model group."""

    def __post_init__(self) -> None:
        for name, fine, rule in (
            ("probability", 0 <= self.probability <= 1, "between 0 and 1"),
            ("share", 0 <= self.share <= 1, "between 0 and 1"),
            ("count", self.count is None or self.count >= 0, "at least 0"),
            ("end", self.end is None or self.end >= self.start, "not before start"),
            ("status", 400 <= self.status <= 599, "between 400 and 599"),
            ("seconds", self.seconds >= 0, "at least 0"),
            ("after_events", self.after_events >= 0, "at least 0"),
            ("scale", self.scale is None or self.scale > 0, "above 0"),
        ):
            if not fine:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}")
        if self.kind is FaultKind.LIMITS and (self.limits is None) == (self.scale is None):
            raise ValueError("limits: a rule of kind 'limits' needs either limits or scale")
        of_item = self.endpoint == "batch_item"
        if (self.kind in ITEM_KINDS and not of_item) or (of_item and self.kind not in _OF_ITEMS):
            raise ValueError(f"endpoint: {self.kind.value} does not happen to {self.endpoint}")

    @property
    def everybody(self) -> bool:
        """Whether it hits every request of its window: an outage."""
        return (
            self.kind in {FaultKind.STATUS, FaultKind.RESET, FaultKind.HANG}
            and self.endpoint == "messages"
            and self.probability == 1.0
            and self.attempts == "all"
            and self.count is None
            and self.model is None
            and self.job is None
            and self.stream is None
            and not self.after_work
        )

    def within(self, elapsed: float) -> bool:
        """Whether ``elapsed`` seconds after ``since`` lie in the window."""
        return self.start <= elapsed and (self.end is None or elapsed < self.end)
