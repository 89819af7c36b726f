"""The body of an answer over HTTP: at most so large, also where it is packed."""

from __future__ import annotations

import zlib

import httpx

HEADERS = {"accept": "*/*", "accept-encoding": "gzip", "user-agent": "sourcing"}
"""Of every request: what is read here."""

CHARACTER_SETS = ("utf-8", "utf8", "gbk", "gb2312", "gb18030", "us-ascii", "iso-8859-1")
"""Named as encodings by mistake: nothing is packed."""


class Unreadable(Exception):
    """The body is larger than the bound, or packed in another way than asked for."""


async def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body, without its one layer of gzip; the answer stays open.

    Raises `Unreadable`, or `httpx.DecodingError` for what is no gzip, cut off, or
    followed by something.
    """
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", *CHARACTER_SETS, "gzip"):
        raise Unreadable("the answer is packed in a way that was not asked for")
    gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if packing == "gzip" else None
    body = bytearray()
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        async for chunk in response.stream:
            body += gzip.decompress(chunk, max_bytes + 1 - len(body)) if gzip else chunk
            if len(body) > max_bytes:
                raise Unreadable(f"the answer is larger than {max_bytes >> 20} MB")
            if gzip and gzip.unused_data:
                raise httpx.DecodingError("something follows the packed answer")
    except zlib.error as error:
        raise httpx.DecodingError("the answer is no gzip") from error
    if gzip and not gzip.eof:
        raise httpx.DecodingError("the packed answer is cut off")
    return bytes(body)
