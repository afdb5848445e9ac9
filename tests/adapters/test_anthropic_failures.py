"""`rejection_of`, exception by exception: what no server can be made to do on demand."""

from __future__ import annotations

import itertools
import ssl

import aiohttp
import anthropic
import httpx2
import pytest
from aiohttp.client_reqrep import ConnectionKey
from pydantic import BaseModel, ValidationError

from headway.adapters.anthropic.failures import rejection_of
from headway.core.error_kind import ErrorKind as K

REQUEST = httpx2.Request("POST", "http://x", headers={"Authorization": "Bearer sk-ant-canary"})
KEY = ConnectionKey("x", 1, False, True, None, None, None)


def chained(*errors: BaseException) -> Exception:
    """The first error, each caused by the next."""
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    assert isinstance(errors[0], Exception)
    return errors[0]


def lost(*causes: BaseException) -> Exception:
    return chained(anthropic.APIConnectionError(request=REQUEST), *causes)


BRIDGED = httpx2.ConnectError
"""What the SDK's bridge makes of every lost connection of aiohttp."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lost(), K.CONNECTION),
        (anthropic.APITimeoutError(REQUEST), K.ATTEMPT_TIMEOUT),
        (lost(httpx2.ConnectError("no"), OSError("no")), K.CONNECTION),
        (lost(httpx2.ConnectError("tls"), ssl.SSLError("tls"), ConnectionResetError()), K.CONNECTION),
        (lost(httpx2.ConnectTimeout("")), K.CONNECTION),
        (lost(httpx2.ProxyError("407")), K.CONNECTION),
        (lost(httpx2.TooManyRedirects("")), K.CONNECTION),
        (lost(httpx2.PoolTimeout("")), K.POOL_TIMEOUT),
        (lost(httpx2.ReadTimeout("")), K.ATTEMPT_TIMEOUT),
        (lost(httpx2.WriteTimeout("")), K.ATTEMPT_TIMEOUT),
        (lost(TimeoutError()), K.ATTEMPT_TIMEOUT),
        (lost(httpx2.ReadError("")), K.DISCONNECTED),
        (lost(httpx2.WriteError("")), K.DISCONNECTED),
        (lost(httpx2.CloseError("")), K.DISCONNECTED),
        (lost(httpx2.RemoteProtocolError("")), K.DISCONNECTED),
        (lost(httpx2.DecodingError("")), K.MALFORMED),
        (lost(httpx2.InvalidURL("")), K.CLIENT_ERROR),
        (lost(RuntimeError("Event loop is closed")), K.DISCONNECTED),
        (lost(RuntimeError("Cannot send a request, as the client has been closed.")), K.STOPPED),
        (lost(RuntimeError("Session is closed")), K.STOPPED),
        (lost(BRIDGED(""), aiohttp.ClientConnectorError(KEY, OSError("no"))), K.CONNECTION),
        (lost(BRIDGED(""), aiohttp.ClientConnectorDNSError(KEY, OSError("no"))), K.CONNECTION),
        (lost(BRIDGED(""), aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError("no"))), K.CONNECTION),
        (lost(BRIDGED(""), aiohttp.ServerFingerprintMismatch(b"", b"", "x", 1)), K.CONNECTION),
        (lost(BRIDGED(""), aiohttp.ClientConnectionError("Connector is closed.")), K.CONNECTION),
        (lost(httpx2.ConnectTimeout(""), aiohttp.ConnectionTimeoutError()), K.CONNECTION),
        (lost(httpx2.TimeoutException(""), aiohttp.ServerTimeoutError()), K.ATTEMPT_TIMEOUT),
        (lost(BRIDGED(""), aiohttp.ServerDisconnectedError()), K.DISCONNECTED),
        (lost(BRIDGED(""), aiohttp.ClientOSError(104, "reset"), ConnectionResetError()), K.DISCONNECTED),
        (lost(BRIDGED(""), aiohttp.ClientOSError(110, "timed out")), K.DISCONNECTED),
        (lost(BRIDGED(""), aiohttp.ClientConnectionResetError("closing")), K.DISCONNECTED),
        (lost(BRIDGED(""), aiohttp.ClientConnectionError("Connection closed")), K.DISCONNECTED),
        (httpx2.ReadTimeout(""), K.ATTEMPT_TIMEOUT),  # raw: in the middle of a stream
        (httpx2.ReadError(""), K.DISCONNECTED),
        (chained(BRIDGED(""), aiohttp.ClientOSError(104, "reset")), K.DISCONNECTED),
        (ConnectionResetError(), K.DISCONNECTED),
        (anthropic.CredentialsError("no file"), K.AUTHENTICATION),
        (TypeError("x"), K.INVALID_REQUEST),
        (DeprecationWarning("x"), K.INVALID_REQUEST),
        (ZeroDivisionError("x"), K.INTERNAL),
    ],
    ids=lambda x: x.value if isinstance(x, K) else None,
)
def test_kinds(error: Exception, kind: K) -> None:
    failure = rejection_of(error).failure
    assert failure.kind is kind, failure
    assert failure.message
    assert "canary" not in repr(failure)


def test_while_an_answer_is_read_the_request_is_not_to_blame() -> None:
    for error in (TypeError("x"), ValueError("secret answer"), AssertionError(), RecursionError()):
        failure = rejection_of(error, answering=True).failure
        assert failure.kind is K.MALFORMED
        assert "secret" not in failure.message


def test_a_loop_of_causes_ends() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert rejection_of(chained(anthropic.APIConnectionError(request=REQUEST), first)).failure


def test_validation_errors_do_not_quote_their_input() -> None:
    class Shape(BaseModel):
        number: int

    with pytest.raises(ValidationError) as caught:
        Shape.model_validate({"number": "a secret prompt"})
    assert "secret" not in rejection_of(caught.value).failure.message


def test_nothing_keeps_the_exception() -> None:
    """The SDK's exception holds its request and so the key."""
    import gc
    import weakref

    error = anthropic.APIConnectionError(request=REQUEST)
    gone = weakref.ref(error)
    rejection = rejection_of(error)
    del error
    gc.collect()
    assert gone() is None
    assert rejection.failure.kind is K.CONNECTION
