"""A warehouse that takes any id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.dialects.freight_distribution_ids import by_shop_ids

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World


def _call(world: World, path: str, call: Call) -> Call:
    return by_shop_ids(world, path, call, takes_shop_ids=True)


FREIGHT_ANY_IDS = Dialect(
    name="freight-any-ids",
    sentence="Freight calls take Taobao's goods by the shop's ids and by distribution ids alike.",
    source="No page says that an id is checked before the goods arrive.",
    mark=Mark.INFERRED,
    changes_call=_call,
)
