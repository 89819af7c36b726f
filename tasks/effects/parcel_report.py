"""Reporting a domestic parcel to the warehouse as ours: one that it can't match would
lie there for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.marketplaces.freight import update_domestic
from domain.effects import Action, Claim
from domain.service_orders import DomesticParcel
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting


@dataclass(frozen=True)
class ReportParcel(EffectKind):
    """Reporting parcels of booked orders, by `order_ref`. It spends nothing, and no
    call shows whether it happened.

    A report names all parcels of its order: whether a later one adds or replaces is not
    known.
    """

    parcels: Mapping[str, Sequence[DomesticParcel]] = field(default_factory=dict)

    action = Action.NOTIFY
    repeatable = True
    asks = "Does the warehouse console know parcel {part} of order {order_id}?"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        parcels = self.parcels[order.order_ref]
        shipment = order.shipment
        assert shipment is not None
        booked = order.shipped_order(
            self.resources.ledger.refunds.unsent({order.order_ref: order})[
                order.order_ref
            ]
        )
        await update_domestic(
            self.resources.client,
            claim,
            shipment,
            str(order.order_id),
            parcels,
            marketplace=order.marketplace,
            lines=order.lines if shipment.items else booked.lines or order.lines,
        )
        order_update = OrderUpdate.parcel_reported(at=self.resources.clock())
        change = OrderChange(order_ref=order.order_ref, writes=order_update)
        return Proof(
            answer={"tracking_numbers": [parcel.tracking_number for parcel in parcels]},
            change=change,
        )

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        return {}
