"""The most that one answer to a request can be billed: what a spend cap reserves before anything is sent.

A token of text stands for at least one byte of UTF-8, so bytes are a bound where characters are an estimate; output
ends at ``max_tokens``. What cannot be seen in the request (a file by id, a web page, a conversation the server holds)
is taken to fill the model's window. What server tools read over several rounds inside one request, and pages of a
PDF with more than `PAGE` tokens of text, can in principle cost more.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, cast

from headway.core.catalog import Catalog, region_weight
from headway.core.image_size import image_tokens
from headway.core.model_facts import ModelFacts
from headway.core.pdf_facts import pdf_facts
from headway.core.price import PricedLane
from headway.core.request import Request
from headway.core.usage import FAST, Usage

REQUEST: Final = 256
"""Tokens that a request costs beside what stands in it, at most."""
TURN: Final = 16
"""Tokens of a turn beside its content, at most."""
TOOLS: Final = 1024
"""Tokens of the system prompt that explains tools
(https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing names up to 700)."""
PAGE: Final = 8192
"""Tokens of text on a page of a PDF, at most, beside its picture (the guide names 1,500 to 3,000)."""
ITEM: Final = 8
"""Tokens around an item of a list or object, at most."""
WINDOW: Final = 1_000_000
"""Of a model that nothing is known of."""
SEARCHES: Final = 10
"""Web searches of a tool without ``max_uses``."""
_AT_HOME: Final = ("bash_", "text_editor_", "computer_", "memory_", "custom")
"""Types of tools that run at the caller's, not at the server."""
_CONTENTS: Final = (
    "system",
    "tools",
    "messages",
    "output_config",
    "output_format",
    "tool_choice",
    "mcp_servers",
)
"""The parts of a body that become part of the prompt."""


def worst_cost(
    request: Request, catalog: Catalog, lane: PricedLane = "live", *, shown: int = 0
) -> float | None:
    """USD that one attempt at a request costs at most; ``None`` when the model's price is unknown.

    ``shown``: output tokens of earlier attempts that the next one may have to read again (a resumed stream).
    """
    body = _sent(request)
    facts = _priced(body, catalog)
    if facts is None or facts.price is None:
        return None
    return max(facts.price.cost(usage, lane) for usage in _ways(worst_usage(body, facts, shown)))


def is_priced(request: Request, catalog: Catalog) -> bool:
    """Whether the model's price is known."""
    return _priced(_sent(request), catalog) is not None


def _sent(request: Request) -> Mapping[str, object]:
    """The body as it leaves: the call's ``extra_body`` lies over the parameters."""
    extra = request.options.get("extra_body")
    if isinstance(extra, Mapping):
        return {**request.params, **cast("Mapping[str, object]", extra)}
    return request.params


def _priced(body: Mapping[str, object], catalog: Catalog) -> ModelFacts | None:
    facts = catalog.find(str(body.get("model", "")))
    return facts if facts is not None and facts.price is not None else None


def worst_usage(body: Mapping[str, object], facts: ModelFacts | None, shown: int = 0) -> Usage:
    """The same in tokens: all input as it is charged most."""
    scale = _Bound(facts)
    for name in _CONTENTS:
        scale.add(body.get(name))
    scale.cached = scale.cached or body.get("cache_control") is not None
    scale.hour = scale.hour or _ttl(body.get("cache_control")) == "1h"
    messages = body.get("messages")
    turns = len(cast("list[object]", messages)) if isinstance(messages, list) else 1
    tools = _tools(body)
    tokens = REQUEST + turns * TURN + scale.tokens + shown + (TOOLS if tools else 0)
    if scale.unseen or any(map(_at_server, tools)) or body.get("thread") or body.get("mcp_servers"):
        tokens = max(tokens, facts.window if facts is not None and facts.window < 10**9 else WINDOW)
    max_tokens, geo = body.get("max_tokens"), body.get("inference_geo")
    return Usage(
        input=0 if scale.cached else tokens,
        output=max_tokens if isinstance(max_tokens, int) else 0,
        cache_write=tokens if scale.cached and not scale.hour else 0,
        cache_write_1h=tokens if scale.hour else 0,
        # Without a word in the request the workspace's own default decides on the region.
        region_weight=region_weight(str(body.get("model")), "us" if geo != "global" else "global"),
        speed=FAST if body.get("speed") == FAST else "",
        web_searches=sum(map(_searches, tools)),
    )


