"""``GET /v1/organizations/rate_limits`` and ``…/workspaces/{id}/rate_limits``: the Admin API's listings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

from headway.testing.fake_api.catalog import MODELS
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.gate import check_key
from headway.testing.fake_api.limits import DIMENSIONS, FakeLimits
from headway.testing.fake_api.wire_error import WireError, invalid

ROOT: Final = "/v1/organizations/"
_ORGANIZATION: Final = ROOT + "rate_limits"
_WORKSPACES: Final = ROOT + "workspaces/"
_LIMITERS: Final = dict(
    zip(
        DIMENSIONS,
        ("requests_per_minute", "input_tokens_per_minute_cache_aware", "output_tokens_per_minute"),
        strict=True,
    )
)
_Row = dict[str, object]


def answer_listing(exchange: Exchange, config: FakeConfig, path: str) -> bytes:
    """One page of a listing, or raise the API's complaint."""
    check_key(exchange, config, admin=True)
    if exchange.request.method != "GET":
        raise WireError(405, "invalid_request_error", "Method Not Allowed")
    query = exchange.request.query
    if path == _ORGANIZATION:
        rows = list(_organization(config))
    elif path.startswith(_WORKSPACES) and path.endswith("/rate_limits"):
        workspace = path.removeprefix(_WORKSPACES).removesuffix("/rate_limits")
        if workspace not in config.workspace_limits:
            raise WireError(404, "not_found_error", f"workspace: {workspace}")
        inherited = query.get("include_inherited", "false") == "true"
        rows = list(_workspace(config, workspace, inherited))
    else:
        raise WireError(404, "not_found_error", "Not Found")
    return _page(_chosen(rows, query), query)


def _chosen(rows: list[_Row], query: Mapping[str, str]) -> list[_Row]:
    kind, model = query.get("group_type"), query.get("model")
    if kind:
        rows = [row for row in rows if cast("_Row", row["group"])["type"] == kind]
    if model:
        rows = [row for row in rows if model in cast("list[str]", row["models"] or [])]
        if not rows:
            raise WireError(404, "not_found_error", f"model: {model}")
    return rows


def _page(rows: list[_Row], query: Mapping[str, str]) -> bytes:
    limit, begin = query.get("limit", "1000"), query.get("page", "0")
    if not limit.isdigit() or not 1 <= int(limit) <= 1000:
        raise invalid("limit: Input should be a valid integer between 1 and 1000")
    if not begin.isdigit():
        raise invalid("page: Invalid cursor")
    end = int(begin) + int(limit)
    content = {"data": rows[int(begin) : end], "next_page": str(end) if end < len(rows) else None}
    return json.dumps(content).encode()


def _groups(config: FakeConfig) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for model in MODELS.values():
        groups.setdefault(config.group_of(model), []).append(model.id)
    return groups


def _organization(config: FakeConfig) -> Iterator[_Row]:
    for group, models in _groups(config).items():
        yield {
            "type": "rate_limit",
            "id": f"rl_{group}",
            "group": _model_group(group),
            "limits": [
                {"type": kind, "value": value} for kind, value in _values(config.limits_of(group)).items()
            ],
            "models": models,
        }
    if config.count_tokens_per_minute is not None:
        yield _other("token_count", "requests_per_minute", config.count_tokens_per_minute)
    yield _other("batch", "enqueued_batch_requests", 500_000)


def _workspace(config: FakeConfig, workspace: str, inherited: bool) -> Iterator[_Row]:
    own = config.workspace_limits[workspace]
    for group, models in _groups(config).items():
        organization = _values(config.limits_of(group))
        overrides = _values(own[group]) if group in own else {}
        kinds = [*overrides, *(kind for kind in organization if inherited and kind not in overrides)]
        if kinds:
            yield {
                "type": "workspace_rate_limit",
                "rate_limit_id": f"rl_{group}",
                "workspace_id": workspace,
                "group": _model_group(group),
                "limits": [
                    {
                        "type": kind,
                        "value": overrides.get(kind, organization.get(kind)),
                        "org_limit": organization.get(kind),
                        "source": {"type": "workspace" if kind in overrides else "organization"},
                    }
                    for kind in kinds
                ],
                "models": models,
            }


def _values(limits: FakeLimits) -> dict[str, int]:
    return {
        kind: int(value) for name, kind in _LIMITERS.items() if (value := limits.per_minute(name)) is not None
    }


def _model_group(group: str) -> _Row:
    return {"type": "model_group", "id": f"rlg_{group}", "display_name": f"Claude {group}"}


def _other(kind: str, limiter: str, value: float) -> _Row:
    return {
        "type": "rate_limit",
        "id": f"rl_{kind}",
        "group": {"type": kind, "id": f"rlg_{kind}"},
        "limits": [{"type": limiter, "value": int(value)}],
        "models": None,
    }
