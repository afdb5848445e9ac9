"""Every ``error_code`` of the API, over HTTP: the row that the handbook gives it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import anthropic
import pytest
from anthropic._error_classes import ERROR_CLASSES
from anthropic.resources.messages import AsyncMessages
from handbook_cases import scoped
from handbook_rig import Start

from headway import ErrorKind, RetryPolicy
from headway.core.error_code import ERROR_CODES
from headway.testing.fake_api import FaultKind, FaultRule

K = ErrorKind
KIND_OF = {
    400: {
        K.INVALID_REQUEST: """
            available_tools_limit_exceeded tool_name_conflict tool_reference_unresolved user_profile_required
            claude_code_key_creator_not_member claude_code_version_too_old request_body_encoding_invalid
            request_body_encoding_unsupported compaction_block_ambiguous compaction_block_misplaced
            compaction_content_mismatch compaction_incomplete_turn compaction_nothing_to_summarize
            compaction_signature_invalid compaction_too_many_tool_references compaction_tool_changes_mismatch
            thread_already_continued thread_continue_in_flight thread_fingerprint_mismatch
            thread_unsupported_request storage_quota_exceeded file_not_downloadable""",
        K.IMAGE_TOO_LARGE: "image_dimensions_too_large",
        K.ACCOUNT_HOLD: "organization_on_hold cmek_key_disabled cmek_key_network_blocked",
        K.REQUEST_TIMEOUT: "request_body_timeout",
    },
    402: {K.BILLING: "linked_organization_billing_unavailable linked_organization_spend_limit_reached"},
    403: {
        K.PROFILE: "user_profile_billing_not_authorized user_profile_not_billable sandbox_egress_restricted"
    },
    404: {K.NOT_FOUND: "thread_not_found file_expired"},
    409: {K.CONFLICT_FINAL: "skill_read_blocked_undecryptable"},
    413: {K.REQUEST_TOO_LARGE: "request_body_too_large_after_decoding"},
    429: {
        K.BILLING: "enforced_spend_limit_reached contract_spend_limit_reached",
        K.RAMP_LIMIT: "ramp_limit_exceeded",
    },
    503: {K.UNAVAILABLE: "cmek_key_unreachable cmek_context_unavailable"},
    529: {K.OVERLOADED: "compaction_unavailable"},
}
EXPECTED = {
    name: (status, kind)
    for status, kinds in KIND_OF.items()
    for kind, names in kinds.items()
    for name in names.split()
}


@scoped
@pytest.mark.anyio
async def test_every_code_over_http(start: Start) -> None:
    rig = await start()
    seen: dict[str, tuple[int | None, ErrorKind]] = {}
    policy = RetryPolicy(max_attempts=1, max_throttle_wait=0)
    async with rig.open(retry=policy) as scheduler:
        for name, (status, _) in EXPECTED.items():
            rig.api.set_faults((FaultRule(FaultKind.STATUS, status=status, error_code=name),))
            failure = (await scheduler.submit("x").outcome()).failure
            assert failure is not None
            assert failure.error_code == name
            seen[name] = (failure.status, failure.kind)
            scheduler.resume()
    assert seen == EXPECTED


def test_the_table_explains_them_all() -> None:
    assert {code.name: code.status for code in ERROR_CODES} == {n: s for n, (s, _) in EXPECTED.items()}
    assert all(code.meaning.endswith(".") for code in ERROR_CODES)


def test_the_table_has_what_the_sdk_documents() -> None:
    """The classes under "Raises" of ``messages.create``."""
    source = Path(inspect.getfile(AsyncMessages)).read_text(encoding="utf-8")
    raises = source.split("        Raises:")[1].partition('"""')[0]
    documented = set(re.findall(r"^\s+(\w+Error):", raises, re.MULTILINE))
    names = {cls.__name__: code for (_, code), cls in ERROR_CLASSES.items() if code}
    assert len(documented) > 30
    assert {names[name] for name in documented} <= set(EXPECTED), anthropic.__version__
