"""What each ``error_code`` says: the cause behind an error, more exact than its type or status.

From the docstrings of the error classes in ``anthropic`` 2.12 (those that ``messages.create`` and the Files API
raise). What headway does about a code is in its kind's row (``core/error_kind.py``); a code that is not listed
here is treated as its ``error.type``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One ``error.details.error_code``."""

    status: int
    """The HTTP status it comes with."""
    name: str
    meaning: str
    """What it says and, where the API tells it, what to do. Ends with a full stop."""


ERROR_CODES: Final[tuple[ErrorCode, ...]] = (
    ErrorCode(400, "available_tools_limit_exceeded",
        "The tools available after a message exceed a limit on their number or their size."),
    ErrorCode(400, "claude_code_key_creator_not_member",
        "The key belongs to the Claude Code workspace, and the user who made it is no longer a member."),
    ErrorCode(400, "claude_code_version_too_old",
        "The request comes from a Claude Code version older than the model or the organisation requires."),
    ErrorCode(400, "cmek_key_disabled",
        "The workspace's customer-managed encryption key is disabled or revoked. Enable it again, then resume."),
    ErrorCode(400, "cmek_key_network_blocked",
        "The key management service's network rules block access to the workspace's encryption key."),
    ErrorCode(400, "compaction_block_ambiguous",
        "There is more than one compaction block with content. Send only the one that was returned last."),
    ErrorCode(400, "compaction_block_misplaced",
        "The compaction block is not the first block of the conversation, or is in a system message."),
    ErrorCode(400, "compaction_content_mismatch",
        "The content of the compaction block differs from what its signature recorded."),
    ErrorCode(400, "compaction_incomplete_turn", "The compaction request ends on an unfinished assistant turn."),
    ErrorCode(400, "compaction_nothing_to_summarize", "There is no user or assistant content to summarise."),
    ErrorCode(400, "compaction_signature_invalid", "The signature of the compaction block does not verify."),
    ErrorCode(400, "compaction_too_many_tool_references",
        "The conversation refers to more distinct tools than a compaction block can record."),
    ErrorCode(400, "compaction_tool_changes_mismatch",
        "The tool_changes of the compaction block differ from what was returned with it."),
    ErrorCode(400, "file_not_downloadable", "Only files made by a tool can be downloaded, not uploaded ones."),
    ErrorCode(400, "image_dimensions_too_large",
        "Images in details.paths have a side longer than details.max_side_length_pixels."),
    ErrorCode(400, "organization_on_hold",
        "Anthropic disabled the organisation for trust and safety; details.appeal_url is where to appeal."),
    ErrorCode(400, "request_body_encoding_invalid", "The request body is not valid for its Content-Encoding."),
    ErrorCode(400, "request_body_encoding_unsupported", "The request's Content-Encoding is not supported."),
    ErrorCode(400, "request_body_timeout",
        "The request body did not arrive in time, so nothing was done. Send a smaller one, or a faster way."),
    ErrorCode(400, "storage_quota_exceeded", "The organisation's file storage is full. Delete files."),
    ErrorCode(400, "thread_already_continued",
        "That response was continued already. Continue from the thread's most recent response."),
    ErrorCode(400, "thread_continue_in_flight",
        "Another request is continuing from the same response. Wait for it, or replay the conversation with "
        'thread: {"type": "create"}.'),
    ErrorCode(400, "thread_fingerprint_mismatch",
        "A field that must stay the same within a thread differs. Send the stored value, or replay the "
        'conversation with thread: {"type": "create"}.'),
    ErrorCode(400, "thread_unsupported_request",
        "Threads do not support a field of the request; send the full conversation without thread."),
    ErrorCode(400, "tool_name_conflict",
        "A tool made available in messages takes a name that another kind of tool already holds."),
    ErrorCode(400, "tool_reference_unresolved",
        "A tool or MCP server is referred to that is not defined at that place in the conversation."),
    ErrorCode(400, "user_profile_required",
        "The request bills a user profile but names none in the anthropic-user-profile-id header."),
    ErrorCode(402, "linked_organization_billing_unavailable",
        "The organisation linked to the user profile cannot be billed at present."),
    ErrorCode(402, "linked_organization_spend_limit_reached",
        "The organisation linked to the user profile has reached its spend limit or lacks credit."),
    ErrorCode(403, "sandbox_egress_restricted",
        "The request came from a Claude sandbox whose network access is restricted."),
    ErrorCode(403, "user_profile_billing_not_authorized",
        "The customer behind the user profile has not authorised being billed, or no longer does."),
    ErrorCode(403, "user_profile_not_billable", "The user profile cannot be billed; no reason is given."),
    ErrorCode(404, "file_expired", "The file's expires_at has passed, so its content is gone. Upload it again."),
    ErrorCode(404, "thread_not_found",
        'No usable thread was found. Replay the conversation with thread: {"type": "create"}.'),
    ErrorCode(409, "skill_read_blocked_undecryptable",
        "A custom skill is stored under an encryption key that the workspace cannot use at present."),
    ErrorCode(413, "request_body_too_large_after_decoding",
        "The compressed request body exceeds the size limit once it is decoded."),
    ErrorCode(429, "contract_spend_limit_reached", "The organisation has reached its contract's spend limit."),
    ErrorCode(429, "enforced_spend_limit_reached",
        "The monthly spend cap of the organisation's tier is reached; it ends on the 1st at 00:00 UTC."),
    ErrorCode(429, "ramp_limit_exceeded",
        "Usage grew faster than the API allows. It may grow on after the time in Retry-After."),
    ErrorCode(503, "cmek_context_unavailable",
        "The workspace's encryption settings could not be read. It passes within minutes."),
    ErrorCode(503, "cmek_key_unreachable",
        "The workspace's encryption key could not be reached. If it lasts, look at the key management service."),
    ErrorCode(529, "compaction_unavailable", "The compaction failed for a transient reason on the server."),
)  # fmt: skip
