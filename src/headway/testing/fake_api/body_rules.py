"""What the API refuses in the body of a Messages request, apart from the turns themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, cast

from headway.testing.fake_api.cache_rules import check_cache
from headway.testing.fake_api.catalog import MODELS, Model
from headway.testing.fake_api.parameter_rules import check_parameters
from headway.testing.fake_api.sample import sample
from headway.testing.fake_api.tool_rules import check_tools
from headway.testing.fake_api.turn_rules import check_turns
from headway.testing.fake_api.wire_error import WireError, invalid

Body = dict[str, object]
_KNOWN: Final = frozenset(
    {
        "betas",
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "thread",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "transformations",
        "user_profile_id",
        "workspace_id",
    }
)


def parse_body(raw: bytes) -> Body:
    """The body as an object, or the API's complaint."""
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise invalid("Input should be a valid dictionary or object to extract fields from")
    return cast("Body", value)


def check_message(body: Body, version: str) -> Model:
    """Raise what ``POST /v1/messages`` would answer; ``version`` is the ``anthropic-version`` header."""
    for name in body:
        if name not in _KNOWN:
            raise invalid(f"{name}: Extra inputs are not permitted")
    model_id = _required_str(body, "model")
    max_tokens = _required_int(body, "max_tokens")
    check_fields(body)
    model = known_model(model_id)
    if max_tokens < 0:
        raise invalid("max_tokens: Input should be greater than or equal to 0")
    if max_tokens > model.max_output:
        raise invalid(
            f"max_tokens: {max_tokens} > {model.max_output}, which is the maximum allowed number of output "
            f"tokens for {model.id}"
        )
    check_parameters(body, model, version)
    check_turns(body, model)
    check_cache(body)
    return model


def check_count(body: Body) -> Model:
    """Raise what ``POST /v1/messages/count_tokens`` would answer."""
    model_id = _required_str(body, "model")
    check_fields(body)
    model = known_model(model_id)
    check_turns(body, model, counting=True)
    return model


def check_fields(body: Body) -> None:
    """Presence and types of what both endpoints take."""
    if "messages" not in body:
        raise invalid("messages: Field required")
    messages = body["messages"]
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    if len(cast("list[object]", messages)) > 100_000:
        raise invalid("messages: List should have at most 100000 items")
    for name, (fits, wanted) in _TYPES.items():
        value = body.get(name)
        if value is not None and not fits(value):
            raise invalid(f"{name}: Input should be {wanted}")
    for where, tool_schema in check_tools(cast("list[object]", body.get("tools") or [])):
        _check_schema(tool_schema, where)
    if (schema := text_schema(body)) is not None:
        _check_schema(schema, "output_config.format.schema")


def known_model(model_id: str) -> Model:
    """The model's facts, or 404."""
    model = MODELS.get(model_id)
    if model is None or model.lifecycle == "retired":
        raise WireError(404, "not_found_error", f"model: {model_id}")
    return model


def too_long(tokens: int, model: Model) -> WireError | None:
    """The complaint about a prompt that is larger than the window."""
    if tokens <= model.window:
        return None
    return invalid(f"prompt is too long: {tokens} tokens > {model.window} maximum")


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


_TYPES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "system": (_is(str, list), "a valid string or list"),
    "stream": (_is(bool), "a valid boolean"),
    "metadata": (_is(dict), "a valid dictionary"),
    "stop_sequences": (_is(list), "a valid list"),
    "tools": (_is(list), "a valid list"),
    "tool_choice": (_is(dict), "a valid dictionary"),
    "thinking": (_is(dict), "a valid dictionary"),
    "output_config": (_is(dict), "a valid dictionary"),
    "temperature": (_is(int, float), "a valid number"),
    "top_p": (_is(int, float), "a valid number"),
    "top_k": (_is(int), "a valid integer"),
}


def _required_str(body: Body, name: str) -> str:
    if name not in body:
        raise invalid(f"{name}: Field required")
    value = body[name]
    if not isinstance(value, str):
        raise invalid(f"{name}: Input should be a valid string")
    if not value:
        raise invalid(f"{name}: String should have at least 1 character")
    return value


def _required_int(body: Body, name: str) -> int:
    if name not in body:
        raise invalid(f"{name}: Field required")
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(f"{name}: Input should be a valid integer")
    return value


def _check_schema(schema: Body, where: str) -> None:
    try:
        sample(schema)
    except ValueError:
        raise invalid(f"{where}: JSON schema is invalid. It must match JSON Schema draft 2020-12") from None


def text_schema(body: Body) -> Body | None:
    """The schema of a structured output."""
    output = cast("Body", body.get("output_config") or {})
    chosen = output.get("format") or body.get("output_format")
    if not isinstance(chosen, dict):
        return None
    schema = cast("Body", chosen).get("schema")
    return cast("Body", schema) if isinstance(schema, dict) else None
