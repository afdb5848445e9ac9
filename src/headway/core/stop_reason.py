"""Why an answer ended where it did. All of these are successes: the message says so, and it was billed.

https://platform.claude.com/docs/en/api/handling-stop-reasons
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class StopReason:
    """One ``message.stop_reason``."""

    name: str
    meaning: str
    remedy: str
    """What is left for the user to do; empty when there is nothing."""


STOP_REASONS: Final[tuple[StopReason, ...]] = (
    StopReason("end_turn", "The model said all it had to say.", ""),
    StopReason("stop_sequence", "One of stop_sequences was written.", ""),
    StopReason("tool_use", "The model calls a tool.",
        "Run the tool and send its tool_result in the next user turn."),
    StopReason("max_tokens", "The answer reached max_tokens and is cut off.",
        "Raise max_tokens; a tool_use block that was cut off cannot be used."),
    StopReason("model_context_window_exceeded", "The answer filled the model's context window and is cut off.",
        "Shorten the prompt."),
    StopReason("pause_turn", "A turn with server tools was paused.",
        "Send the same request with the answer's content appended as an assistant turn."),
    StopReason("refusal", "The model declined to answer; stop_details.category says why.",
        "Change the prompt, or ask another model."),
)  # fmt: skip
