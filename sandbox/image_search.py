"""Finding goods by picture: the shown item is computed from the picture's bytes
(assumed-all.md, section 1).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from hashlib import sha256

from sandbox.catalogue import Shelf
from sandbox.fields import Fields
from sandbox.goods import Item
from sandbox.refusals import bad_request

MAX_BYTES = 3 * 1024 * 1024
MAX_FOUND = 20
DIGITS = re.compile(rb"[0-9]+")


def picture(asked: Fields, name: str) -> bytes:
    """The bytes of a picture that travels as base64."""
    try:
        content = b64decode(asked.text(name), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(asked.named(name), "must be base64") from error
    if not 0 < len(content) <= MAX_BYTES:
        raise bad_request(asked.named(name), f"must hold from 1 to {MAX_BYTES} bytes")
    return content


def similar(
    shelf: Shelf, needle: bytes, lowest: int | None, highest: int | None
) -> list[Item]:
    """The item that the picture shows, then others of its category; price bounds in
    fen.
    """
    shown = _shown(shelf, needle)
    others = (
        item
        for item in shelf.search("", None, None)
        if item.category_id == shown.category_id
    )
    found = [shown, *(item for item in others if item is not shown)]
    floor, ceiling = lowest or 0, float("inf") if highest is None else highest
    return [item for item in found if floor <= item.lowest_fen <= ceiling][:MAX_FOUND]


def _shown(shelf: Shelf, needle: bytes) -> Item:
    for run in DIGITS.findall(needle):
        item = shelf.by_any_id.get(run.decode())
        if item is not None and not item.offline:
            return item
    active = shelf.search("", None, None)
    return active[int.from_bytes(sha256(needle).digest()[:8], "big") % len(active)]
