"""``/_fake/…``: the server's own remote control; no key is asked for."""

from __future__ import annotations

import json
from typing import Final, cast

from headway.testing.fake_api.batch_work import let_all_end
from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.fault_file import parse_faults
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.plain import from_plain, to_plain
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import WireError, invalid

PREFIX: Final = "/_fake/"


async def answer_control(site: Site, exchange: Exchange, method: str, path: str) -> None:
    """Stats, configuration, and changes to limits and faults."""
    raw = await exchange.read()
    try:
        result = _act(site, method, path.removeprefix(PREFIX), raw or b"null")
    except ValueError as error:
        raise invalid(str(error)) from None
    exchange.answer(200, site.base_headers(exchange.request_id), json.dumps(result).encode())


def _act(site: Site, method: str, name: str, raw: bytes) -> object:
    match (method, name):
        case ("GET", "stats"):
            let_all_end(site)
            return site.stats().to_json()
        case ("GET", "config"):
            return to_plain(site.config)
        case ("POST", "limits"):
            fields: object = json.loads(raw)
            known = cast("dict[str, object]", fields) if isinstance(fields, dict) else {"limits": fields}
            group = known.pop("group", None)
            limits = from_plain(FakeLimits, known, "limits")
            site.set_limits(limits, str(group) if group else None)
        case ("POST", "faults"):
            site.set_faults(parse_faults(json.loads(raw)))
        case ("POST", "time"):
            asked: object = json.loads(raw)
            seconds = cast("dict[str, object]", asked).get("seconds") if isinstance(asked, dict) else None
            if not isinstance(seconds, int | float) or isinstance(seconds, bool):
                raise invalid(f"time.seconds: must be a number, not {seconds!r}")
            site.pass_time(seconds)
        case ("POST", "reset"):
            site.reset()
        case _:
            raise WireError(404, "not_found_error", f"{method} {PREFIX}{name}")
    return {"ok": True}
