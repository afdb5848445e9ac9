"""``GET /v1/models`` and ``GET /v1/models/{id}``."""

from __future__ import annotations

import json
from functools import lru_cache

from aiohttp import web

from headway.testing.fake_api.catalog import MODELS, Model
from headway.testing.fake_api.parameter_rules import accepts_thinking
from headway.testing.fake_api.wire_error import WireError, invalid

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THINKING = ("adaptive", "between_tools", "disabled", "enabled")


def list_models(query: web.BaseRequest) -> bytes:
    """One page, newest first: ``limit``, ``after_id``, ``before_id``, ``lifecycle`` (retired ones when asked)."""
    asked = query.query
    wanted = {*asked.getall("lifecycle", []), *asked.getall("lifecycle[]", [])} or {"active", "deprecated"}
    rows = [model for model in MODELS.values() if model.alias_of is None and model.lifecycle in wanted]
    limit = _limit(asked.get("limit", "20"))
    ids = [model.id for model in rows]
    begin, end = 0, len(rows)
    if after := asked.get("after_id"):
        begin = ids.index(after) + 1 if after in ids else end
    if before := asked.get("before_id"):
        end = ids.index(before) if before in ids else 0
        begin = max(begin, end - limit)
    page = rows[begin : min(end, begin + limit)]
    more = begin > 0 if asked.get("before_id") else begin + limit < end
    content = {
        "data": [describe(model) for model in page],
        "has_more": more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }
    return json.dumps(content).encode()


def get_model(model_id: str) -> bytes:
    """One model; an alias gives the model it stands for."""
    model = MODELS.get(model_id)
    if model is None:
        raise WireError(404, "not_found_error", f"model: {model_id}")
    return json.dumps(describe(MODELS[model.alias_of or model.id])).encode()


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise invalid("limit: Input should be a valid integer between 1 and 1000")
    return int(text)


@lru_cache(maxsize=64)
def describe(model: Model) -> dict[str, object]:
    """The model as a ModelInfo."""
    deprecated = model.lifecycle != "active"
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created_at,
        "lifecycle": model.lifecycle,
        "deprecated_at": "2026-04-14T00:00:00Z" if deprecated else None,
        "retires_at": model.retires_at,
        "line": model.line,
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Model) -> dict[str, object]:
    new = model.version > (4, 5)
    return {
        "batch": _flag(True),
        "citations": _flag(True),
        "code_execution": _flag(True),
        "context_management": {
            "supported": True,
            "clear_thinking_20251015": _flag(True),
            "clear_tool_uses_20250919": _flag(True),
            "compact_20260112": _flag(new),
        },
        "effort": {"supported": new} | {name: _flag(new) for name in _EFFORTS},
        "image_input": _flag(True),
        "pdf_input": _flag(True),
        "server_tools": {"supported": True, "web_search": _flag(True), "code_execution": _flag(True)},
        "structured_outputs": _flag(True),
        "thinking": {
            "supported": True,
            "types": {name: _flag(accepts_thinking(model, name)) for name in _THINKING},
        },
    }


def _flag(supported: bool) -> dict[str, object]:
    return {"supported": supported}
