"""Error answers in the API's words: one row per status."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

_USUAL: Final[dict[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "Invalid request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is a problem with your billing. Please check your payment details."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not Found"),
    408: ("timeout_error", "Request timed out"),
    409: ("conflict_error", "The request conflicts with the current state of the resource."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "Unprocessable request"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service temporarily unavailable"),
    504: ("timeout_error", "Request timed out. Consider streaming or the Message Batches API."),
    529: ("overloaded_error", "Overloaded"),
}
_CODES: Final[dict[str, str]] = {
    "enforced_spend_limit_reached": "You have reached your monthly spend limit.",
    "contract_spend_limit_reached": "You have reached your contract's spend limit.",
    "ramp_limit_exceeded": "Your usage grew too quickly. Increase it gradually and try again later.",
    "cmek_key_unreachable": "The customer-managed encryption key could not be reached.",
    "linked_organization_spend_limit_reached": "The linked organization has reached its spend limit.",
}


@dataclass(frozen=True, slots=True)
class WireError(Exception):
    """An error answer, before it has a request id."""

    status: int
    error_type: str
    message: str
    error_code: str | None = None
    details: dict[str, object] = field(default_factory=dict[str, object])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """What it brings along."""

    def body(self, request_id: str) -> bytes:
        """``{"type": "error", "error": {…}, "request_id": …}``."""
        return json.dumps({**self.event(), "request_id": request_id}).encode()

    def event(self) -> dict[str, object]:
        """The data of an ``error`` event in a stream."""
        error: dict[str, object] = {"type": self.error_type, "message": self.message}
        if self.error_code:
            error["details"] = {"error_code": self.error_code, **self.details}
        return {"type": "error", "error": error}


def invalid(message: str) -> WireError:
    """400 ``invalid_request_error``."""
    return WireError(400, "invalid_request_error", message)


def usual_error(
    status: int, error_type: str | None = None, message: str | None = None, code: str | None = None
) -> WireError:
    """The error the API gives with this status, or with what was said instead of its usual words."""
    fallback = ("api_error", "Internal server error") if status >= 500 else ("invalid_request_error", "Error")
    usual_type, usual_message = _USUAL.get(status, fallback)
    return WireError(
        status, error_type or usual_type, message or _CODES.get(code or "", usual_message), error_code=code
    )


def gateway_page(status: int) -> bytes:
    """The HTML a gateway in front of the API answers with."""
    reason = {413: "Payload Too Large", 502: "Bad Gateway", 503: "Service Unavailable"}.get(status, "Error")
    title = f"{status} {reason}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


def comes_as_page(status: int, code: str | None) -> bool:
    """Whether this status usually comes from a gateway, as HTML."""
    return status == 502 or 520 <= status <= 527 or (status == 503 and code is None)
