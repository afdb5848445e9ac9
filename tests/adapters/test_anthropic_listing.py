"""The Admin listing to values, whatever is in it; and asking for it, whatever is answered. In virtual time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from headway import AccountLimits, AccountLimitsError, Limits
from headway.adapters.anthropic.listing import PATIENCE, _ask_until, fetch
from headway.testing.clock import virtual_loop

pytestmark = pytest.mark.anyio
Row = dict[str, object]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": virtual_loop})


def client(answer: Callable[[httpx2.Request], httpx2.Response]) -> AsyncAnthropic:
    http = DefaultAsyncHttpxClient(transport=httpx2.MockTransport(answer), verify=False)
    return AsyncAnthropic(api_key="admin", base_url="http://api", max_retries=0, http_client=http)


def row(*models: str, **values: object) -> Row:
    return {
        "type": "rate_limit",
        "id": "rl_1",
        "group": {"type": "model_group", "id": "rlg_1", "display_name": "Claude Opus 4.x"},
        "limits": [{"type": kind, "value": value} for kind, value in values.items()],
        "models": list(models),
    }


def own(kind: str, value: int, source: str = "workspace") -> Row:
    return {"type": kind, "value": value, "org_limit": 1, "source": {"type": source}}


async def listed(organization: list[Row], workspace: list[Row] | None = None) -> AccountLimits:
    def answer(request: httpx2.Request) -> httpx2.Response:
        of_workspace = request.url.path == "/v1/organizations/workspaces/wrkspc_1/rate_limits"
        if of_workspace:
            assert request.url.params["include_inherited"] == "true"
        else:
            assert request.url.path == "/v1/organizations/rate_limits"
        rows = workspace if of_workspace else organization
        return httpx2.Response(200, json={"data": rows, "next_page": None})

    async with client(answer) as made:
        return await fetch(made, None if workspace is None else "wrkspc_1")


@pytest.mark.parametrize(
    ("values", "limits", "fast"),
    [
        pytest.param(
            {
                "requests_per_minute": 50,
                "input_tokens_per_minute_cache_aware": 30_000,
                "output_tokens_per_minute": 8_000,
                "fast_itpmca": 900,
                "fast_otpm": 90,
            },
            Limits(50, 30_000, 8_000),
            Limits(input=900, output=90),
            id="all",
        ),
        pytest.param({"input_tokens_per_minute": 5}, Limits(input=5), Limits(), id="an older model's input"),
        pytest.param(
            {"input_tokens_per_minute": 5, "input_tokens_per_minute_cache_aware": 9},
            Limits(input=9),
            Limits(),
            id="the limit that does not count cache reads",
        ),
        pytest.param(
            {"tokens_per_day": 5, "tool_uses_per_second": 5, "of_tomorrow": 5, "tokens_per_minute": 5},
            Limits(),
            Limits(),
            id="types that are not ours",
        ),
        pytest.param(
            {"fast_itpmca": 0, "requests_per_minute": -1}, Limits(), Limits(), id="none provisioned"
        ),
        pytest.param({"requests_per_minute": "many"}, Limits(), Limits(), id="garbled"),
        pytest.param({}, Limits(), Limits(), id="no limits"),
    ],
)
async def test_what_a_group_tells(values: dict[str, object], limits: Limits, fast: Limits) -> None:
    (group,) = (await listed([row("claude-opus-4-8", **values)])).groups
    assert (group.limits, group.fast, group.name) == (limits, fast, "opus-4")


async def test_other_groups_and_missing_parts() -> None:
    rows: list[Row] = [
        {
            "type": "rate_limit",
            "id": "1",
            "group": {"type": "batch", "id": "b"},
            "limits": [],
            "models": None,
        },
        {"type": "rate_limit", "id": "2", "group": {"type": "of_tomorrow", "id": "t"}, "limits": []},
        {"type": "rate_limit", "id": "3"},
        row("claude-opus-4-8", requests_per_minute=5)
        | {"group": {"type": "model_group", "id": "m"}, "models": None},
    ]
    account = await listed(rows)
    (group,) = account.groups
    assert (group.id, group.models, group.limits) == ("m", (), Limits(5))
    assert account.group_of("claude-opus-4-8") == "opus-4"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param([own("requests_per_minute", 20)], Limits(20, 9_000), id="lower"),
        pytest.param(
            [own("requests_per_minute", 900)], Limits(50, 9_000), id="higher than the organisation's"
        ),
        pytest.param([own("requests_per_minute", 1, "organization")], Limits(50, 9_000), id="inherited"),
        pytest.param([own("input_tokens_per_minute", 400)], Limits(50, 400), id="both kinds of input apply"),
        pytest.param(
            [own("input_tokens_per_minute", 400), own("input_tokens_per_minute_cache_aware", 800)],
            Limits(50, 400),
            id="both kinds, both the workspace's",
        ),
        pytest.param(
            [own("input_tokens_per_minute", 100, "organization")],
            Limits(50, 9_000),
            id="an inherited limit of the other kind",
        ),
        pytest.param([own("output_tokens_per_minute", 7)], Limits(50, 9_000, 7), id="only here"),
    ],
)
async def test_a_workspace_has_the_smaller_of_both(limits: list[Row], expected: Limits) -> None:
    whole = row("claude-opus-4-8", requests_per_minute=50, input_tokens_per_minute_cache_aware=9_000)
    part = row("claude-opus-4-7") | {
        "type": "workspace_rate_limit",
        "limits": limits,
        "workspace_id": "wrkspc_1",
    }
    (group,) = (await listed([whole], [part])).groups
    assert group.limits == expected
    assert group.models == ("claude-opus-4-8", "claude-opus-4-7")


async def test_every_page_is_read() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        page = int(request.url.params.get("page", "0"))
        entry = row(f"claude-opus-4-{page}") | {"group": {"type": "model_group", "id": f"rlg_{page}"}}
        return httpx2.Response(200, json={"data": [entry], "next_page": str(page + 1) if page < 2 else None})

    async with client(answer) as made:
        assert [group.id for group in (await fetch(made)).groups] == ["rlg_0", "rlg_1", "rlg_2"]


def refusing(*statuses: int, **headers: str) -> tuple[list[float], AsyncAnthropic]:
    """Refuses so often, then answers; and the moments at which it was asked."""
    asked: list[float] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(anyio.current_time())
        if len(asked) > len(statuses):
            return httpx2.Response(200, json={"data": [row("claude-opus-4-8")], "next_page": None})
        return httpx2.Response(statuses[len(asked) - 1], headers=headers, content=json.dumps({}).encode())

    return asked, client(answer)


async def test_what_may_pass_is_tried_again_with_pauses() -> None:
    asked, made = refusing(529, 500, 429, 529, 503)
    async with made:
        assert isinstance(await _ask_until(made, None), AccountLimits)
    assert len(asked) == 6
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses[0] >= 0.25 and pauses[2] >= 1.0 and pauses[3] >= 2.0, "after a 529, a 429 and a 529"


async def test_a_retry_after_is_obeyed() -> None:
    asked, made = refusing(429, **{"retry-after": "7"})
    async with made:
        assert isinstance(await _ask_until(made, None), AccountLimits)
    assert asked[1] - asked[0] >= 7


@pytest.mark.parametrize("statuses", [(529,) * 1000, (500,) * 1000], ids=["529", "500"])
async def test_it_gives_up_within_its_patience_and_says_why(statuses: tuple[int, ...]) -> None:
    asked, made = refusing(*statuses)
    begun = anyio.current_time()
    async with made:
        error = await _ask_until(made, None)
    assert isinstance(error, AccountLimitsError)
    assert anyio.current_time() - begun <= PATIENCE
    assert str(statuses[0]) in str(error)
    assert len(asked) < 15, "it is no flood"


async def test_an_answer_that_never_comes() -> None:
    async def answer(_: httpx2.Request) -> httpx2.Response:
        await anyio.sleep(10_000)
        raise AssertionError

    async with client(answer) as made:  # type: ignore[arg-type]
        error = await _ask_until(made, None)
    assert isinstance(error, AccountLimitsError) and "30 s" in str(error)


@pytest.mark.parametrize(
    ("status", "workspace", "words"),
    [
        (401, None, "must be an Admin key"),
        (403, "wrkspc_1", "must be an Admin key"),
        (404, "wrkspc_1", "no workspace 'wrkspc_1'"),
        (404, None, "could not be read: not_found"),
        (400, None, "could not be read: invalid_request"),
    ],
)
async def test_a_refusal_for_good_is_told_at_once(status: int, workspace: str | None, words: str) -> None:
    asked, made = refusing(*(status,) * 9)
    async with made:
        error = await _ask_until(made, workspace)
    assert isinstance(error, AccountLimitsError) and words in str(error)
    assert error.failure is not None and error.failure.status == status
    assert len(asked) == 1
