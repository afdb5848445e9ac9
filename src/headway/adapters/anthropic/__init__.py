"""The Messages API through the ``anthropic`` SDK: the only place that imports it at run time."""

from __future__ import annotations

from headway.adapters.anthropic.connect import local_client, make_client
from headway.adapters.anthropic.transport import AnthropicTransport

__all__ = ["AnthropicTransport", "local_client", "make_client"]
