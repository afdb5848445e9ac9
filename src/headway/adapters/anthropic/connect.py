"""Making a client, the hygiene of its credentials, and what can be told of a client from outside."""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING, Final, TypeVar, cast
from urllib.parse import urlsplit

from headway.adapters.anthropic.token import TokenSource
from headway.core.key_shape import KEY_VARIABLE, OFFICIAL, TOKEN_VARIABLE, unusual
from headway.errors import HeadwayError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle
    from anthropic.lib.vertex import AsyncAnthropicVertex

    from headway.adapters.anthropic.middleware import SchedulerMiddleware

    AnyClient = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle | AsyncAnthropicVertex
    """The SDK's asynchronous clients; those for Foundry, AWS and Google Cloud are ``AsyncAnthropic`` too."""

ClientT = TypeVar("ClientT", bound="AnyClient")

log: Final = logging.getLogger("headway")
KEY_VARIABLES: Final = (KEY_VARIABLE, TOKEN_VARIABLE)
"""In the SDK's order of preference."""
PLACEHOLDERS: Final = frozenset(
    {"", "your-api-key", "your_api_key", "sk-ant-...", "sk-ant-…", "changeme", "xxx", "todo"}
)
RESERVED_FILES: Final = 64
"""Open files left to the rest of the process."""
POOL: Final = 1000
"""The SDK's own default for connections."""
_AIOHTTP_POOL: Final = 100
"""aiohttp's default for connections, in force where the limit is ``None``."""
_IDENTITIES: Final = ("api_key", "auth_token", "aws_access_key", "aws_profile", "project_id", "project")
"""Attributes by which the SDK's clients (Bedrock and Vertex have fewer) name whose limits count."""


class CredentialError(HeadwayError):
    """No usable API key or token was found, or no usable base URL; the message never contains it."""


def clean_key(text: str, variable: str) -> str | CredentialError:
    """A key without white space and quotes around it, or why it cannot work.

    The error is returned, not raised: a traceback with locals would show the key.
    """
    key = text.strip().strip("\"'").strip()
    if key.lower() in PLACEHOLDERS or (key.startswith("<") and key.endswith(">")):
        return CredentialError(f"{variable} is empty or a placeholder; set it to a key from the Console")
    if not key.isascii() or any(character.isspace() or not character.isprintable() for character in key):
        return CredentialError(
            f"{variable} has white space, control or non-ASCII characters inside; copy the key again"
        )
    return key


def make_client() -> AsyncAnthropic:
    """An ``AsyncAnthropic`` with credentials and base URL from the environment, as the SDK finds them.

    It uses the SDK's aiohttp backend (half the CPU time a call, ``benchmarks/backend.py``) and no retries
    of its own. Raises `CredentialError` when there is nothing to authenticate with.
    """
    client = _client_of_environment()
    if isinstance(client, CredentialError):
        raise client
    if client.api_key is None and client.auth_token is None and client.credentials is None:
        raise CredentialError(
            "no API key found: set ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN, or a profile), or pass a client"
        )
    return client


def local_client(base_url: str) -> AsyncAnthropic:
    """A client for an API on this machine: any key will do, and no proxy of the environment is asked."""
    from anthropic import AsyncAnthropic, DefaultAioHttpClient

    http_client = DefaultAioHttpClient(trust_env=False)
    return AsyncAnthropic(api_key="local", base_url=base_url, max_retries=0, http_client=http_client)


def _client_of_environment() -> AsyncAnthropic | CredentialError:
    from anthropic import AsyncAnthropic, CredentialsError, DefaultAioHttpClient
    from httpx2 import Limits as PoolLimits

    # The SDK itself would take a variable of white space only; here one with a key in it goes before that.
    given = [name for name in KEY_VARIABLES if os.environ.get(name)]
    variable = next((name for name in given if os.environ[name].strip()), given[0] if given else None)
    key = None if variable is None else clean_key(os.environ[variable], variable)
    if isinstance(key, CredentialError):
        return key
    address = urlsplit(os.environ.get("ANTHROPIC_BASE_URL", "").strip() or OFFICIAL)
    if address.scheme not in {"http", "https"} or not address.hostname:  # not shown: it may hold a password
        return CredentialError(f"ANTHROPIC_BASE_URL is no address; it looks like {OFFICIAL}")
    connections = max(8, min(POOL, open_file_limit() - RESERVED_FILES))
    limits = PoolLimits(max_connections=connections, max_keepalive_connections=connections)
    if key is not None and variable is not None:
        _warn_of(unusual(key, variable))
    try:
        return AsyncAnthropic(
            api_key=key if variable == KEY_VARIABLES[0] else None,
            auth_token=key if variable == KEY_VARIABLES[1] else None,
            http_client=DefaultAioHttpClient(limits=limits),
            max_retries=0,
        )
    except CredentialsError as error:  # a profile that cannot be read
        return CredentialError(str(error))


