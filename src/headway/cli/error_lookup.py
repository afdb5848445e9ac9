"""Finding the row for whatever a user has in hand: a status, a type, a code, a class name or a pasted message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from headway.cli.handbook import Entry, handbook, rules_by_name
from headway.core.error_code import ERROR_CODES, ErrorCode
from headway.core.error_kind import TABLE, ErrorKind
from headway.core.failure import ErrorResponse, classify
from headway.core.stop_reason import STOP_REASONS, StopReason
from headway.preflight.rule import Rule

SDK_CLASSES: Final = {
    "APIConnectionError": (ErrorKind.CONNECTION, ErrorKind.DISCONNECTED, ErrorKind.POOL_TIMEOUT),
    "APITimeoutError": (ErrorKind.ATTEMPT_TIMEOUT,),
    "APIResponseValidationError": (ErrorKind.MALFORMED,),
    "CredentialsError": (ErrorKind.AUTHENTICATION,),
}
"""Exceptions of the SDK that come without a status."""
SDK_STATUSES: Final = {
    "BadRequestError": 400, "AuthenticationError": 401, "PaymentRequiredError": 402,
    "PermissionDeniedError": 403, "NotFoundError": 404, "RequestTimeoutError": 408, "ConflictError": 409,
    "ContentTooLargeError": 413, "RequestTooLargeError": 413, "UnprocessableEntityError": 422,
    "RateLimitError": 429, "InternalServerError": 500, "ServiceUnavailableError": 503,
    "GatewayTimeoutError": 504, "DeadlineExceededError": 504, "OverloadedError": 529,
}  # fmt: skip
"""The SDK's exception classes (2.12, ``_error_classes.py``)."""
NEAREST: Final = 5
"""Names offered when nothing matches."""
_STATUS: Final = re.compile(r"(?<![\w.,])([45]\d\d)(?![\w,]|\.\d)")
_MESSAGE: Final = re.compile(r"""["']message["']\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Found:
    """What a query leads to."""

    entries: tuple[Entry, ...] = ()
    """The kind meant first; behind it others that come with the same status or type."""
    code: ErrorCode | None = None
    """The very code that was asked for."""
    rules: tuple[Rule, ...] = ()
    stop_reasons: tuple[StopReason, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.rules or self.stop_reasons)


def look_up(query: str) -> Found:
    """What a status, kind, type, code, exception's name, rule, stop reason or message means; empty: nothing."""
    text = query.strip().strip("\"'")
    name = re.sub(r"[\s-]+", "_", text.rstrip(".!").lower())
    return _by_name(name) or _by_status(text) or _by_class(text) or _pasted(text) or _by_words(text)


def nearest(query: str) -> list[str]:
    """Names that look like the query, the likest first."""
    name = re.sub(r"[\s-]+", "_", query.strip().lower())
    return difflib.get_close_matches(name, sorted(_names()), NEAREST, cutoff=0.5)


def _names() -> set[str]:
    names = {entry.name for entry in handbook()} | set(rules_by_name())
    names |= {code.name for code in ERROR_CODES} | {reason.name for reason in STOP_REASONS}
    return names | {name for row in TABLE for name in (*row.types, *row.also)}


def _by_name(name: str) -> Found:
    kinds = [
        entry.row.kind for entry in handbook() if name in (entry.name, *entry.row.types, *entry.row.also)
    ]
    code = next((code for code in ERROR_CODES if code.name == name), None)
    if code is not None or any(_claims(name, row.codes) for row in TABLE):
        kinds.append(classify(ErrorResponse(code.status if code else 400, error_code=name)).kind)
    return Found(
        _entries(kinds),
        code,
        tuple(rules_by_name().get(name, ())),
        tuple(reason for reason in STOP_REASONS if reason.name == name),
    )


def _claims(name: str, codes: Iterable[str]) -> bool:
    return any(name == code or (code[-1] == "*" and name.startswith(code[:-1])) for code in codes)


def _by_status(text: str) -> Found:
    if not re.fullmatch(r"[1-5]\d\d", text):
        return Found()
    status = int(text)
    if status < 400:
        return Found(_entries([ErrorKind.MALFORMED]) if status == 200 else ())
    first = classify(ErrorResponse(status)).kind
    return Found(_entries([first, *_beside(first, status)]))


def _beside(kind: ErrorKind, status: int) -> Iterator[ErrorKind]:
    """Kinds that come with the same status but are told apart by a code or the message."""
    types = next(set(row.types) for row in TABLE if row.kind is kind)
    for entry in handbook():
        if types & set(entry.row.within) or any(code.status == status for code in entry.codes):
            yield entry.row.kind


def _by_class(text: str) -> Found:
    name = text.rpartition(".")[2]
    if not re.fullmatch(r"[A-Z]\w+", name):
        return Found()
    if name in SDK_CLASSES:
        return Found(_entries(SDK_CLASSES[name]))
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.removesuffix("Error")).lower()
    if any(code.name == snake for code in ERROR_CODES):
        return _by_name(snake)
    ours = [entry.row.kind for entry in handbook() if entry.exception == name]
    if name in SDK_STATUSES:
        return Found(_entries([*_kinds_of_status(SDK_STATUSES[name]), *ours]))
    return Found(_entries(ours))


