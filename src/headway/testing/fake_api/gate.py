"""The way in: who may call, and which call it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from headway.testing.fake_api.body_rules import Body, check_message, parse_body, too_long
from headway.testing.fake_api.catalog import Model
from headway.testing.fake_api.config import FakeConfig
from headway.testing.fake_api.exchange import MAX_BODY, Exchange
from headway.testing.fake_api.file_store import FileStore
from headway.testing.fake_api.media_rules import check_media
from headway.testing.fake_api.reply import digest_of
from headway.testing.fake_api.threads import Threads
from headway.testing.fake_api.tokens import count_input
from headway.testing.fake_api.wire_error import WireError, invalid


@dataclass(frozen=True, slots=True)
class Call:
    """A Messages request that passed all checks."""

    job: str
    attempt: int
    """1 for the first time the job is seen."""
    digest: bytes
    body: Body
    model: Model
    input_tokens: int
    stream: bool


def check_key(exchange: Exchange, config: FakeConfig, *, admin: bool = False) -> None:
    """Raise 401 unless the request carries an accepted key, as bearer token or as ``x-api-key``.

    ``admin``: one of those that may read the Admin API.
    """
    headers = exchange.request.headers
    bearer = headers.get("Authorization", "")
    token = bearer[7:].strip() if bearer[:7].lower() == "bearer " else ""
    key = token or headers.get("x-api-key", "").strip()
    if not key:
        raise WireError(401, "authentication_error", "x-api-key header is required")
    allowed = config.admin_keys if admin else config.accepted_keys
    accepted = allowed is None or key in allowed
    if not accepted or key in config.rejected_keys:
        what = "bearer token" if token else "x-api-key"
        raise WireError(401, "authentication_error", f"invalid {what}")


def check_size(raw: bytes | None) -> bytes:
    """Raise 413 if the body was larger than the API takes."""
    if raw is None:
        text = f"Request exceeds the maximum allowed number of bytes ({MAX_BODY})"
        raise WireError(413, "request_too_large", text)
    return raw


def job_of(exchange: Exchange, body: Body | None, digest: bytes) -> str:
    """What identifies the job: ``x-fake-job``, ``metadata.user_id``, otherwise the body."""
    if named := exchange.request.headers.get("x-fake-job"):
        return named
    metadata = body.get("metadata") if body else None
    if isinstance(metadata, dict):
        user = cast("Body", metadata).get("user_id")
        if isinstance(user, str) and user:
            return user
    return digest.hex()[:24]


def version_of(exchange: Exchange) -> str:
    """The ``anthropic-version`` header, which the API insists on."""
    version = exchange.request.headers.get("anthropic-version", "")
    if not version:
        raise invalid("anthropic-version: header is required")
    return version


class Gate:
    """Identifies and checks Messages requests."""

    def __init__(self, config: FakeConfig, files: FileStore) -> None:
        self.config = config
        self.files = files

    def identify(self, exchange: Exchange, raw: bytes | None) -> tuple[str, bytes, Body | WireError]:
        """Job, digest, and the parsed body or what is wrong with it."""
        digest = digest_of(self.config.seed, raw or b"")
        try:
            body = parse_body(check_size(raw))
        except WireError as error:
            return job_of(exchange, None, digest), digest, error
        return job_of(exchange, body, digest), digest, body

    def whole(self, exchange: Exchange, body: Body | WireError, threads: Threads) -> Body:
        """The body with the conversation it continues, or raise the API's complaint."""
        check_key(exchange, self.config)
        if isinstance(body, WireError):
            raise body
        return threads.whole(body)

    def check(self, body: Body, version: str) -> tuple[Model, int]:
        """The model and the input tokens, or raise the API's complaint."""
        model = check_message(body, version)
        check_media(body, model, self.files)
        tokens = count_input(body, model)
        if complaint := too_long(tokens, model):
            raise complaint
        return model, tokens
