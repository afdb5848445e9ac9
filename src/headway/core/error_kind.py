"""Every way a job can fail: one row per kind. Decisions, messages, CLI and docs read this table.

Sources: https://platform.claude.com/docs/en/api/errors, https://platform.claude.com/docs/en/api/rate-limits
and the ``Raises`` sections of ``anthropic`` 2.12's ``Messages.create``. Waits follow those pages
(exponential backoff, honour ``Retry-After``); the 502 schedule is the one Anthropic's support article gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class ErrorKind(StrEnum):
    """Why an attempt failed."""

    INVALID_REQUEST = "invalid_request"
    CONTEXT_OVERFLOW = "context_overflow"
    IMAGE_TOO_LARGE = "image_too_large"
    THINKING_REFUSED = "thinking_refused"
    AUTHENTICATION = "authentication"
    STALE_TOKEN = "stale_token"  # noqa: S105 - the name of a failure
    BILLING = "billing"
    SPEND_CAP = "spend_cap"
    ACCOUNT_HOLD = "account_hold"
    PERMISSION = "permission"
    PROFILE = "profile"
    NOT_FOUND = "not_found"
    REQUEST_TIMEOUT = "request_timeout"
    CONFLICT = "conflict"
    CONFLICT_FINAL = "conflict_final"
    REQUEST_TOO_LARGE = "request_too_large"
    UNPROCESSABLE = "unprocessable"
    CLIENT_ERROR = "client_error"
    RATE_LIMIT = "rate_limit"
    RAMP_LIMIT = "ramp_limit"
    CONCURRENCY_LIMIT = "concurrency_limit"
    OVERLOADED = "overloaded"
    API_ERROR = "api_error"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    SERVER_TIMEOUT = "server_timeout"
    MALFORMED = "malformed"
    MISFIT = "misfit"
    CONNECTION = "connection"
    POOL_TIMEOUT = "pool_timeout"
    ATTEMPT_TIMEOUT = "attempt_timeout"
    DISCONNECTED = "disconnected"
    STREAM_CUT = "stream_cut"
    STREAM_STALL = "stream_stall"
    STREAM_INTERRUPTED = "stream_interrupted"
    BATCH_EXPIRED = "batch_expired"
    BATCH_CANCELLED = "batch_cancelled"
    BATCH_LOST = "batch_lost"
    DEADLINE = "deadline"
    STOPPED = "stopped"
    JOURNAL = "journal"
    INTERNAL = "internal"


class Scope(StrEnum):
    """Whom a failure concerns: nothing else in a dead scope is sent until ``scheduler.resume()``."""

    JOB = "job"
    PROFILE = "profile"
    """The request's ``user_profile_id``."""
    MODEL = "model"
    WORKSPACE = "workspace"
    """The request's ``workspace_id``; without one, the key's own, and that is all this scheduler reaches."""
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt, in seconds, before jitter."""

    base: float = 0.5
    cap: float = 8.0
    schedule: tuple[float, ...] = ()
    """Fixed steps; when empty the wait is ``min(cap, base · 2ⁿ)`` with full jitter."""


@dataclass(frozen=True, slots=True)
class KindRow:
    """The facts of one kind."""

    kind: ErrorKind
    meaning: str
    remedy: str
    """What is left for the user to do."""
    statuses: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    """``error.details.error_code`` values; a trailing ``*`` matches a prefix."""
    patterns: tuple[str, ...] = ()
    """Lower-case fragments of the message: the last resort, where the API gives no code."""
    within: tuple[str, ...] = ()
    """Patterns apply only under these ``error.type`` values (any, when empty)."""
    over: tuple[str, ...] = ()
    """Types so general that this row's statuses say more: a 503 of type ``api_error`` is a 503."""
    also: tuple[str, ...] = ()
    """Names that gateways and published tables give it, where the API itself has another: taken as type or code."""
    attempts: int = 1
    """How often a job may fail this way in all; 1: never retried."""
    backoff: Backoff = field(default_factory=Backoff)
    throttle: bool = False
    """A refusal before any work, governed by the budget: bounded by time, not by attempts."""
    maybe_billed: bool = False
    """The answer may have been generated and billed although it did not reach us."""
    billed: bool = False
    """A whole answer came and was billed: what it used is known and counted. No sign of trouble."""
    narrows: bool = False
    """Too many at a time: fewer are in flight from then on, and slowly more again."""
    streams: bool = False
    """The next attempt is streamed inside, so that a long answer survives."""
    scope: Scope = Scope.JOB
    scopes: tuple[tuple[str, Scope], ...] = ()
    """Codes, and lower-case fragments of messages without a code, that concern others than ``scope`` says."""
    resumable: bool = False
    """The job is good: sent again later it may succeed, and the journal keeps it queued."""