def _kinds_of_status(status: int) -> list[ErrorKind]:
    return [entry.row.kind for entry in _by_status(str(status)).entries]


def _pasted(text: str) -> Found:
    """A message, a body or a whole line of a log."""
    words = set(_WORD.findall(text))
    code = next((code for code in ERROR_CODES if code.name in words), None)
    kind_type = next((name for row in TABLE for name in (*row.types, *row.also) if name in words), None)
    stated = _STATUS.search(text)
    inner = _MESSAGE.search(text)
    message = next(filter(None, inner.groups()), "") if inner else text
    if (pattern := _by_pattern(message, kind_type)) and code is None:
        return Found(_entries([pattern]))
    if code or kind_type or (stated and len(words) > 1):
        status = int(stated[1]) if stated else code.status if code else 400
        failure = classify(ErrorResponse(status, kind_type, code.name if code else None, message))
        return Found(_entries([failure.kind]), code)
    ours = re.match(r"(\w+)(?: \(|: )", text)
    if ours and ours[1] in set(ErrorKind):
        return Found(_entries([ErrorKind(ours[1])]))
    field = rules_by_name().get(message.partition(":")[0].strip())
    if field:  # a complaint that begins with its parameter
        return Found(rules=tuple(field))
    names = [_by_class(word) for word in sorted(words) if word.endswith("Error")]
    return next((found for found in names if found), Found())


def _by_pattern(message: str, kind_type: str | None) -> ErrorKind | None:
    """The kind whose wording this is; without a type, under the types with which it comes."""
    for row in TABLE:
        for name in (kind_type,) if kind_type else row.within:
            if row.patterns and classify(ErrorResponse(200, name, message=message)).kind is row.kind:
                return row.kind
    return None


def _by_words(text: str) -> Found:
    """Rows that speak of all these words; a name that has them says more than prose, and that more than codes."""
    words = [word.lower() for word in _WORD.findall(text) if len(word) > 2]
    words = [word for word in words if word not in {"error", "errors"}]
    for prose in (_name, _wording, _sentences, _codes) if words else ():
        kinds = [entry.row.kind for entry in handbook() if all(word in prose(entry) for word in words)]
        if kinds:
            return Found(_entries(kinds))
    return Found()


def _name(entry: Entry) -> str:
    return entry.name


def _wording(entry: Entry) -> str:
    return " ".join(entry.row.patterns)


def _sentences(entry: Entry) -> str:
    return f"{entry.row.meaning} {entry.row.remedy}".lower()


def _codes(entry: Entry) -> str:
    return " ".join(f"{code.name} {code.meaning}" for code in entry.codes).lower()


def _entries(kinds: Iterable[ErrorKind]) -> tuple[Entry, ...]:
    known = {entry.row.kind: entry for entry in handbook()}
    return tuple(known[kind] for kind in dict.fromkeys(kinds))
