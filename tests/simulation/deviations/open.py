"""Cells of the matrix that break something by now, with the reason: out of scope for good, or still to be mended."""

from __future__ import annotations

from dataclasses import dataclass

from domain.marketplace import Marketplace
from tests.simulation.deviations.scenes import Cell, Setting

EVERYWHERE = frozenset(Marketplace)
ALWAYS = frozenset(Setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Cells of deviations whose name begins so; `is_for_good` where nothing that the service tells contradicts it."""

    deviations: str
    reason: str
    marketplaces: frozenset[Marketplace] = EVERYWHERE
    settings: frozenset[Setting] = ALWAYS
    is_for_good: bool = False

    def __contains__(self, cell: Cell) -> bool:
        return (
            cell.deviation.name.startswith(self.deviations)
            and cell.marketplace in self.marketplaces
            and cell.setting in self.settings
        )


def _open(reason: str, *deviations: str) -> tuple[Open, ...]:
    return tuple(Open(deviations=one, reason=reason) for one in deviations)


OPEN: tuple[Open, ...] = (
    *_open("nothing is read back before the second order", "ids ", "names in", "null as", "references", "states"),
    *_open("each amount has one reading", "yuan with", "whole yuan", "fen for yuan", "amounts times", "a hundredth"),
    *_open("not every shape is read that can be told apart", "times as", "errors "),
    *_open("what a list counts is believed", "total", "pages", "rows", "id filter", "filters", "lists", "half"),
    *_open("one statement decides what a payment came to", "payment", "second payment", "paid is"),
    Open(deviations="", settings=frozenset({Setting.PUT_BACK}), reason="a ledger that was put back buys at once"),
)


def why_open(cell: Cell) -> str:
    """Why a cell may break something; empty when it may not."""
    return next((one.reason for one in OPEN if cell in one), "")
