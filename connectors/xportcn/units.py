"""The unit of amounts in CNY by place (`Operation.place`): the contract's, or as
XPORTCN_UNITS says.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from connectors.xportcn.operations import catalogue
from connectors.xportcn.wire import Unit
from domain.marketplace import Marketplace

Units = Mapping[str, Unit]
"""The places whose unit is set, sorted."""


@cache
def all_places() -> tuple[str, ...]:
    """The places of all operations, in the contract's order."""
    return tuple(
        dict.fromkeys(operation.place for operation in catalogue() if operation.place)
    )


def parse_units(text: str) -> Units:
    """Read `taobao.detail=yuan, 1688=fen`; a marketplace alone means all its places.
    Raises `ValueError`.
    """
    units: dict[str, Unit] = {}
    for entry in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, unit = (piece.strip() for piece in entry.partition("="))
        amount_places = [
            amount_place
            for amount_place in all_places()
            if name in (amount_place, amount_place.partition(".")[0])
        ]
        if not amount_places or unit not in [*Unit]:
            advice = f"{', '.join(all_places())}, or a marketplace alone"
            raise ValueError(
                f"{entry!r} is not PLACE=fen or PLACE=yuan; places: {advice}"
            )
        if repeated := [
            amount_place
            for amount_place in amount_places
            if units.get(amount_place, unit) != unit
        ]:
            raise ValueError(f"{repeated[0]} can't be in both fen and yuan")
        units |= dict.fromkeys(amount_places, Unit(unit))
    return dict(sorted(units.items()))


def units_at(units: Units, marketplace: Marketplace) -> str:
    """What is set for a marketplace, always in the same words; empty where the
    contract's units count.
    """
    return ", ".join(
        f"{amount_place}={unit}"
        for amount_place, unit in units.items()
        if amount_place.startswith(f"{marketplace}.")
    )


def setting_of(marketplace: Marketplace) -> str:
    """The setting by which all amounts of a marketplace are in yuan; empty where its
    calls tell their currency.
    """
    is_open = f"{marketplace}.search" in all_places()
    return f"XPORTCN_UNITS={marketplace}=yuan" if is_open else ""
