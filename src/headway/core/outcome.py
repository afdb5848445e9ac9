"""How a job ended, and the line that says so in a file.

Lines are Message Batches results (https://platform.claude.com/docs/en/api/messages/batches/results) plus a
``headway`` object, so whatever reads batch results reads ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from headway.core.amendment import add_costs
from headway.core.change import Change
from headway.core.error_kind import ROW, ErrorKind
from headway.core.events import Copied, Expired, Failed, JobEvent, Kept, Parked, Succeeded
from headway.core.failure import Failure, scope_of
from headway.core.job import JobRecord, JobState
from headway.core.lane import Lane
from headway.core.usage import NO_USAGE, Usage

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))
_UNFIT: Final = re.compile(r"[\r\n\x85\u2028\u2029\ud800-\udfff]")
"""What must not stand in a line of a file as it is."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's end in plain values: what the journal stores and the output file says."""

    key: str
    state: JobState
    body: str | None = field(default=None, repr=False)
    """The message as JSON text when the job succeeded."""
    failure: Failure | None = None
    usage: Usage = NO_USAGE
    """Of the answer and of all that came before it (follow-ups)."""
    stop_reason: str | None = None
    request_id: str | None = None
    cost: float | None = None
    """USD at list price; ``None`` when unknown."""
    sends: int = 0
    """Requests sent for it."""
    maybe_billed: int = 0
    """Sends that may have been billed without an answer reaching us."""
    queued_seconds: float = 0.0
    running_seconds: float = 0.0
    resumable: bool = False
    """It did not finish, and may be sent again."""
    changes: tuple[Change, ...] = ()
    """What was changed in its request: repairs and follow-ups, in order."""
    tenant: str = ""
    tag: str = ""
    """What its cost is counted under."""
    lane: Lane = Lane.LIVE
    """Which way its last request went."""
    copy_of: str | None = None
    """The key of the job with an identical request whose answer this is: nothing was sent for it."""

    def line(self) -> str:
        """One line of an output file, without the newline."""
        head = f'{{"custom_id":{json.dumps(self.key)},"result":'
        return f'{head}{self._result()},"headway":{_COMPACT.encode(self._facts())}}}'

    def _result(self) -> str:
        if self.state is JobState.SUCCEEDED and self.body is not None:
            return f'{{"type":"succeeded","message":{_one_line(self.body)}}}'
        if self.state is JobState.CANCELLED:
            return '{"type":"canceled"}'
        if self.state is JobState.EXPIRED:
            return '{"type":"expired"}'
        failure = self.failure
        inner: dict[str, object] = {
            "type": (failure and failure.type) or "api_error",
            "message": failure.message if failure else "",
        }
        if failure and failure.error_code:
            inner["details"] = {"error_code": failure.error_code}
        error = {"type": "error", "error": inner, "request_id": failure.request_id if failure else None}
        return _COMPACT.encode({"type": "errored", "error": error})

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {
            "attempts": self.sends,
            "queued_seconds": round(self.queued_seconds, 3),
            "running_seconds": round(self.running_seconds, 3),
            "cost_usd": None if self.cost is None else round(self.cost, 9),
            "lane": self.lane.value,
        }
        facts |= {name: text for name, text in (("tenant", self.tenant), ("tag", self.tag)) if text}
        if self.changes:
            facts["repairs"] = [change.to_json() for change in self.changes]
        if self.copy_of is not None:
            facts["copy_of"] = self.copy_of
        if self.maybe_billed:
            facts["maybe_billed"] = self.maybe_billed
        if self.failure is not None:
            facts["kind"] = self.failure.kind.value
            facts["status"] = self.failure.status
            facts["remedy"] = self.failure.remedy
        return facts


def ending_of(record: JobRecord, event: JobEvent) -> Ending | None:
    """The ending that an event brought to a record (already advanced); ``None`` while the job goes on."""
    if not (record.state.final or isinstance(event, Parked)):
        return None
    now = event.at
    amendment = record.amendment
    running = sum([(now if a.ended is None else a.ended) - a.started for a in record.attempts])
    body = stop_reason = request_id = copy_of = None
    usage, cost = amendment.spent, None if amendment.spent == NO_USAGE else amendment.cost
    held = amendment.held
    match event:
        case Succeeded(body=body, stop_reason=stop_reason, request_id=request_id):
            usage = event.usage if usage is NO_USAGE else usage + event.usage
            cost = add_costs(amendment.cost, event.cost)
        case Kept() if held is not None:
            body, stop_reason, request_id = held.body, held.stop_reason, held.request_id
        case Copied(body=body, of=copy_of, stop_reason=stop_reason, request_id=request_id):
            cost = amendment.cost
        case _:
            pass
    return Ending(
        key=record.key,
        state=record.state if record.state.final else JobState.FAILED,
        body=body,
        failure=event.failure if isinstance(event, Failed | Parked | Expired) else None,
        usage=usage,
        stop_reason=stop_reason,
        request_id=request_id,
        cost=cost,
        sends=record.sends,
        maybe_billed=record.maybe_billed,
        queued_seconds=max(0.0, now - record.submitted - running),
        running_seconds=running,
        resumable=not record.state.final,
        changes=amendment.changes,
        tenant=record.tenant,
        tag=record.request.tag,
        lane=record.lane,
        copy_of=copy_of,
    )


def _one_line(body: str) -> str:
    """A body as a single line of JSON, otherwise as it came: gateways pretty-print.

    Inside a JSON string a line feed is always escaped, so a bare one is white space. Unicode's own line ends,
    where ``str.splitlines`` would break, and lone surrogates, which UTF-8 cannot hold, stand in strings only.
    """
    return _UNFIT.sub(lambda found: " " if found[0] in "\r\n" else f"\\u{ord(found[0]):04x}", body)


def failure_to_json(failure: Failure) -> dict[str, object]:
    """A failure as plain JSON, for the journal."""
    fields = ("message", "status", "type", "error_code", "request_id", "retry_after")
    known: dict[str, object] = {name: getattr(failure, name) for name in fields}
    return {"kind": failure.kind.value, **known}


def failure_from_json(data: Mapping[str, object]) -> Failure:
    """The inverse; a kind this version does not know becomes ``internal``."""
    known = {kind.value for kind in ErrorKind}
    kind = ErrorKind(data["kind"]) if data.get("kind") in known else ErrorKind.INTERNAL
    code, message = cast("str | None", data.get("error_code")), str(data.get("message", ""))
    return Failure(
        kind,
        message,
        cast("int | None", data.get("status")),
        cast("str | None", data.get("type")),
        code,
        cast("str | None", data.get("request_id")),
        cast("float | None", data.get("retry_after")),
        scope_of(ROW[kind], code, message),
    )
