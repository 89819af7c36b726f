"""Cells of the matrix that break something by now, with the reason: out of scope for good, or still to be mended."""

from __future__ import annotations

from dataclasses import dataclass

from domain.marketplace import Marketplace
from tests.simulation.deviations.scenes import Cell, Setting

EVERYWHERE = frozenset(Marketplace)
ALWAYS = frozenset(Setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Cells of deviations whose name begins so; `is_for_good`: of this very name, and nothing contradicts it."""

    deviations: str
    reason: str
    marketplaces: frozenset[Marketplace] = EVERYWHERE
    settings: frozenset[Setting] = ALWAYS
    is_for_good: bool = False

    def __contains__(self, cell: Cell) -> bool:
        return (
            (cell.deviation.name == self.deviations if self.is_for_good else self._begins(cell))
            and cell.marketplace in self.marketplaces
            and cell.setting in self.settings
        )

    def _begins(self, cell: Cell) -> bool:
        return cell.deviation.name.startswith(self.deviations)


def _open(reason: str, *deviations: str) -> tuple[Open, ...]:
    return tuple(Open(deviations=one, reason=reason) for one in deviations)


def _for_good(deviation: str, *marketplaces: Marketplace) -> Open:
    reason = "all amounts are wrong by one unit, and no two readings differ"
    where = frozenset(marketplaces) or EVERYWHERE
    return Open(deviations=deviation, reason=reason, marketplaces=where, is_for_good=True)


OPEN: tuple[Open, ...] = (
    _for_good("amounts times 100"),
    _for_good("a hundredth of amounts"),
    _for_good("whole yuan for fen", Marketplace.TAOBAO),
    _for_good("fen for yuan", Marketplace.INTERNATIONAL, Marketplace.POIZON),
    *_open("nothing is read back before the second order", "ids ", "names in", "null as", "references", "states"),
    *_open(
        "one reading of an amount comes after the second order",
        *("yuan with", "whole yuan", "fen for yuan", "amounts times", "a hundredth"),
    ),
    *_open("times that can't be told apart are seen after the second order", "times as", "errors "),
    *_open(
        "a list that is short, behind or unfiltered", "total", "pages", "rows", "id filter", "filters", "lists", "half"
    ),
    *_open("a second refusal passes for a no", "payment", "second payment", "paid is", "details"),
)


def why_open(cell: Cell) -> str:
    """Why a cell may break something; empty when it may not."""
    return next((one.reason for one in OPEN if cell in one), "")