def _ways(usage: Usage) -> Iterable[Usage]:
    """Prices of one's own may make a read cost more than a write."""
    yield usage
    if written := usage.cache_write + usage.cache_write_1h:
        yield replace(usage, cache_write=0, cache_write_1h=0, cache_read=written)


class _Bound:
    """Adds up bounds."""

    def __init__(self, facts: ModelFacts | None) -> None:
        self.tokens = 0
        self.unseen = False
        """Something is in the prompt that cannot be seen here."""
        self.cached = False
        self.hour = False
        self._edge = facts.image_edge if facts else 2576
        self._most = facts.image_most if facts else 4784

    def add(self, value: object) -> None:
        """Text, blocks, tools, and whatever holds them."""
        if isinstance(value, str):
            self.tokens += _bytes(value)
        elif isinstance(value, Mapping):
            self._add_object(cast("Mapping[str, object]", value))
        elif isinstance(value, list | tuple):
            for item in cast("Iterable[object]", value):
                self.tokens += ITEM
                self.add(item)
        elif value is not None:
            self.tokens += 3 * ITEM

    def _add_object(self, block: Mapping[str, object]) -> None:
        kind = block.get("type")
        if kind in ("image", "document") and isinstance(block.get("source"), Mapping):
            self._add_source(str(kind), cast("Mapping[str, object]", block["source"]))
            block = {name: value for name, value in block.items() if name != "source"}
        elif kind == "container_upload":
            self.unseen = True
        for name, value in block.items():
            if name == "cache_control":
                self.cached = self.cached or value is not None
                self.hour = self.hour or _ttl(value) == "1h"
            else:
                self.tokens += ITEM + _bytes(str(name))
                self.add(value)

    def _add_source(self, kind: str, source: Mapping[str, object]) -> None:
        data = source.get("data")
        if kind == "image":
            tokens = image_tokens(data, self._edge, self._most) if isinstance(data, str) else None
            self.tokens += self._most if tokens is None else int(tokens)
        elif "content" in source:
            self.add(source["content"])
        elif not isinstance(data, str):
            self.unseen = True
        elif source.get("type") == "base64":
            pages = _pages(data)
            self.unseen = self.unseen or pages is None
            self.tokens += (pages or 0) * (self._most + PAGE)
        else:
            self.tokens += _bytes(data)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _pages(data: str) -> int | None:
    try:
        return pdf_facts(binascii.a2b_base64(data)).pages
    except ValueError:
        return None


def _tools(body: Mapping[str, object]) -> list[Mapping[str, object]]:
    tools = body.get("tools")
    given = cast("Iterable[object]", tools) if isinstance(tools, list | tuple) else ()
    return [cast("Mapping[str, object]", tool) for tool in given if isinstance(tool, Mapping)]


def _at_server(tool: Mapping[str, object]) -> bool:
    """A tool that the server runs: what it finds becomes part of the prompt."""
    kind = tool.get("type")
    return isinstance(kind, str) and not kind.startswith(_AT_HOME)


def _searches(tool: Mapping[str, object]) -> int:
    if not str(tool.get("type", "")).startswith("web_search"):
        return 0
    most = tool.get("max_uses")
    return most if isinstance(most, int) and most > 0 else SEARCHES


def _ttl(cache_control: object) -> object:
    return (
        cast("Mapping[str, object]", cache_control).get("ttl") if isinstance(cache_control, Mapping) else None
    )
