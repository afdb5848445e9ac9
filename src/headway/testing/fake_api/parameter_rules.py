"""What the API refuses in the parameters beside the messages: sampling, thinking, tool choice and small ones."""

from __future__ import annotations

from typing import Final, cast

from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.wire_error import invalid

Body = dict[str, object]
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_NEW_VERSION: Final = "2026-10-21"
_FAST: Final = frozenset(
    {("opus", (4, 8)), ("opus", (5, 0)), ("opus", (5, 5)), ("fable", (5, 2)), ("mythos", (5, 2))}
)
_UNFORCED: Final = frozenset(
    {
        *((line, (5, minor)) for line in ("fable", "mythos") for minor in (1, 2)),
        ("mythos", (4, 9)),
        ("opus", (5, 5)),
        ("sonnet", (5, 5)),
    }
)


def check_parameters(body: Body, model: Model, version: str) -> None:
    """Raise the API's complaint about the parameters, if any; ``version`` is the ``anthropic-version``."""
    _check_sampling(body, model, version)
    _check_thinking(body, model)
    _check_tool_choice(body, model)
    _check_small(body, model)


def _fields(body: Body, name: str) -> Body:
    return cast("Body", body.get(name) or {})


def _check_sampling(body: Body, model: Model, version: str) -> None:
    for name in _SAMPLING:
        if body.get(name) is None:
            continue
        if version >= _NEW_VERSION:
            raise invalid(f"{name}: Extra inputs are not permitted")
        if model.version >= (4, 7):
            raise invalid(f"`{name}` is not supported by this model")


def _check_thinking(body: Body, model: Model) -> None:
    thinking = _fields(body, "thinking")
    kind = thinking.get("type")
    if kind is None:
        return
    if not accepts_thinking(model, str(kind)):
        advice = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        adaptive = accepts_thinking(model, "adaptive")
        raise invalid(f'"thinking.type.{kind}" is not supported for this model.{advice if adaptive else ""}')
    if kind == "enabled":
        budget, max_tokens = thinking.get("budget_tokens"), cast("int", body["max_tokens"])
        if not isinstance(budget, int) or budget < 1024:
            raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= max_tokens:
            raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")
    off_to_high = (model.line, model.version) == ("opus", (5, 0))
    if (
        kind == "disabled"
        and off_to_high
        and _fields(body, "output_config").get("effort") in ("xhigh", "max")
    ):
        raise invalid('"thinking.type.disabled" is not supported with this effort level for this model.')


def _check_tool_choice(body: Body, model: Model) -> None:
    choice = _fields(body, "tool_choice")
    kind = choice.get("type")
    if not choice:
        return
    if kind not in ("auto", "any", "tool", "none"):
        raise invalid(
            f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
            "'auto', 'any', 'tool', 'none'"
        )
    if kind in ("auto", "none"):
        return
    if (model.line, model.version) in _UNFORCED:
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')
    thinks = _fields(body, "thinking").get("type")
    if thinks == "enabled" or (thinks == "adaptive" and model.version < (4, 7)):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    names = [cast("Body", tool).get("name") for tool in cast("list[object]", body.get("tools") or [])]
    if kind == "tool" and choice.get("name") not in names:
        raise invalid(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")


def _check_small(body: Body, model: Model) -> None:
    for item in cast("list[object]", body.get("stop_sequences") or []):
        if not isinstance(item, str):
            raise invalid("stop_sequences.0: Input should be a valid string")
        if not item.strip():
            what = "contain non-whitespace" if item else "be non-empty"
            raise invalid(f"stop_sequences: each stop sequence must {what}")
    for name, value in _fields(body, "metadata").items():
        if name != "user_id":
            raise invalid(f"metadata.{name}: Extra inputs are not permitted")
        if value is not None and not isinstance(value, str):
            raise invalid("metadata.user_id: Input should be a valid string")
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        raise invalid("service_tier: Input should be 'auto' or 'standard_only'")
    speed = body.get("speed")
    if speed not in (None, "standard", "fast"):
        raise invalid("speed: Input should be 'standard' or 'fast'")
    if speed == "fast" and (model.line, model.version) not in _FAST:
        raise invalid("speed: 'fast' is not supported for this model.")


def accepts_thinking(model: Model, kind: str) -> bool:
    """Whether the model takes ``thinking.type``; the Models API says the same."""
    this = (model.line, model.version)
    match kind:
        case "enabled":
            return model.version < (4, 7) or this == ("mythos", (4, 9))
        case "adaptive":
            return model.version > (4, 5)
        case "disabled":
            fixed = model.line in {"fable", "mythos"} or this in (("opus", (5, 5)), ("sonnet", (5, 5)))
            return not fixed
        case "between_tools":
            return this == ("sonnet", (5, 5))
        case _:
            return False
