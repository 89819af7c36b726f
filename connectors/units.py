"""The unit of amounts in CNY by place, a part of one marketplace's calls: the
contract's, or as XPORTCN_UNITS says.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.marketplace import Marketplace


class Unit(StrEnum):
    """What a number stands for where amounts are in CNY."""

    FEN = "fen"
    YUAN = "yuan"


PLACES: Mapping[str, tuple[int | str, ...]] = {
    "taobao.search": (1, 2, 5, 6),
    "taobao.detail": (3, 4, 8, 9),
    "taobao.cart": (38, 39),
    "taobao.preview": (13, 15, 42),
    "taobao.create": (14, 16, 43),
    "taobao.orders": (10, 17, 18, 23),
    "taobao.refunds": (25, 26, 31, 33, 34),
    "1688.search": (47, 48, 49),
    "1688.detail": (45,),
    "1688.cart": (69,),
    "1688.preview": (50, 51, 73),
    "1688.create": (52, 53, 74),
    "1688.orders": (59, "/alibaba/order/detail"),
    "1688.refunds": (62, 65),
    "big_major.search": ("/alibaba/ka/product/keywords/query",),
    "big_major.detail": (85,),
    "big_major.preview": (87,),
    "big_major.create": (88,),
    "big_major.orders": (86, 89),
    "poizon.search": (91,),
    "poizon.detail": (92,),
    "poizon.preview": (96,),
    "poizon.create": (95,),
    "poizon.orders": (93, 94),
}
"""The operations of each place, by number, or by path for those without one."""
PLACE_OF = {
    operation: place for place, operations in PLACES.items() for operation in operations
}
Units = Mapping[str, Unit]
"""The places whose unit is set, sorted."""


def parse_units(text: str) -> Units:
    """Read `taobao.detail=yuan, 1688=fen`; a marketplace alone means all its places.
    Raises `ValueError`.
    """
    units: dict[str, Unit] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, unit = (word.strip() for word in part.partition("="))
        places = [place for place in PLACES if name in (place, place.partition(".")[0])]
        if not places or unit not in [*Unit]:
            known = f"{', '.join(PLACES)}, or a marketplace alone"
            raise ValueError(
                f"{part!r} is not PLACE=fen or PLACE=yuan; places: {known}"
            )
        if again := [place for place in places if units.get(place, unit) != unit]:
            raise ValueError(f"{again[0]} can't be in both fen and yuan")
        units |= dict.fromkeys(places, Unit(unit))
    return dict(sorted(units.items()))


def units_at(units: Units, marketplace: Marketplace) -> str:
    """What is set for a marketplace, always in the same words; empty where the
    contract's units count.
    """
    return ", ".join(
        f"{place}={unit}"
        for place, unit in units.items()
        if place.startswith(f"{marketplace}.")
    )


def setting_of(marketplace: Marketplace) -> str:
    """The setting by which all amounts of a marketplace are in yuan; empty where its
    calls tell their currency.
    """
    is_open = f"{marketplace}.search" in PLACES
    return f"XPORTCN_UNITS={marketplace}=yuan" if is_open else ""
