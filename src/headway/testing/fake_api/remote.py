"""The remote control of a fake API that runs elsewhere: plain blocking calls over HTTP."""

from __future__ import annotations

import http.client
import json
from typing import cast

from headway.testing.fake_api.fault import FaultRule
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.plain import to_plain
from headway.testing.fake_api.stats import FakeStats


class RemoteAPI:
    """A running fake API, reached by its address. Calls block for about a millisecond."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    @property
    def base_url(self) -> str:
        """What the SDK takes as ``base_url``."""
        return f"http://{self._host}:{self._port}"

    def stats(self) -> FakeStats:
        """Everything it has seen so far."""
        return FakeStats.from_json(self._call("GET", "stats"))

    def set_limits(self, limits: FakeLimits, group: str | None = None) -> None:
        """Change the limits of one model group, or of all, from now on."""
        fields = cast("dict[str, object]", to_plain(limits))
        self._call("POST", "limits", fields | ({"group": group} if group else {}))

    def set_faults(self, faults: tuple[FaultRule, ...]) -> None:
        """Replace the fault schedule; windows still count from the first request."""
        self._call("POST", "faults", to_plain(faults))

    def pass_time(self, seconds: float) -> None:
        """Move the server's clock on, so that files and batches expire; limits and latencies do not notice."""
        self._call("POST", "time", {"seconds": seconds})

    def reset(self) -> None:
        """Start anew: counters, attempts, bucket levels, fault windows."""
        self._call("POST", "reset")

    def _call(self, method: str, name: str, content: object = None) -> object:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=30)
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, f"/_fake/{name}", body, {"connection": "close"})
            answer = connection.getresponse()
            result: object = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"fake API: {method} {name}: {result}")
        return result
