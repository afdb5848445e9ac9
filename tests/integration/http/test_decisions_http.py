"""Decisions of the handbook over real HTTP: access tokens, unknown models, sizes, streams, the monthly cap."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from anthropic import AccessToken, NotFoundError, PermissionDeniedError
from http_house import MODEL, Open

from headway import (
    AuthenticationError,
    BillingError,
    DeadScope,
    ErrorKind,
    Flow,
    JobState,
    NotSentError,
    RequestRejectedError,
    Scope,
)
from headway.adapters.anthropic.failures import start_of_next_month
from headway.adapters.anthropic.models_cache import ModelsCache, cache_folder
from headway.core.listed_model import ListedModel
from headway.testing.fake_api import FaultKind, FaultRule

pytestmark = pytest.mark.anyio


class Provider:
    """Gives its tokens one after the other whenever it is forced, then the last for ever."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.calls: list[bool] = []

    async def __call__(self, *, force_refresh: bool = False) -> AccessToken:
        self.calls.append(force_refresh)
        if force_refresh and len(self.tokens) > 1:
            del self.tokens[0]
        return AccessToken(token=self.tokens[0], expires_at=None)


def accept(*keys: str) -> dict[str, object]:
    return {"accepted_keys": frozenset(keys)}


def given(provider: Provider) -> dict[str, object]:
    return {"api_key": None, "credentials": provider}


async def test_the_first_401_fetches_a_new_token(house: Open) -> None:
    provider = Provider("stale", "fresh")
    h = await house(client=given(provider), **accept("fresh"))
    async with h.scheduler() as scheduler:
        outcome = await scheduler.submit("x").outcome()
        assert outcome.state is JobState.SUCCEEDED
        first, second = outcome.attempts
        assert first.failure is not None
        assert (first.failure.kind, first.failure.status) == (ErrorKind.STALE_TOKEN, 401)
        assert second.failure is None
        assert outcome.sends == h.api.stats.arrivals == 2, "each request is a recorded attempt"
        assert scheduler.status().halted is None
        await scheduler.submit("y")
    assert provider.calls == [False, True]
    assert h.api.stats.arrivals == 3


async def test_a_token_that_expires_under_many_jobs_is_fetched_once(house: Open) -> None:
    provider = Provider("one", "two", "three")
    h = await house(client=given(provider), **accept("one"))
    async with h.scheduler(flow=Flow(max_in_flight=20)) as scheduler:
        for token in ("one", "two", "three"):
            h.api.set_accepted_keys(token)
            jobs = [scheduler.submit(f"{token} {number}") for number in range(40)]
            assert {(await job.outcome()).state for job in jobs} == {JobState.SUCCEEDED}
    assert provider.calls == [False, True, True]
    assert h.api.stats.arrivals <= 120 + 2 * 20


async def test_a_credential_that_is_revoked_stops_the_account(house: Open) -> None:
    provider = Provider("stale")
    h = await house(client=given(provider), **accept("fresh"))
    async with h.scheduler(flow=Flow(max_in_flight=4)) as scheduler:
        jobs = [scheduler.submit(f"x{number}") for number in range(50)]
        outcomes = [await job.outcome() for job in jobs]
        assert all(outcome.resumable for outcome in outcomes)
        assert {o.failure and o.failure.kind for o in outcomes} == {ErrorKind.AUTHENTICATION}
        halted = scheduler.status().halted
        assert halted is not None and halted.kind is ErrorKind.AUTHENTICATION
        with pytest.raises(AuthenticationError):
            await scheduler.submit("y")
    assert h.api.stats.arrivals <= 12
    assert provider.calls.count(True) <= 2


async def test_a_static_key_that_is_refused_is_not_tried_again(house: Open) -> None:
    h = await house(client={"api_key": "sk-wrong"}, **accept("sk-right"))
    async with h.scheduler() as scheduler:
        with pytest.raises(AuthenticationError) as caught:
            await scheduler.submit("x")
    assert caught.value.failure.kind is ErrorKind.AUTHENTICATION
    assert h.api.stats.arrivals == 1


async def test_a_provider_that_fails_stops_the_account_and_quotes_nothing(house: Open) -> None:
    async def broken(*, force_refresh: bool = False) -> AccessToken:
        from anthropic.lib.credentials import WorkloadIdentityError

        raise WorkloadIdentityError("assertion eyJhbGciOi was refused", status_code=400)

    h = await house(client={"api_key": None, "credentials": broken})
    async with h.scheduler() as scheduler:
        with pytest.raises(AuthenticationError, match="token exchange failed") as caught:
            await scheduler.submit("x")
    assert "eyJ" not in str(caught.value)
    assert h.api.stats.arrivals == 0


