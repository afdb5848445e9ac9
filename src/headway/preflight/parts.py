"""The images and documents of a request, wherever they stand, and putting others in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from headway.preflight.facts import Body

Block = Mapping[str, object]
_KINDS: Final = ("image", "document")
_EMPTY: Final[Block] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """One image or document."""

    path: str
    """As the API writes it: ``messages.0.content.1``, ``messages.0.content.1.content.0`` in a ``tool_result``."""
    block: Block

    @property
    def kind(self) -> str:
        """``image`` or ``document``."""
        return str(self.block["type"])

    @property
    def source(self) -> Block:
        """Where its bytes are; empty when there is none."""
        return _mapping(self.block.get("source"))

    @property
    def data(self) -> str | None:
        """Its base64, when it came that way."""
        data = self.source.get("data")
        return data if self.source.get("type") == "base64" and isinstance(data, str) else None

    @property
    def media_type(self) -> str:
        """As declared; may be anything."""
        return str(self.source.get("media_type", ""))

    @property
    def file_id(self) -> str | None:
        """The id of a file in the Files API."""
        found = self.source.get("file_id")
        return found if self.source.get("type") == "file" and isinstance(found, str) else None

    def with_source(self, **changes: object) -> dict[str, object]:
        """Its block with another source, or with some fields of the source changed."""
        source = changes if "type" in changes else {**self.source, **changes}
        return {**self.block, "source": source}


def parts_of(body: Body) -> list[Part]:
    """Every image and document, in order. Results of server tools are not touched, so they are not told."""
    found: list[Part] = []
    for index, message in _items(body.get("messages")):
        found += _within(message.get("content"), f"messages.{index}.content")
    return found


def _within(content: object, where: str) -> Iterator[Part]:
    for index, block in _items(content):
        path = f"{where}.{index}"
        kind = block.get("type")
        if kind in _KINDS:
            part = Part(path, block)
            yield part
            if part.source.get("type") == "content":  # a document made of text and images
                yield from _within(part.source.get("content"), f"{path}.source.content")
        elif kind == "tool_result":
            yield from _within(block.get("content"), f"{path}.content")


def replaced(body: Body, blocks: Mapping[str, Block]) -> Body:
    """The body with other blocks at these paths; nothing in the given one is changed."""
    for path, block in blocks.items():
        body = cast("Body", _put(body, path.split("."), block))
    return body


def _put(value: object, path: list[str], block: Block) -> object:
    if not path:
        return block
    name, *rest = path
    if isinstance(value, Mapping):
        fields = dict(cast("Mapping[str, object]", value))
        fields[name] = _put(fields[name], rest, block)
        return fields
    items = list(cast("list[object]", value))
    items[int(name)] = _put(items[int(name)], rest, block)
    return items


def _items(value: object) -> Iterator[tuple[int, Block]]:
    """The objects in a list, with their places."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[object]", value)):
            if isinstance(item, Mapping):
                yield index, cast("Block", item)


def _mapping(value: object) -> Block:
    return cast("Block", value) if isinstance(value, Mapping) else _EMPTY
