"""``/v1/files``: upload, list, metadata, deletion, and the download that uploads refuse."""

from __future__ import annotations

import json
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

from headway.testing.fake_api.exchange import Exchange
from headway.testing.fake_api.file_store import StoredFile
from headway.testing.fake_api.ledger import Ledger
from headway.testing.fake_api.limits import FakeLimits
from headway.testing.fake_api.site import Site
from headway.testing.fake_api.wire_error import WireError, invalid

PREFIX: Final = "/v1/files"
MOST_FILE: Final = 500_000_000
_LIFE: Final = range(3600, 7_776_001)


async def answer_files(site: Site, exchange: Exchange, method: str, path: str) -> None:
    """Any call under ``/v1/files``."""
    raw = await exchange.read(MOST_FILE + 100_000)
    _admit(site)
    file_id, _, rest = path.removeprefix(PREFIX).strip("/").partition("/")
    match (method, bool(file_id), rest):
        case ("POST", False, ""):
            content: object = _upload(site, exchange, raw).metadata()
        case ("GET", False, ""):
            content = _list(site, exchange)
        case ("GET", True, ""):
            content = site.files.get(file_id).metadata()
        case ("DELETE", True, ""):
            site.files.remove(file_id)
            content = {"type": "file_deleted", "id": file_id}
        case ("GET", True, "content"):
            raise _not_downloadable(site, file_id)
        case (_, _, "" | "content"):
            raise WireError(405, "invalid_request_error", "Method Not Allowed")
        case _:
            raise WireError(404, "not_found_error", "Not Found")
    exchange.answer(200, site.base_headers(exchange.request_id), json.dumps(content).encode())


def _admit(site: Site) -> None:
    now = site.now()
    if site.filing is None:
        site.filing = Ledger("files", FakeLimits(requests=site.config.files_per_minute), now)
    if refusal := site.filing.admit(now, 0):
        text = f"This request would exceed the rate limit of {refusal.limit:,.0f} file requests per minute."
        raise WireError(429, "rate_limit_error", text)


def _upload(site: Site, exchange: Exchange, raw: bytes | None) -> StoredFile:
    if raw is None:
        raise WireError(413, "request_too_large", f"File exceeds the maximum of {MOST_FILE} bytes")
    fields = _form(exchange.request.headers.get("Content-Type", ""), raw)
    if "file" not in fields:
        raise invalid("file: Field required")
    head, content = fields["file"]
    if not content:
        raise invalid("file: File must not be empty")
    if len(content) > MOST_FILE:
        raise WireError(413, "request_too_large", f"File exceeds the maximum of {MOST_FILE} bytes")
    life = _life(fields["expires_in_seconds"][1]) if "expires_in_seconds" in fields else None
    name = (head.get_filename() or "unnamed").replace("\\", "/").rpartition("/")[2]
    return site.files.add(content, name, head.get_content_type(), life)


def _life(text: bytes) -> int:
    if not text.isdigit() or int(text) not in _LIFE:
        raise invalid("expires_in_seconds: Input should be between 3600 and 7776000")
    return int(text)


def _form(content_type: str, raw: bytes) -> dict[str, tuple[Message, bytes]]:
    """The parts of a ``multipart/form-data`` body by name."""
    kind = Message()
    kind["content-type"] = content_type
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise invalid("The request body is not multipart/form-data")
    fields: dict[str, tuple[Message, bytes]] = {}
    for part in (b"\r\n" + raw).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        parsed = BytesHeaderParser().parsebytes(head)
        fields[str(parsed.get_param("name", "", "content-disposition"))] = (parsed, content)
    return fields


def _list(site: Site, exchange: Exchange) -> dict[str, object]:
    query = exchange.request.query
    files = site.files.newest()
    if ids := {*query.getall("ids", []), *query.getall("ids[]", [])}:
        return {"data": [file.metadata() for file in files if file.id in ids], "next_page": None}
    limit, page = query.get("limit", "20"), query.get("page", "page_0").removeprefix("page_")
    if not limit.isdigit() or not 1 <= int(limit) <= 1000:
        raise invalid("limit: Input should be a valid integer between 1 and 1000")
    if not page.isdigit():
        raise invalid("page: Invalid page cursor")
    end = int(page) + int(limit)
    following = f"page_{end}" if end < len(files) else None
    return {"data": [file.metadata() for file in files[int(page) : end]], "next_page": following}


def _not_downloadable(site: Site, file_id: str) -> WireError:
    file = site.files.get(file_id)
    if site.files.is_expired(file):
        return WireError(404, "not_found_error", f"File {file_id} has expired", "file_expired")
    text = "Only files generated by a tool can be downloaded"
    return WireError(400, "invalid_request_error", text, "file_not_downloadable")
