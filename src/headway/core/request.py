"""A Messages request as a value: its body, its key and its content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, MappingView, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

from headway.core.catalog import BUILT_IN, Catalog
from headway.core.faults import RequestError

if TYPE_CHECKING:
    from _typeshed import SupportsItems

_SCALARS: Final = frozenset({str, int, float, bool, bytes, type(None)})
"""Types of values that are plain as they are: what most of a request is made of, told by a look at the type alone."""
_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
CALL_OPTIONS: Final = frozenset({"extra_headers", "extra_query", "extra_body", "timeout"})
"""Keyword parameters of ``messages.create`` that steer the call and are not part of the body."""


@dataclass(frozen=True, slots=True)
class Request:
    """One Messages request. Values are plain JSON, or what the SDK itself accepts in their place."""

    params: Mapping[str, object]
    """The body: the parameters of ``messages.create``, untouched."""
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    """``extra_headers``, ``extra_query``, ``extra_body`` and ``timeout`` of this call."""
    custom_id: str | None = None
    """The caller's name for it, as in Message Batches."""
    output_format: object = None
    """A type for structured output, as in ``messages.parse``; never journalled."""
    tag: str = ""
    """What its cost is counted under (a team, a feature); it is not sent."""
    tenant: str = ""
    """Whose turn it takes and whose cost it is, where the call names nobody; it is not sent."""
    _digest: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """SHA-256 of the content, once it was asked for: journal, key and twins all want it."""

    @property
    def model(self) -> str:
        """The model id."""
        return str(self.params.get("model", ""))

    @property
    def max_tokens(self) -> int:
        """The cap on output tokens."""
        value = self.params.get("max_tokens")
        return value if isinstance(value, int) else 0

    def with_params(self, **changes: object) -> Request:
        """A copy with some parameters changed."""
        return replace(self, params={**self.params, **changes})

    def body_json(self) -> str:
        """The body as canonical JSON: sorted keys, no spaces. Raises `RequestError` on what JSON cannot hold."""
        return canonical_json(self.params)

    def content_hash(self) -> str:
        """`content_digest` in hex."""
        return self.content_digest().hex()

    def content_digest(self) -> bytes:
        """SHA-256 of what determines the answer: the body and the ``extra_body``. Worked out once: the contents of
        a request do not change. Raises `RequestError` on what JSON cannot hold."""
        if self._digest is None:
            extra = self.options.get("extra_body")
            text = self.body_json() if extra is None else canonical_json([self.params, extra])
            # A lone surrogate is no UTF-8, but JSON can hold it: that it cannot be sent is found out elsewhere.
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            object.__setattr__(self, "_digest", digest)
            return digest
        return self._digest

    def __repr__(self) -> str:  # prompts stay private: the contents are not shown
        return f"Request(custom_id={self.custom_id!r}, model={self.params.get('model')!r})"


def build_request(
    prompt: object,
    defaults: Mapping[str, object],
    overrides: Mapping[str, object],
    *,
    custom_id: str | None = None,
    catalog: Catalog = BUILT_IN,
) -> Request:
    """Make a request from what the caller gave.

    ``prompt`` is a string, a list of message dicts, a body (``{"messages": …, …}``), a Message Batches
    request (``{"custom_id", "params"}``, perhaps with ``tag`` and ``tenant``) or a `Request`. ``overrides`` win over
    it; ``defaults`` fill gaps.
    ``newest:sonnet`` as the model becomes the newest active one of that line, by the ``catalog``.
    """
    given: dict[str, object]
    options: dict[str, object] = {}
    if isinstance(prompt, Request):
        given, options = {**prompt.params, "output_format": prompt.output_format}, dict(prompt.options)
        custom_id, labels = custom_id or prompt.custom_id, (prompt.tag, prompt.tenant)
    else:
        given, found_id, labels = _body_of(prompt)
        custom_id = custom_id or found_id
    merged = {
        name: value
        for layer in (defaults, given, overrides)
        for name, value in layer.items()
        if not _is_omitted(value) and not (name == "output_format" and value is None)
    }
    output_format = merged.pop("output_format", None)
    if isinstance(output_format, Mapping):  # a JSON schema in a body is part of that body
        merged["output_format"] = cast("Mapping[str, object]", output_format)
        output_format = None
    options.update({name: merged.pop(name) for name in CALL_OPTIONS if name in merged})
    seconds = options.get("timeout")
    if isinstance(seconds, int | float) and not seconds > 0:
        raise RequestError("timeout", f"must be above 0 seconds, not {seconds!r}")
    try:
        params = {name: plain(value) for name, value in merged.items()}
    except RecursionError:
        raise RequestError("params", "nested too deeply, or contains itself") from None
    _require(params)
    params["model"] = catalog.resolve(str(params["model"]))
    params.pop("stream", None)  # false says what is so anyway
    return Request(params, options, custom_id, output_format, *labels)


