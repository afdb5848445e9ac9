"""A request as the SDK's arguments, or as an item of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from headway.adapters.anthropic.structured import with_schema
from headway.core.batch_info import BatchItem
from headway.core.request import Request, RequestError
from headway.core.scopes import WORKSPACE_HEADER

_BETA_HEADER: Final = "anthropic-beta"


def prepared(request: Request) -> Request:
    """The request with the schema of its ``output_format`` written out. Raises `RequestError`."""
    config = cast("Mapping[str, object]", request.params.get("output_config") or {})
    if request.output_format is None or "format" in config:
        return request
    try:
        return replace(request, params=with_schema(request.params, request.output_format))
    except TypeError as error:
        raise RequestError("output_format", str(error)) from None


def arguments_of(request: Request, known: frozenset[str]) -> dict[str, Any]:
    """Keyword arguments of ``create``; parameters this SDK does not know travel in ``extra_body``."""
    arguments: dict[str, Any] = {**request.params, **request.options}
    if betas := arguments.pop("betas", None):
        arguments["extra_headers"] = _with_betas(betas, arguments.get("extra_headers") or {})
    unknown = {name: arguments.pop(name) for name in list(arguments) if name not in known}
    if unknown:
        arguments["extra_body"] = {**unknown, **(arguments.get("extra_body") or {})}
    return arguments


def _with_betas(betas: object, given: Mapping[str, str]) -> dict[str, str]:
    """``betas`` of ``client.beta.messages`` as the header it stands for, joined to one that was given."""
    names = [betas] if isinstance(betas, str) else [str(name) for name in cast("list[object]", betas)]
    headers = {name: value for name, value in given.items() if name.lower() != _BETA_HEADER}
    names += [value for name, value in given.items() if name.lower() == _BETA_HEADER]
    return {**headers, _BETA_HEADER: ",".join(names)}


def item_of(custom_id: str, request: Request) -> BatchItem:
    """The request as an item of a batch. A timeout means nothing there and is left out. Raises `RequestError` for
    what a batch cannot carry."""
    params, options = dict(prepared(request).params), request.options
    given = cast("Mapping[str, str]", options.get("extra_headers") or {})
    headers = {name.lower(): value for name, value in given.items()}
    if "workspace_id" in params or WORKSPACE_HEADER in headers:
        remedy = (
            "a batch belongs to the key's own workspace; use a key of that workspace, or send it by itself"
        )
        raise RequestError("workspace_id", remedy)
    if options.get("extra_query"):
        raise RequestError("extra_query", "a request of a batch has no URL of its own; leave it out")
    if betas := params.pop("betas", None):
        headers = _with_betas(betas, headers)
    params.update(cast("Mapping[str, object]", options.get("extra_body") or {}))
    return BatchItem(custom_id, params, headers)
