"""Images to search with: a local file, or an address that the service can reach."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LARGEST_IMAGE = 3 * 1024 * 1024


class UnreadableImage(ValueError):
    """The image can't be used; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Image:
    """Either the bytes of the image or its address; the other is None."""

    content: bytes | None = None
    url: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """The image of an address, or else of a file's path. Raises `UnreadableImage`."""
        if text.startswith(("http://", "https://")):
            return cls(url=text)
        path = Path(text)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UnreadableImage(f"{path} can't be read ({error.strerror}); give an image file or a link") from error
        if not content:
            raise UnreadableImage(f"{path} is empty; give an image file or a link")
        if len(content) > LARGEST_IMAGE:
            raise UnreadableImage(f"{path} has {len(content):,} bytes; the service takes {LARGEST_IMAGE:,} at most")
        return cls(content=content)

    @property
    def base64(self) -> str | None:
        """The image in the service's form."""
        return base64.b64encode(self.content).decode() if self.content is not None else None
