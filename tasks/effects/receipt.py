"""Confirming to the marketplace that goods arrived, which lets the seller have the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from connectors.ledger.records import OrderRecord
from domain.effects import Action, Claim
from domain.service_orders import ServiceStatus
from tasks.effects.after_sale import after_sale_of
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.reading_orders import read_orders


class ConfirmReceipt(EffectKind):
    """Confirming receipt of whole orders."""

    action: ClassVar[Action] = Action.RECEIVE
    asks: ClassVar[str] = "Does the console show order {order_id} as received?"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await after_sale_of(self.resources, order.marketplace).receive(claim, str(order.order_id))
        return _received(order)

    async def look(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        shown = await read_orders(self.resources, [attempt.order for attempt in attempts])
        finished = {ref for ref, one in shown.items() if one.status is ServiceStatus.FINISHED}
        return {one.effect.key: _received(one.order) for one in attempts if one.order.order_ref in finished}


def _received(order: OrderRecord) -> Proof:
    return Proof(answer={"received": order.order_id})
