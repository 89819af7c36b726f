"""Confirming to the marketplace that goods arrived, which lets the seller have the
money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from connectors.marketplaces.refusals import CHECKED, ORDER_STATUS_ERROR
from domain.absence import OwnRecord
from domain.effects import Action, Claim
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting, not_shown
from tasks.effects.reading_orders import read_orders
from tasks.effects.refund import after_sale_of


class ConfirmReceipt(EffectKind):
    """Confirming receipt of whole orders."""

    action: ClassVar[Action] = Action.RECEIVE
    refusals: ClassVar[Set[str]] = CHECKED | {ORDER_STATUS_ERROR, "4003"}
    asks: ClassVar[str] = "Does the console show order {order_id} as received?"
    reported: ClassVar[str] = "receipt confirmed"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await after_sale_of(self.resources, order.marketplace).receive(
            claim, str(order.order_id)
        )
        return _received(order)

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        shown = await read_orders(
            self.resources, [attempt.order for attempt in attempts]
        )
        return {
            one.effect.key: _seen(one.order, shown.get(one.order.order_ref))
            for one in attempts
        }


def _seen(order: OrderRecord, shown: ServiceOrder | None) -> Sighting:
    if shown is None:
        return not_shown()
    if shown.status is ServiceStatus.FINISHED:
        return _received(order)
    return OwnRecord(shown=Statement(source=Source.DETAIL, value=shown.status))


def _received(order: OrderRecord) -> Proof:
    return Proof(answer={"received": order.order_id})
