"""The body of an answer, read in parts up to a bound, packed or not."""

from __future__ import annotations

from collections.abc import AsyncIterator

PACKINGS = ("gzip", "deflate")
"""The accepted encodings. One layer alone is unpacked: a packing within a packing multiplies beyond any bound."""

MEGABYTE = 1 << 20


class Unreadable(Exception):
    """The body is larger than the bound, or packed in another way than asked for; `str` names the fault."""


async def read_body(packed_as: str, unpacked: AsyncIterator[bytes], most_mb: int) -> bytes:
    """The unpacked body. Raises `Unreadable`.

    Parts are read as they come, 16 kB each, which unpack to 16 MB at most.
    """
    packings = [name.strip().lower() for name in packed_as.split(",")]
    if len(packings) > 1 or packings[0] not in ("", "identity", *PACKINGS):
        raise Unreadable("the answer is packed in a way that was not asked for")
    parts: list[bytes] = []
    size = 0
    async for part in unpacked:
        size += len(part)
        if size > most_mb * MEGABYTE:
            raise Unreadable(f"the answer is larger than {most_mb} MB (XPORTCN_MOST_ANSWER_MB)")
        parts.append(part)
    return b"".join(parts)