_RESUME: Final = (
    "Then call scheduler.resume(), or run the same command again: nothing finished is sent twice."
)

TABLE: Final[tuple[KindRow, ...]] = (
    KindRow(ErrorKind.INVALID_REQUEST, "The API rejected the request as malformed.",
        "Correct the field the message names.", (400,), ("invalid_request_error",),
        ("compaction_*", "thread_*", "claude_code_*", "available_tools_limit_exceeded", "tool_name_conflict",
         "tool_reference_unresolved", "user_profile_required", "request_body_encoding_*")),
    KindRow(ErrorKind.CONTEXT_OVERFLOW, "Prompt and answer do not fit into the model's context window.",
        "Shorten the prompt, lower max_tokens or choose a model with a larger window.",
        also=("context_length_exceeded",), patterns=("prompt is too long", "exceed context limit"),
        within=("invalid_request_error",)),
    KindRow(ErrorKind.IMAGE_TOO_LARGE, "An image has more pixels than the API accepts.",
        "Resize it: 8000 px a side at most, 2000 px when a request has more than 20 images.",
        codes=("image_dimensions_too_large",), patterns=("many-image requests",),
        within=("invalid_request_error",)),
    KindRow(ErrorKind.THINKING_REFUSED, "A thinking block came back changed, or in a conversation not its own.",
        "Send thinking blocks back exactly as they were received, with everything before them unchanged, or leave "
        "all of them out: RepairPolicy(rules={\"thinking_blocks\": \"repair\"}) does.",
        patterns=("invalid `signature` in `thinking`", "invalid signature in thinking",
            "blocks in the latest assistant message cannot be modified"),
        within=("invalid_request_error",)),
    KindRow(ErrorKind.AUTHENTICATION, "The API key or token was not accepted.",
        "Check ANTHROPIC_API_KEY (white space, revoked or of another organisation). " + _RESUME,
        (401,), ("authentication_error",), scope=Scope.ACCOUNT, resumable=True),
    KindRow(ErrorKind.STALE_TOKEN, "The access token was not accepted any more; it is fetched anew.",
        "Nothing, unless it persists: then look at what provides the token.", attempts=3,
        backoff=Backoff(0.5, 2.0), resumable=True),
    KindRow(ErrorKind.BILLING, "The account cannot pay for more: credit, own limit or monthly cap reached.",
        "Add credit or raise the limit in the Console (a tier's monthly cap ends on the 1st, 00:00 UTC). "
        + _RESUME, (402,), ("billing_error",),
        ("linked_organization_*", "enforced_spend_limit_reached", "contract_spend_limit_reached"),
        ("credit balance is too low", "reached your specified api usage limits",
         "reached your specified workspace api usage limits"),
        ("invalid_request_error",), scope=Scope.ACCOUNT,
        scopes=(("specified workspace api usage limits", Scope.WORKSPACE),), resumable=True),
    KindRow(ErrorKind.SPEND_CAP, "Your own spend cap has no room for another request.",
        "Raise it (SpendCap(usd=…), --max-cost), or lower max_tokens; a cap of a day begins anew at 00:00 UTC. "
        + _RESUME, scope=Scope.ACCOUNT, resumable=True),
    KindRow(ErrorKind.ACCOUNT_HOLD, "The organisation is on hold or its encryption key cannot be used.",
        "Contact whoever runs the organisation; the message says more. " + _RESUME,
        codes=("organization_on_hold", "cmek_key_disabled", "cmek_key_network_blocked"),
        scope=Scope.ACCOUNT, resumable=True),
    KindRow(ErrorKind.PERMISSION, "The key may not use this model or feature.",
        "Use a key of a workspace that has access.", (403,), ("permission_error",)),
    KindRow(ErrorKind.PROFILE, "The user profile, or the sandbox of this one job, is not allowed to do this.",
        "Correct the profile or the sandbox settings; jobs of other profiles go on. " + _RESUME,
        codes=("user_profile_*", "sandbox_egress_restricted"), scope=Scope.PROFILE,
        scopes=(("sandbox_egress_restricted", Scope.JOB),)),
    KindRow(ErrorKind.NOT_FOUND, "The model (or another resource) does not exist, is retired, or is not open to "
        "this key.", "Correct the id the message names; jobs of other models go on.", (404,),
        ("not_found_error",), ("thread_not_found", "file_expired"), scopes=(("model:", Scope.MODEL),)),
    KindRow(ErrorKind.REQUEST_TIMEOUT, "The request body did not arrive in time; nothing was done.",
        "Check the connection, or send a smaller body.", (408,), codes=("request_body_timeout",),
        over=("timeout_error",), attempts=5, backoff=Backoff(0.5, 30.0)),
    KindRow(ErrorKind.CONFLICT, "Another operation on the same resource was under way.",
        "Nothing, unless it persists.", (409,), ("conflict_error",), attempts=5, backoff=Backoff(0.5, 30.0)),
    KindRow(ErrorKind.CONFLICT_FINAL, "A conflict that does not go away by itself.",
        "Resolve what the message names.", codes=("skill_read_blocked_undecryptable",)),
    KindRow(ErrorKind.REQUEST_TOO_LARGE, "The request body is over the API's 32 MB.",
        "Send large files through the Files API or split the request.", (413,), ("request_too_large",),
        ("request_body_too_large_after_decoding",), over=("invalid_request_error",)),
    KindRow(ErrorKind.UNPROCESSABLE, "The request is well-formed but a field is not accepted.",
        "Correct the field the message names.", (422,), ("unprocessable_entity",),
        over=("invalid_request_error",)),
    KindRow(ErrorKind.CLIENT_ERROR, "The API refused the request with a status headway does not know.",
        "Read the message; report it if it looks like a fault of headway."),
    KindRow(ErrorKind.RATE_LIMIT, "A rate limit was reached.",
        "Nothing: headway waits and slows down. If it persists for an hour, others use up the limit.",
        (429,), ("rate_limit_error",), throttle=True, resumable=True),
    KindRow(ErrorKind.RAMP_LIMIT, "Usage grew faster than the API allows.", "Nothing: headway climbs more slowly.",
        codes=("ramp_limit_exceeded",), throttle=True, resumable=True),
    KindRow(ErrorKind.CONCURRENCY_LIMIT, "Too many requests at the same time.",
        "Nothing: headway lowers the number in flight.", patterns=("number of concurrent connections",),
        within=("rate_limit_error",), throttle=True, narrows=True, resumable=True),
    KindRow(ErrorKind.OVERLOADED, "The API is overloaded for everybody; your limits are not concerned.",
        "Nothing: headway probes gently and resumes. See status.claude.com when it lasts.",
        (529,), ("overloaded_error",), ("compaction_unavailable",), throttle=True, resumable=True),
    KindRow(ErrorKind.API_ERROR, "An unexpected error inside the API.", "Nothing, unless it persists.",
        (500,), ("api_error",), attempts=3, backoff=Backoff(1.0, 30.0), maybe_billed=True),
    KindRow(ErrorKind.BAD_GATEWAY, "A gateway before the API failed.", "Nothing, unless it persists.",
        (502, 520, 521, 522, 523, 524), also=("bad_gateway",), over=("api_error",), attempts=6,
        backoff=Backoff(schedule=(3.0, 10.0, 30.0, 60.0, 120.0)), maybe_billed=True),
    KindRow(ErrorKind.UNAVAILABLE, "The API is temporarily unavailable.", "See status.claude.com when it lasts.",
        (503,), also=("service_unavailable",), codes=("cmek_key_unreachable", "cmek_context_unavailable"),
        over=("api_error",), attempts=6, backoff=Backoff(2.0, 120.0)),
    KindRow(ErrorKind.SERVER_TIMEOUT, "The answer took longer than the API allows for one response.",
        "Nothing: the next attempt is streamed. If it persists, lower max_tokens.", (504,), ("timeout_error",),
        also=("gateway_timeout",), over=("api_error",), attempts=4, backoff=Backoff(1.0, 30.0), maybe_billed=True,
        streams=True),
    KindRow(ErrorKind.MALFORMED, "Status 200, but the body is not a complete message.",
        "Nothing; if it persists, a proxy on the way rewrites answers.", attempts=4, backoff=Backoff(1.0, 30.0),
        maybe_billed=True),
    KindRow(ErrorKind.MISFIT, "The answer is whole, but its text does not fit output_format.",
        "Loosen the type or describe its fields where it says it does not fit, or raise RetryPolicy.max_misfits: "
        "every answer is billed.", attempts=2, billed=True),
    KindRow(ErrorKind.CONNECTION, "No connection could be made.", "Check network, proxy and base URL.",
        attempts=5, backoff=Backoff(0.5, 30.0)),
    KindRow(ErrorKind.POOL_TIMEOUT, "No free connection in the client's own pool.",
        "Lower Flow.max_in_flight or give the client a larger pool.", attempts=5, backoff=Backoff(0.5, 10.0),
        narrows=True),
    KindRow(ErrorKind.ATTEMPT_TIMEOUT, "The answer did not arrive within the attempt's time limit.",
        "Raise the timeout or lower max_tokens.", attempts=5, backoff=Backoff(0.5, 30.0), maybe_billed=True),
    KindRow(ErrorKind.DISCONNECTED, "The connection broke after the request was sent.",
        "Nothing, unless it persists.", attempts=5, backoff=Backoff(0.5, 30.0), maybe_billed=True),
    KindRow(ErrorKind.STREAM_CUT, "The stream ended before the message was complete.",
        "Nothing, unless it persists.", attempts=5, backoff=Backoff(0.5, 30.0), maybe_billed=True),
    KindRow(ErrorKind.STREAM_STALL, "The stream was open but brought nothing new; pings do not count.",
        "Nothing, unless it persists; raise Flow.idle_timeout for answers with long silent thinking.",
        attempts=5, backoff=Backoff(0.5, 30.0), maybe_billed=True),
    KindRow(ErrorKind.STREAM_INTERRUPTED, "A stream broke after part of its answer was shown, and is not resumed.",
        "Use what arrived (error.partial), or allow scheduler.stream(…, resume=True).", maybe_billed=True),
    KindRow(ErrorKind.BATCH_EXPIRED, "The batch ended after 24 hours before this request's turn came; nothing was "
        "billed for it.", "Nothing: it goes into the next batch; with lane=\"auto\" it goes live.", attempts=3,
        resumable=True),
    KindRow(ErrorKind.BATCH_CANCELLED, "The batch was cancelled, by somebody else, before this request's turn came; "
        "nothing was billed for it.", "Run it again to send it in another batch.", resumable=True),
    KindRow(ErrorKind.BATCH_LOST, "The batch this request was in cannot be found or read any more.",
        "If the key is of another workspace, use one of the workspace that created the batch. Else send it again "
        "(--retry-failed): it may have been billed.", maybe_billed=True),
    KindRow(ErrorKind.DEADLINE, "The job's deadline passed.", "Give it more time or a higher priority."),
    KindRow(ErrorKind.STOPPED, "The scheduler stopped before the job was finished.",
        "Run it again: nothing finished is sent twice.", resumable=True),
    KindRow(ErrorKind.JOURNAL, "The journal could not be written, so nothing more was sent.",
        "Free disk space or mend the permissions, then run again.", scope=Scope.ACCOUNT, resumable=True),
    KindRow(ErrorKind.INTERNAL, "headway itself failed.", "Please report it with the traceback."),
)  # fmt: skip
ROW: Final[dict[ErrorKind, KindRow]] = {row.kind: row for row in TABLE}
