"""Booking the international shipment of an order: not seeing one proves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.marketplaces.freight import book
from connectors.marketplaces.refusals import CHECKED, means_no
from connectors.xportcn.errors import Refused, Unanswered
from domain.absence import OwnRecord
from domain.effects import Action, Claim, ResolutionKind
from domain.money import Money
from domain.quotes import ChosenFreight
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, Shipment
from domain.states import OrderState
from domain.witnessed import Booked, Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.effects.reading_orders import read_orders


@dataclass(frozen=True)
class Book(EffectKind):
    """Booking orders, each with its chosen freight. Neither key nor look-up of a booking is documented."""

    freight: Mapping[str, ChosenFreight] = field(default_factory=dict)
    maybe_booked: Mapping[str, str] = field(default_factory=dict)

    action: ClassVar[Action] = Action.BOOK
    before: ClassVar[OrderState | None] = OrderState.PAID
    state_while_unknown: ClassVar[OrderState | None] = OrderState.UNKNOWN
    rests_on_a_reading: ClassVar[bool] = True
    absence_proves: ClassVar[bool] = False
    happened: ClassVar[ResolutionKind] = ResolutionKind.BOOKED
    answered_with: ClassVar[tuple[str, ...]] = ("SHIPMENT_ORDER_ID", "--tracking NUMBER")
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_BOOKED
    asks: ClassVar[str] = "Does the warehouse console show a shipment for order {order_id}?"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        """Book the order; raise as for a call without an answer where a run that the ledger lost may have booked it."""
        if why := self.maybe_booked.get(order.order_ref):
            self.resources.leave(claim)  # noted as sent: it must not be taken for never begun
            raise Unanswered(why)
        chosen = self.freight[order.order_ref]
        shipment = await book(
            self.resources.client, claim, order.sourcing_order, str(order.order_id), chosen.quote, chosen.service
        )
        return Proof(answer=_ids(shipment), change=self._booked(order, shipment, Source.ANSWER, chosen))

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        shown = await read_orders(self.resources, [attempt.order for attempt in attempts])
        return {
            one.effect.key: self._seen(one.order, shown[ref])
            for one in attempts
            if (ref := one.order.order_ref) in shown
        }

    def _seen(self, order: OrderRecord, shown: ServiceOrder) -> Sighting:
        if not shown.shipments:
            return OwnRecord(shown=Statement(source=Source.DETAIL, value=shown.status))
        return Proof(answer=_ids(shown.shipments[0]), change=self.seen(order, shown.shipments))

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        return means_no(refusal, CHECKED)

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        why = because(ReasonCode.BOOKING_REFUSED, failure=refusal.message)
        return OrderChange(order_ref=attempt.order.order_ref, state=OrderState.HELD, why=why)

    def seen(self, order: OrderRecord, shipments: Sequence[Shipment]) -> OrderChange:
        """What an order becomes that the service shows with shipments: held if there are several."""
        booked = self._booked(order, shipments[0], Source.DETAIL)
        if len(shipments) == 1:
            return booked
        ids = [shipment.shipment_order_id for shipment in shipments]
        why = because(ReasonCode.SEVERAL_SHIPMENTS, count=len(ids), ids=ids)
        return replace(booked, state=OrderState.HELD, why=why)

    def _booked(
        self, order: OrderRecord, shipment: Shipment, shown_by: Source, freight: ChosenFreight | None = None
    ) -> OrderChange:
        verdict = booked(order, shipment, shown_by)
        fact = OrderUpdate.booked(verdict, shipment=shipment, at=self.resources.clock(), freight=freight)
        why = _dearer_than_approved(order, shipment)
        return OrderChange(order_ref=order.order_ref, state=OrderState.BOOKED, why=why, writes=fact)


def booked(order: OrderRecord, shipment: Shipment, shown_by: Source) -> Booked:
    shown = Statement(source=shown_by, value=shipment.shipment_order_id)
    return Booked(shown=shown, ours=Statement(source=Source.LEDGER, of=order.order_ref, value=str(order.order_id)))


def _ids(shipment: Shipment) -> dict[str, str]:
    return {"shipment_order_id": shipment.shipment_order_id}


def _dearer_than_approved(order: OrderRecord, shipment: Shipment) -> Reason | None:
    fee, currency = shipment.fee, order.freight_currency
    if fee is None or order.freight_approved_minor is None or fee.currency != currency:
        return None
    approved = Money(order.freight_approved_minor, currency)
    return because(ReasonCode.FREIGHT_CHARGED_MORE, fee=fee, approved=approved) if fee > approved else None
