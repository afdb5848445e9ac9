"""Images made acceptable with Pillow (extra ``images``; ``heic`` for iPhone photos)."""

from headway.adapters.images.tool import ImagesTool

__all__ = ["ImagesTool"]
