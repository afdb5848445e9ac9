"""The Messages API through the ``anthropic`` SDK: the only place that imports it at run time."""

from __future__ import annotations

from headway.adapters.anthropic.connect import local_client, make_client
from headway.adapters.anthropic.endpoints import EndpointLimits
from headway.adapters.anthropic.middleware import NotSentError, SchedulerMiddleware
from headway.adapters.anthropic.transport import AnthropicTransport

__all__ = [
    "AnthropicTransport",
    "EndpointLimits",
    "NotSentError",
    "SchedulerMiddleware",
    "local_client",
    "make_client",
]
