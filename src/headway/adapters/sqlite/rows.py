"""Between headway's values and rows: what is stored of a request, a job's progress and an ending, and the checks.

Text is UTF-8. What UTF-8 cannot hold (a lone surrogate, which JSON can) is stored as a blob of the same bytes.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, cast

from headway.core.amendment import Amendment
from headway.core.change import Change
from headway.core.job import JobRecord, JobState
from headway.core.lane import Lane
from headway.core.outcome import Ending, failure_from_json, failure_to_json
from headway.core.request import CALL_OPTIONS, Request
from headway.core.usage import Usage

Text = str | bytes
"""A text column as it is bound: bytes only for what UTF-8 cannot hold."""

_SECRET_NAMES: Final = (
    "auth",
    "api-key",
    "apikey",
    "api_key",
    "token",
    "secret",
    "credential",
    "cookie",
    "password",
)
_SECRET_VALUES: Final = ("bearer ", "basic ", "sk-ant-")
_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_ASCII: Final = json.JSONEncoder(separators=(",", ":"))
"""Made once: ``json.dumps`` with options makes an encoder for every call."""
_USAGE: Final = tuple(field.name for field in fields(Usage))


class RowError(Exception):
    """A row does not agree with its checksum, or makes no sense."""


def storable(text: str) -> Text:
    """A text as SQLite can take it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_of(stored: bytes) -> str:
    """The inverse of `storable`, for a column that was read."""
    try:
        return stored.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise RowError("text that is not UTF-8") from None


def checksum(*columns: object) -> int:
    """CRC-32 of the columns and their lengths, whether they are about to be written or were read."""
    parts = [_bytes_of(column) for column in columns]
    lengths = ",".join([str(len(part)) for part in parts])
    return zlib.crc32(b"".join((lengths.encode(), *parts)))


def _bytes_of(column: object) -> bytes:
    if isinstance(column, bytes):
        return column
    return b"\x00" if column is None else str(column).encode("utf-8", "surrogatepass")


def state_of(stored: bytes) -> JobState:
    """A stored state."""
    try:
        return JobState(stored.decode())
    except ValueError:
        raise RowError("a state that does not exist") from None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is entered: everything that takes time is done before the transaction needs it."""

    key: Text
    hash: bytes
    priority: int
    tenant: Text
    request: Text

    @property
    def columns(self) -> tuple[object, ...]:
        """The checked columns, in the order of the table."""
        return self.key, self.hash, self.priority, self.tenant, self.request


def job_row(record: JobRecord) -> JobRow:
    """Raises `RequestError` for a request that JSON cannot hold."""
    request = record.request
    return JobRow(
        storable(record.key),
        request.content_digest(),
        int(record.priority),
        storable(record.tenant),
        storable(_request_text(request)),
    )


def _request_text(request: Request) -> str:
    stored: dict[str, object] = {"params": request.params}
    if options := _storable_options(request.options):
        stored["options"] = options
    if request.custom_id is not None:
        stored["custom_id"] = request.custom_id
    if request.tag:
        stored["tag"] = request.tag
    if request.tenant:
        stored["tenant"] = request.tenant
    # Not canonical: the order of keys in a tool's schema is part of the prompt.
    return _COMPACT.encode(stored)


def request_of(stored: bytes) -> Request:
    """The request of a stored row."""
    try:
        data = cast("dict[str, object]", json.loads(text_of(stored)))
        params = cast("dict[str, object]", data["params"])
        return Request(
            params,
            cast("dict[str, object]", data.get("options", {})),
            cast("str | None", data.get("custom_id")),
            tag=cast("str", data.get("tag", "")),
            tenant=cast("str", data.get("tenant", "")),
        )
    except (ValueError, KeyError, TypeError):
        raise RowError("a request that is not JSON") from None


def _storable_options(options: Mapping[str, object]) -> dict[str, object]:
    """The call's options that are plain JSON and hold no secret."""
    stored: dict[str, object] = {}
    for name in sorted(CALL_OPTIONS & options.keys()):
        value = options[name]
        if name in {"extra_headers", "extra_query"}:
            if not isinstance(value, Mapping):
                continue
            items = cast("Mapping[str, object]", value).items()
            value = {key: item for key, item in items if _is_json(item) and not _secret(key, item)}
        if _is_json(value):
            stored[name] = value
    return stored


def _secret(name: str, value: object) -> bool:
    lowered = name.lower()
    if lowered == "key" or any(part in lowered for part in _SECRET_NAMES):
        return True
    return isinstance(value, str) and any(part in value.lower() for part in _SECRET_VALUES)


def _is_json(value: object) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def amendment_columns(amendment: Amendment) -> tuple[Text, int]:
    """An amendment as JSON, and its checksum."""
    text = storable(amendment.to_json())
    return text, checksum(text)


def amendment_of_columns(stored: bytes, check: int) -> Amendment:
    """The inverse; raises `RowError` when the row was damaged."""
    if checksum(stored) != check:
        raise RowError("an amendment that does not agree with its checksum")
    try:
        return Amendment.from_json(text_of(stored))
    except (ValueError, KeyError, TypeError):
        raise RowError("an amendment that makes no sense") from None


def ending_columns(ending: Ending) -> tuple[Text, str, Text | None, str]:
    """Key, state, body and facts (JSON) of an ending."""
    facts: dict[str, object] = {
        "failure": None if ending.failure is None else failure_to_json(ending.failure),
        "usage": {name: getattr(ending.usage, name) for name in _USAGE},
        "stop_reason": ending.stop_reason,
        "request_id": ending.request_id,
        "cost": ending.cost,
        "sends": ending.sends,
        "maybe_billed": ending.maybe_billed,
        "queued_seconds": ending.queued_seconds,
        "running_seconds": ending.running_seconds,
        "resumable": ending.resumable,
    }
    facts |= {name: text for name, text in (("tenant", ending.tenant), ("tag", ending.tag)) if text}
    if ending.lane is not Lane.LIVE:
        facts["lane"] = ending.lane.value
    if ending.changes:
        facts["changes"] = [change.to_json() for change in ending.changes]
    if ending.copy_of is not None:
        facts["copy_of"] = ending.copy_of
    body = None if ending.body is None else storable(ending.body)
    return storable(ending.key), ending.state.value, body, _ASCII.encode(facts)


def ending_of_columns(key: bytes, state: bytes, body: bytes | None, facts: bytes, check: int) -> Ending:
    """The inverse; raises `RowError` when the row was damaged."""
    if checksum(key, state, body, facts) != check:
        raise RowError("an ending that does not agree with its checksum")
    known = cast("dict[str, object]", json.loads(facts))
    failure = cast("dict[str, object] | None", known.pop("failure"))
    usage = Usage(**cast("dict[str, Any]", known.pop("usage")))
    changes = cast("list[dict[str, object]]", known.pop("changes", ()))
    lane = Lane(known.pop("lane", Lane.LIVE))
    return Ending(
        text_of(key),
        state_of(state),
        None if body is None else text_of(body),
        None if failure is None else failure_from_json(failure),
        usage,
        changes=tuple(Change.from_json(change) for change in changes),
        lane=lane,
        **known,  # type: ignore[arg-type]
    )