def _body_of(prompt: object) -> tuple[dict[str, object], str | None, tuple[str, str]]:
    """The body, its id, and tag and tenant."""
    if isinstance(prompt, str):
        return {"messages": [{"role": "user", "content": prompt}]}, None, ("", "")
    if isinstance(prompt, Mapping):
        body = cast("Mapping[str, object]", prompt)
        if "params" in body:
            params, custom_id = body["params"], body.get("custom_id")
            if not isinstance(params, Mapping):
                raise RequestError(
                    "params", f"must be an object with the request, not {type(params).__name__}"
                )
            if custom_id is not None and not isinstance(custom_id, str):
                raise RequestError("custom_id", f"must be a string, not {type(custom_id).__name__}")
            labels = label_of("tag", body.get("tag")), label_of("tenant", body.get("tenant"))
            return dict(cast("Mapping[str, object]", params)), custom_id, labels
        return dict(body), None, ("", "")
    if isinstance(prompt, Iterable) and not isinstance(prompt, bytes | bytearray):
        return {"messages": list(cast("Iterable[object]", prompt))}, None, ("", "")
    raise RequestError(
        "messages", f"expected a string, a list of messages or a request, not {type(prompt).__name__}"
    )


def label_of(name: str, value: object) -> str:
    """A tag or a tenant as it was given; nothing is the empty one. Raises `RequestError`."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(name, f"must be a string, not {type(value).__name__}")
    return value


def _require(params: Mapping[str, object]) -> None:
    if params.get("stream"):
        raise RequestError("stream", "submit returns whole messages; use scheduler.stream(...) for events")
    messages = params.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError("messages", "must be a non-empty list of {'role': …, 'content': …}")
    for index, message in enumerate(cast("list[object]", messages)):
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            raise RequestError(f"messages.{index}", "must be an object with 'role' and 'content'")
    model = params.get("model")
    if not isinstance(model, str) or not model.strip():
        raise RequestError("model", "missing; pass model=… to the call or to Scheduler(model=…)")
    max_tokens = params.get("max_tokens")
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 0:
        raise RequestError(
            "max_tokens",
            "missing or not a whole number; pass max_tokens=… to the call or to Scheduler(max_tokens=…)",
        )


def _is_omitted(value: object) -> bool:
    """The SDK's ``omit`` and ``NOT_GIVEN`` sentinels mean "not passed"."""
    if type(value) in _SCALARS:
        return False
    return type(value).__name__ in {"Omit", "NotGiven"} and type(value).__module__.startswith("anthropic")


def plain(value: object) -> object:
    """SDK objects (a ``message.content`` put back into the conversation) become plain JSON; the rest is kept."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {
            key: item if type(item) in _SCALARS else plain(item)
            for key, item in cast("dict[str, object]", value).items()
        }
    if kind is list:
        return [plain(item) for item in cast("list[object]", value)]
    if isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in cast("SupportsItems[str, object]", value).items()}
    if _is_list(value):
        return [plain(item) for item in cast("Iterable[object]", value)]
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        # What the SDK itself leaves out of a body (the parsed_output of messages.parse).
        hidden = getattr(value, "__api_exclude__", None)
        return dump(mode="json", by_alias=True, exclude_unset=True, exclude=hidden)
    return value


def _is_list(value: object) -> bool:
    """What the SDK sends as a list; an iterator is read here, once: a second attempt would find it empty."""
    if isinstance(value, bytearray | memoryview) or hasattr(value, "read"):
        return False
    return isinstance(value, Sequence | Iterator | MappingView)


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces. Raises `RequestError` naming what JSON cannot hold."""
    try:
        return _CANONICAL.encode(value)
    except (TypeError, ValueError) as error:
        raise RequestError("params", f"cannot be written as JSON, which the journal needs: {error}") from None
    except RecursionError:
        raise RequestError("params", "nested too deeply to be written as JSON") from None
