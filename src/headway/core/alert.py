"""An alert: more than one job stops, and somebody should know now."""

from __future__ import annotations

from dataclasses import dataclass

from headway.core.error_kind import ErrorKind, Scope
from headway.core.failure import Failure
from headway.core.scopes import DeadScope


@dataclass(frozen=True, slots=True)
class Alert:
    """What stopped, why, and what to do. It holds no prompt and no key."""

    dead: DeadScope
    """What is not sent to any more."""
    failure: Failure
    """Why."""
    jobs: int
    """Queued jobs that ended resumably with it."""

    @property
    def text(self) -> str:
        """All of it in one line."""
        to = "" if self.dead.scope is Scope.ACCOUNT else f" to {self.dead}"
        waiting = f" {self.jobs:,} queued jobs end resumably." if self.jobs else ""
        return f"headway stopped sending{to}: {_said(self.failure)}.{waiting} {self.failure.remedy}"

    def as_json(self) -> dict[str, object]:
        """The body of a webhook; ``text`` is what chat services show."""
        failure = self.failure
        return {
            "source": "headway",
            "text": self.text,
            "kind": failure.kind.value,
            "scope": self.dead.scope.value,
            "name": self.dead.name,
            "message": _message(failure),
            "remedy": failure.remedy,
            "status": failure.status,
            "error_code": failure.error_code,
            "request_id": failure.request_id,
            "resumes_at": failure.resumes_at,
            "jobs": self.jobs,
        }


def _message(failure: Failure) -> str:
    """What the API said. A fault of our own may quote anything: its name has to do."""
    return failure.message.partition(":")[0] if failure.kind is ErrorKind.INTERNAL else failure.message


def _said(failure: Failure) -> str:
    text = (
        f"{failure.kind.value}: {_message(failure)}" if failure.kind is ErrorKind.INTERNAL else str(failure)
    )
    return " ".join(text.split()).rstrip(".")