async def test_an_unknown_model_gets_advice_from_the_list_asked_for_once(
    house: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HEADWAY_CATALOG")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    h = await house()
    async with h.scheduler(flow=Flow(max_in_flight=5)) as scheduler:
        typos = [scheduler.submit(f"x{number}", model="claude-sonet-5-5") for number in range(100)]
        good = [scheduler.submit(f"g{number}") for number in range(20)]
        with pytest.raises(RequestRejectedError) as caught:
            await typos[0]
        failure = caught.value.failure
        assert failure.message == (
            "model: claude-sonet-5-5. Did you mean claude-sonnet-5-5? "
            "The newest active sonnet is claude-sonnet-5-5."
        )
        assert (failure.status, failure.type, failure.scope) == (404, "not_found_error", Scope.MODEL)
        assert failure.request_id is not None
        assert all([(await job.outcome()).resumable for job in typos])
        assert {(await job.outcome()).state for job in good} == {JobState.SUCCEEDED}
        retired = await scheduler.submit("x", model="claude-mythos-9").outcome()
        assert retired.failure is not None
        assert "The newest active mythos is claude-mythos-5-2" in retired.failure.message
        assert len(scheduler.status().dead) == 2
    assert h.api.stats.arrivals <= 5 + 20 + 1
    assert h.api.stats.other_calls["GET /v1/models"] == 1


@pytest.mark.parametrize("catalog", ["builtin", None])
async def test_the_builtin_catalogue_asks_nobody_and_remembers_nothing(
    house: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, catalog: Literal["builtin"] | None
) -> None:
    """Otherwise what was listed within the last day, by any process, is what rules and names go by."""
    monkeypatch.delenv("HEADWAY_CATALOG")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    h = await house()
    cache = ModelsCache(str(h.client.base_url), cache_folder())
    cache.write([ListedModel("claude-sonnet-5", "sonnet", created="2027-01-01")])
    async with h.scheduler(catalog=catalog) as scheduler:
        named = await scheduler.submit("x", model="newest:sonnet").outcome()
        assert named.request.model == (MODEL if catalog else "claude-sonnet-5")
        assert cache.path is not None
        cache.path.unlink()
        with pytest.raises(RequestRejectedError, match="Did you mean claude-sonnet-5"):
            await scheduler.submit("x", model="claude-sonet-5-5")
    assert h.api.stats.other_calls.get("GET /v1/models", 0) == (0 if catalog else 1)
    assert cache.path.exists() == (catalog is None)


async def test_advice_without_a_list_comes_from_the_built_in_table(house: Open) -> None:
    page = FaultRule(FaultKind.STATUS, status=404, message="Publisher model claude-sonet-5-5 was not found")
    h = await house(page)
    async with h.scheduler() as scheduler:
        with pytest.raises(RequestRejectedError, match="Did you mean claude-sonnet-5-5"):
            await scheduler.submit("x", model="claude-sonet-5-5")
        assert list(scheduler.status().dead) == [DeadScope(Scope.MODEL, "claude-sonet-5-5")]
        await scheduler.submit("x", model=MODEL, deadline=1).outcome()


async def test_a_body_that_is_too_large_says_where_the_bytes_are(house: Open) -> None:
    h = await house(FaultRule(FaultKind.STATUS, status=413, html=True))
    content = [{"type": "text", "text": "what is it?"}, {"type": "text", "text": "A" * 300_000}]
    async with h.scheduler() as scheduler:
        with pytest.raises(RequestRejectedError) as caught:
            await scheduler.submit([{"role": "user", "content": content}])
    failure = caught.value.failure
    assert failure.kind is ErrorKind.REQUEST_TOO_LARGE
    assert "the body has 0.3 MB" in failure.message
    assert "largest parts: messages.0.content.1.text 0.3 MB" in failure.message
    assert h.api.stats.arrivals == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"detail": [{"loc": ["body", "max_tokens"], "msg": "field required", "input": "secret"}]}',
         "max_tokens: field required"),
        ('{"detail": "no such field"}', "no such field"),
        ('{"message": "validation failed"}', "validation failed"),
        ('{"error": "nope"}', "nope"),
        ('[1, 2]', "HTTP status 422 with a body of application/json in place of an API error"),
    ],
)  # fmt: skip
async def test_a_gateways_complaint_is_read(house: Open, body: str, message: str) -> None:
    h = await house(FaultRule(FaultKind.STATUS, status=422, body=body))
    async with h.scheduler() as scheduler:
        with pytest.raises(RequestRejectedError) as caught:
            await scheduler.submit("x")
    failure = caught.value.failure
    assert (failure.kind, failure.message) == (ErrorKind.UNPROCESSABLE, message)
    if message.startswith("max_tokens"):
        assert failure.field == "max_tokens"
        assert "Correct max_tokens." in str(caught.value)


async def test_after_a_504_the_answer_comes_as_a_stream(house: Open) -> None:
    h = await house(FaultRule(FaultKind.STATUS, status=504, stream=False))
    async with h.scheduler() as scheduler:
        outcome = await scheduler.submit("x").outcome()
    assert outcome.state is JobState.SUCCEEDED, "only unstreamed requests fail here"
    assert outcome.message is not None and outcome.message.stop_reason
    assert [a.failure and a.failure.kind for a in outcome.attempts] == [ErrorKind.SERVER_TIMEOUT, None]


