"""Cells of the matrix that break something by now, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from domain.marketplace import Marketplace
from tests.simulation.deviations.scenes import Cell, Setting

EVERYWHERE = frozenset(Marketplace)
ALWAYS = frozenset(Setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Cells of a deviation."""

    deviation: str
    reason: str
    marketplaces: frozenset[Marketplace] = frozenset(Marketplace)
    settings: frozenset[Setting] = frozenset(Setting)

    def __contains__(self, cell: Cell) -> bool:
        return (cell.deviation.name, True, True) == (
            self.deviation,
            cell.marketplace in self.marketplaces,
            cell.setting in self.settings,
        )


def _in_one_unit(deviation: str, *marketplaces: Marketplace) -> Open:
    reason = "all amounts are wrong by one unit, and no two readings differ"
    return Open(
        deviation=deviation,
        reason=reason,
        marketplaces=frozenset(marketplaces or Marketplace),
    )


PUT_BACK = frozenset({Setting.PUT_BACK})
BY_CHANCE = "the id of the first order ends in zeros, so that it reads back right; the others stop, and none is paid"
OPEN: tuple[Open, ...] = (
    _in_one_unit("amounts times 100"),
    _in_one_unit("a hundredth of amounts"),
    _in_one_unit("whole yuan for fen", Marketplace.TAOBAO),
    _in_one_unit("fen for yuan", Marketplace.INTERNATIONAL, Marketplace.POIZON),
    *(
        Open(
            deviation=name,
            reason=BY_CHANCE,
            marketplaces=frozenset({Marketplace.INTERNATIONAL}),
        )
        for name in ("ids rounded", "ids rounded in lists")
    ),
    Open(
        deviation="payment refused by finance later",
        reason="finance gave the money back and closed an order that the ledger has forgotten: it is bought anew",
        settings=PUT_BACK,
    ),
    Open(
        deviation="second payment refused as paid already",
        reason="with `XPORTCN_PAY_IS=debit` what shows as unpaid after the settle time counts as not paid; "
        "where the run dies before it is sent again, the ledger says so until the next run",
        settings=frozenset({Setting.CRASH}),
    ),
)


def why_open(cell: Cell) -> str:
    """Why a cell may break something; empty when it may not."""
    return next((item.reason for item in OPEN if cell in item), "")
