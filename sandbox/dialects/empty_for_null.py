"""Empty values in place of null."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

NUMBERS = re.compile(
    r"(?:Amount|Fee|Fen|Price|Count|Quantity|Records|remainingTime|refundStatus)$"
)


def _answer(_world: World, _path: str, _call: Call, data: Any) -> Any:
    def change(name: str, value: Any) -> Any:
        if value is not None:
            return value
        return -1 if NUMBERS.search(name) else ""

    return each(data, change)


EMPTY_FOR_NULL = Dialect(
    name="empty-for-null",
    sentence="Where a value may be null there is an empty text, and -1 for an amount or another number.",
    source="The admin pages are made with a framework whose serializer writes these for null.",
    mark=Mark.INFERRED,
    changes_answer=_answer,
)
