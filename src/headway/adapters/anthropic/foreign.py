"""Error bodies that are not the API's own: gateways, proxies and other platforms have shapes of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

_LONGEST: Final = 2000


def foreign_message(body: object) -> str | None:
    """What a body that is not an API error says went wrong; ``None`` if it cannot be told.

    Knows ``{"message": …}`` (AWS), ``{"error": "…"}`` and ``{"detail": …}`` (FastAPI, whose validation errors
    become ``body.max_tokens: field required``; the value they quote is left out, it may be a prompt).
    """
    if not isinstance(body, Mapping):
        return None
    fields = cast("Mapping[str, object]", body)
    for name in ("message", "error", "detail"):
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()[:_LONGEST]
    detail = fields.get("detail")
    if not isinstance(detail, list):
        return None
    said = [text for item in cast("list[object]", detail) if (text := _validation_error(item))]
    return "; ".join(said)[:_LONGEST] or None


def _validation_error(item: object) -> str | None:
    if not isinstance(item, Mapping):
        return None
    fields = cast("Mapping[str, object]", item)
    where, what = fields.get("loc"), fields.get("msg")
    if not isinstance(what, str):
        return None
    path = ".".join(str(step) for step in cast("list[object]", where)) if isinstance(where, list) else ""
    path = path.removeprefix("body.")
    return f"{path}: {what}" if path else what