async def test_a_body_that_did_not_arrive_is_sent_again(house: Open) -> None:
    h = await house(
        FaultRule(FaultKind.STATUS, status=400, error_code="request_body_timeout", attempts="first")
    )
    async with h.scheduler() as scheduler:
        await scheduler.submit("x")
    assert h.api.stats.arrivals == 2


async def test_the_monthly_cap_says_when_it_ends(house: Open) -> None:
    code = "enforced_spend_limit_reached"
    headers = {"date": "Thu, 31 Dec 2026 23:59:59 GMT"}
    h = await house(FaultRule(FaultKind.STATUS, status=429, error_code=code, headers=headers))
    async with h.scheduler() as scheduler:
        with pytest.raises(BillingError, match="It ends on 2027-01-01 at 00:00 UTC") as caught:
            await scheduler.submit("x")
    assert caught.value.failure.resumes_at == "2027-01-01T00:00:00Z"
    assert h.api.stats.arrivals == 1


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-22T16:00:00", "2026-12-01"),
        ("2026-12-31T23:59:59", "2027-01-01"),
        ("2026-01-01T00:00:00", "2026-02-01"),
    ],
)
def test_the_next_month(now: str, then: str) -> None:
    assert (
        start_of_next_month(datetime.fromisoformat(now).replace(tzinfo=UTC)).isoformat()
        == f"{then}T00:00:00+00:00"
    )


async def test_secrets_of_a_provider_stay_out_of_failures(house: Open) -> None:
    provider = Provider("tok-stale-123456789")
    h = await house(client=given(provider), **accept("tok-fresh"))
    async with h.scheduler() as scheduler:
        outcome = await asyncio.wait_for(scheduler.submit("x").outcome(), 10)
    assert not re.search("tok-", repr(outcome))


async def test_streams_and_clients_fetch_a_new_token_too(house: Open) -> None:
    provider = Provider("one", "two", "three", "four")
    h = await house(client=given(provider), **accept("one"))
    async with h.scheduler() as scheduler:
        wrapped = scheduler.wrap(h.client)
        for number, token in enumerate(("one", "two", "three", "four")):
            h.api.set_accepted_keys(token)
            prompt = [{"role": "user", "content": f"x{number}"}]
            if number == 1:
                async with scheduler.stream(prompt) as stream:
                    assert (await stream.get_final_message()).stop_reason
            elif number == 2:
                assert await scheduler.client.messages.create(model=MODEL, max_tokens=8, messages=prompt)  # type: ignore[arg-type]
            else:
                assert await wrapped.messages.create(model=MODEL, max_tokens=8, messages=prompt)  # type: ignore[arg-type]
        assert scheduler.status().halted is None
    assert provider.calls == [False, True, True, True]
    assert h.api.stats.arrivals == 4 + 3


async def test_a_dead_model_stops_streams_and_clients_too(house: Open) -> None:
    h = await house()
    prompt = [{"role": "user", "content": "x"}]
    typo = "claude-sonet-5-5"
    async with h.scheduler() as scheduler:
        with pytest.raises(RequestRejectedError, match="Did you mean claude-sonnet-5-5"):
            async with scheduler.stream(prompt, model=typo) as stream:
                await stream.get_final_message()
        with pytest.raises(NotSentError, match="Did you mean claude-sonnet-5-5"):
            await scheduler.client.messages.create(model=typo, max_tokens=8, messages=prompt)  # type: ignore[arg-type]
        scheduler.resume()
        with pytest.raises(NotFoundError):
            await scheduler.client.messages.create(model=typo, max_tokens=8, messages=prompt)  # type: ignore[arg-type]
        assert list(scheduler.status().dead) == [DeadScope(Scope.MODEL, typo)]
        assert await scheduler.client.messages.create(model=MODEL, max_tokens=8, messages=prompt)  # type: ignore[arg-type]
        assert scheduler.status().in_flight == 0
    assert h.api.stats.arrivals == 3


async def test_a_dead_profile_of_a_client_is_known_by_its_header(house: Open) -> None:
    code = "user_profile_not_billable"
    h = await house(FaultRule(FaultKind.STATUS, status=403, error_code=code, count=1))
    prompt = [{"role": "user", "content": "x"}]
    async with h.scheduler() as scheduler:
        create = scheduler.client.messages.create
        with pytest.raises(PermissionDeniedError):
            await create(model=MODEL, max_tokens=8, messages=prompt, user_profile_id="up_1")  # type: ignore[arg-type, call-overload]
        assert list(scheduler.status().dead) == [DeadScope(Scope.PROFILE, "up_1")]
        outcome = await scheduler.submit("x", user_profile_id="up_1").outcome()
        assert outcome.resumable
        await scheduler.submit("x", user_profile_id="up_2")
    assert h.api.stats.arrivals == 2
