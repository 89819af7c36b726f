"""What a cell of the matrix is: the deviation, the batch, its limits, and what befalls
the runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, RequestLine
from tests.simulation.deviations.service import Deviation, Group
from tests.simulation.episode import RECEIVER, Scenario, _settings
from tests.simulation.misfortune import Call, Fault, Kind, Misfortune
from tests.simulation.stage import Stage

ORDERS = 5
LEASE_S = 60
REFERENCE = "Lot-2026-North-West-{}"
"""One character beyond the twenty to which some systems cut."""


class Setting(StrEnum):
    """What befalls the runs beside the deviation."""

    CALM = "calm"
    CRASH = "crash"
    PUT_BACK = "put-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One play of the matrix; the same cell always plays alike."""

    deviation: Deviation
    marketplace: Marketplace
    setting: Setting
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.deviation.name} | {self.marketplace} | {self.setting} | {self.seed}"
        )

    @property
    def from_start(self) -> bool:
        """Whether the service deviates from the first call on, and not only once
        something was bought.
        """
        return (
            self.seed
            < {Setting.CALM: 3, Setting.CRASH: 2, Setting.PUT_BACK: 1}[self.setting]
        )


class RoughService(Misfortune):
    """Effects whose answers are lost or late, and processes that die; no lies, since
    the service deviates enough.
    """

    KINDS = (
        Kind.DROP_AFTER,
        Kind.DROP_AFTER,
        Kind.DROP_BEFORE,
        Kind.LATE_EFFECT,
        Kind.SLOW,
        Kind.HTTP_500,
    )

    def fault(self, call: Call) -> Fault | None:
        if (
            self.calm
            or call in (Call.PLAN, Call.READ)
            or self.dice.random() >= self.effect_rate
        ):
            return None
        kind = self.dice.choice(self.KINDS)
        self.count(kind)
        return Fault(kind, self._delay_s(kind))


class Refusing(Misfortune):
    """Something is refused: a seller closes an order before it is paid, another is sold
    out.
    """

    planned: dict[Call, list[Fault | None]]

    def fault(self, call: Call) -> Fault | None:
        waiting = self.planned.get(call)
        return waiting.pop(0) if waiting else None


def misfortune_of(cell: Cell) -> Misfortune:
    dice = Random(f"{cell.seed}:{cell.setting}")
    if cell.deviation.refusals and cell.setting is Setting.CALM:
        refusing = Refusing(dice=dice, calm=False)
        refusing.planned = {
            Call.CREATE: [None, Fault(Kind.OUT_OF_STOCK)],
            Call.PAY: [None, Fault(Kind.SELLER_CLOSES)],
        }
        return refusing
    if cell.setting is Setting.CALM:
        return Misfortune(dice=dice, calm=True)
    crashes = 0.04 if cell.setting is Setting.CRASH else 0.02 * (cell.seed % 2)
    return RoughService(
        dice=dice,
        crash_rate=crashes,
        effect_rate=0.35,
        patience_s=dice.choice((0.0, 600.0)),
    )


def scenario_of(made: Stage, cell: Cell) -> Scenario:
    """Some seeds limit lines, some the batch; where amounts deviate, also so that
    nothing may be bought at all.
    """
    tight = cell.deviation.group is Group.AMOUNTS
    requests = []
    total_fen = 0
    for number in range(1, ORDERS + 1):
        item = made.on_sale[cell.marketplace][number]
        sku = max(item.skus, key=lambda sku: sku.stock)
        quantity = item.min_quantity
        unit_fen = item.unit_fen(sku, quantity)
        limit = {1: Money(unit_fen), 2: Money(unit_fen // 50) if tight else None}.get(
            cell.seed
        )
        line = RequestLine(
            row=2, item=item.id, sku=sku.id, quantity=quantity, max_unit_price=limit
        )
        total_fen += unit_fen * quantity + item.seller.postage(unit_fen * quantity)
        requests.append(
            OrderRequest(
                order_ref=REFERENCE.format(number),
                marketplace=cell.marketplace,
                receiver=RECEIVER,
                freight="cheapest",
                lines=(line,),
            )
        )
    budget_fen = {3: total_fen * 3 // 2, 4: total_fen // 50 if tight else 0}.get(
        cell.seed, 0
    )
    return Scenario(
        requests=tuple(requests),
        budget=Money(budget_fen) if budget_fen else None,
        settings=_settings(made, LEASE_S, 4, 0),
        day_limit_fen=None,
        hides_bookings=False,
    )
