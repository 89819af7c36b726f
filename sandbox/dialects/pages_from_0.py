"""Lists that count their pages from 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.fields import Fields

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

NAMES = ("pageNo", "page", "startPage", "beginPage")


def _call(_world: World, _path: str, call: Call) -> Call:
    asked = call.body.raw
    moved = {
        name: asked[name] + 1
        for name in NAMES
        if isinstance(asked.get(name), int) and asked[name] >= 0
    }
    return replace(call, body=Fields({**asked, **moved})) if moved else call


PAGES_FROM_0 = Dialect(
    name="pages-from-0",
    sentence="Searches and lists count their pages from 0.",
    source="A client of 1688's keyword search begins at page 0 by default; the written contract shows no answer.",
    mark=Mark.RESELLER,
    changes_call=_call,
)
