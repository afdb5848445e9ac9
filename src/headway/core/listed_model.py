"""A model as the Models API tells it, without the SDK's types and dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One entry of ``models.list``; ``None`` is what the API did not tell."""

    id: str
    line: str | None = None
    lifecycle: str = "active"
    """``active``, ``deprecated`` or ``retired``."""
    created: str = ""
    """ISO date of its release."""
    retires: str | None = None
    """ISO date; may be revised, and may be past on a model that still answers."""
    window: int | None = None
    """Most input tokens."""
    max_output: int | None = None
    """Largest ``max_tokens``."""
    thinking: tuple[str, ...] | None = None
    """The ``thinking.type`` values it accepts, sorted."""
    images: bool | None = None
    """Images are accepted."""
    pdfs: bool | None = None
    """PDFs are accepted."""

    def to_json(self) -> dict[str, object]:
        """As plain JSON, for the cache on disk."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> ListedModel:
        """The inverse of `to_json`. Raises `ValueError` on anything else."""
        if not isinstance(data, Mapping):
            raise ValueError("a model must be an object")  # noqa: TRY004 - of the file, not of the code
        fields = cast("Mapping[str, object]", data)
        model_id = fields.get("id")
        if not isinstance(model_id, str) or not model_id:
            raise ValueError("a model without id")
        thinking = fields.get("thinking")
        return cls(
            model_id,
            _text(fields.get("line")),
            _text(fields.get("lifecycle")) or "active",
            _text(fields.get("created")) or "",
            _text(fields.get("retires")),
            _count(fields.get("window")),
            _count(fields.get("max_output")),
            tuple(sorted(map(str, cast("list[object]", thinking)))) if isinstance(thinking, list) else None,
            _flag(fields.get("images")),
            _flag(fields.get("pdfs")),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