def _warn_of(strange: tuple[str, str] | None) -> None:
    """A gateway's keys may look like anything."""
    if strange is not None and not os.environ.get("ANTHROPIC_BASE_URL", OFFICIAL).rstrip("/").removeprefix(
        OFFICIAL
    ):
        log.warning("%s. %s.", *strange)


def require_async(client: object) -> None:
    """Raises TypeError for a client of the SDK that is not async: its calls would block the event loop."""
    from anthropic._base_client import SyncAPIClient

    if isinstance(client, SyncAPIClient):
        name = type(client).__name__
        raise TypeError(f"headway needs an async client: pass Async{name}(...) instead of {name}(...)")


def with_scheduler(client: ClientT, middleware: SchedulerMiddleware) -> ClientT:
    """A copy of a client, sharing its connections, with the scheduler's middleware next to the wire and no
    retries of the SDK's own. Raises ValueError when there is one already: two would wait for each other."""
    require_async(client)
    if any(isinstance(given, type(middleware)) for given in client.middleware):
        raise ValueError("this client goes through a scheduler already; pass the client it was made from")
    middleware.token = middleware.token or TokenSource(client)
    copy = client.with_options(max_retries=0, middleware=[*client.middleware, middleware])  # pyright: ignore[reportUnknownMemberType]
    return cast("ClientT", copy)


def fingerprint(client: AnyClient) -> str:
    """Base URL and a one-way hash of the credential: limits belong to an organisation, this stands for it.
    Raises TypeError for what is no asynchronous client of the SDK."""
    from httpx2 import AsyncClient

    if not isinstance(getattr(client, "_client", None), AsyncClient):
        kind = type(client).__name__
        raise TypeError(f"an asynchronous client of the SDK is needed (AsyncAnthropic …), not {kind}")
    found = (getattr(client, name, None) for name in _IDENTITIES)
    secret = next((value for value in found if isinstance(value, str) and value), "")
    digest = hashlib.sha256(secret.encode(errors="replace")).hexdigest()[:12] if secret else "provider"
    return f"{str(client.base_url).rstrip('/')}#{digest}"


def pool_size(client: AsyncAnthropic) -> int:
    """The connection limit of the client's transport; the SDK's default where it cannot be seen."""
    transport = getattr(getattr(client, "_client", None), "_transport", None)
    limits = getattr(transport, "limits", None)  # aiohttp backend
    size: object = getattr(limits, "max_connections", None)
    if limits is not None and size is None:
        return _AIOHTTP_POOL
    if size is None:
        size = getattr(getattr(transport, "_pool", None), "_max_connections", None)  # httpx2 backend
    return size if isinstance(size, int) and size > 0 else POOL


def pool_is_full(client: AsyncAnthropic) -> bool:
    """Whether every connection of an aiohttp pool is in use: its timeout for that is the one for connecting."""
    transport = getattr(getattr(client, "_client", None), "_transport", None)
    connector = getattr(getattr(transport, "client", None), "connector", None)
    limit = getattr(connector, "limit", None)
    acquired = getattr(connector, "_acquired", ())  # aiohttp has no public name for it
    return isinstance(limit, int) and 0 < limit <= len(acquired)


def open_file_limit() -> int:
    """How many files this process may have open; connections are files."""
    try:
        import resource
    except ImportError:  # not POSIX
        return POOL + RESERVED_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return POOL + RESERVED_FILES if soft == resource.RLIM_INFINITY else int(soft)
