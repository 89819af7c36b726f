"""Previews with a total alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.dialects.preview_discount import sums

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World


def _alone(preview: dict[str, Any], goods: str, postage: str) -> dict[str, Any]:
    return {**preview, goods: None, postage: None}


def _without_parts(world: World, path: str, call: Call, data: Any) -> Any:
    return sums(path, data, _alone)


PREVIEW_TOTAL_ONLY = Dialect(
    name="preview-total-only",
    sentence="Previews tell the total and the price of each line; the sums of goods and of postage are null.",
    source="No page shows which of the sums a preview fills where a discount makes them differ.",
    mark=Mark.INFERRED,
    changes_answer=_without_parts,
)
