"""The Files API as a repair: large parts of a request go there, and the request refers to them."""

from headway.adapters.anthropic.files.calls import FilesFailedError
from headway.adapters.anthropic.files.tool import FilesTool

__all__ = ["FilesFailedError", "FilesTool"]
