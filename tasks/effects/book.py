"""Booking the international shipment of an order: not seeing one proves nothing, unless
a second one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.marketplaces.freight import book
from connectors.marketplaces.refusals import CHECKED
from connectors.xportcn.errors import Unanswered, XportcnError
from domain.absence import OwnRecord
from domain.effects import Action, Claim, ResolutionKind
from domain.money import Money
from domain.offers import ChosenFreight
from domain.reasons import Reason, ReasonCode, because, going_along, standing_of
from domain.service_orders import ServiceOrder, Shipment, TrackingEvent
from domain.states import OrderState
from domain.witnessed import Booked, Contradicted, Kind, Lack, Open, Source, Statement
from tasks.effects.judge import NOT_READ, refusal_of, repeats
from tasks.effects.kind import Attempt, Proof, SeenInItsOrder, Sighting

RENDER_REFUSED = "render_refused"
ORDER_REFUSED = "order_refused"
"""Values of `XPORTCN_BOOKING_REPEATED` for a service that refuses a second booking of
one render, or of one order.
"""
LONGEST_HASH = 64
SENT = re.compile(r"[^/]*/(?P<service>[^/]*)/(?P<minor>[0-9]+)(-[0-9]+)*")
"""What `booking_hash` makes."""


def booking_hash(chosen: ChosenFreight) -> str:
    """Render, service, price and left out lines of a booking, as its request hash keeps
    them.
    """
    service = chosen.service
    without = "".join(f"-{line_no}" for line_no in sorted(chosen.unsent))
    return (
        f"{chosen.quote.render_id}/{service.service_id}/{service.price.minor}{without}"[
            :LONGEST_HASH
        ]
    )


def freight_of(effect: EffectRecord) -> OrderUpdate:
    """Price and service that a booking was sent with, whose answer with its fee was
    lost; of a repeated one the first.

    The service refuses a second one.
    """
    first = repeats(effect)
    price = effect.amount
    sent = first or effect.request_hash
    if price and len(sent) < LONGEST_HASH and (found := SENT.fullmatch(sent)):
        return OrderUpdate.charged(
            price=Money(int(found["minor"]), price.currency),
            service_id=found["service"],
        )
    return OrderUpdate.charged(price=price) if price and not first else NOTHING


@dataclass(frozen=True)
class Book(SeenInItsOrder):
    """Booking orders, each with its chosen freight. Neither key nor look-up of a
    booking is documented.

    One without an answer is repeated once where the service refuses a second one, by a
    person's word in the settings.
    """

    freight: Mapping[str, ChosenFreight] = field(default_factory=dict)

    action = Action.BOOK
    before = OrderState.PAID
    state_while_unknown = OrderState.UNKNOWN
    rests_on_a_reading = True
    absence_proves = False
    refusals = CHECKED
    happened = ResolutionKind.BOOKED
    did_not_happen = ResolutionKind.NOT_BOOKED
    refused_as = "booked, though paid"
    asks = "Does the warehouse console show a shipment for order {order_id}?"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        chosen = self.freight[order.order_ref]
        if claim.fence > 1 and (first := await self._repeated(claim)):
            chosen = self._by_render_of(first, claim, chosen)
        goods = order.shipped_order(chosen.unsent)
        shipment = await book(
            self.resources.client,
            claim,
            goods,
            str(order.order_id),
            chosen.quote,
            chosen.service,
        )
        return Proof(
            answer=_ids(shipment),
            change=self._booked(order, shipment, Source.ANSWER, chosen),
        )

    @property
    def may_be_repeated(self) -> bool:
        return self._second_is_refused_by in (RENDER_REFUSED, ORDER_REFUSED)

    @property
    def _second_is_refused_by(self) -> str:
        return self.resources.client.settings.booking_repeated

    async def _repeated(self, claim: Claim) -> str:
        effects = await self.resources.group_commit.effects_of([claim.order_ref])
        return next(
            (repeats(effect) for effect in effects if effect.key == claim.key), ""
        )

    def _by_render_of(
        self, first: str, claim: Claim, chosen: ChosenFreight
    ) -> ChosenFreight:
        """The freight of a booking that repeats the `first`. Raises `Unanswered` where
        a second might be charged.
        """
        render_id = first.partition("/")[0]
        is_refused_by = self._second_is_refused_by
        if is_refused_by == ORDER_REFUSED:
            return chosen
        chosen_freight = replace(
            chosen, quote=replace(chosen.quote, render_id=render_id)
        )
        if (
            is_refused_by == RENDER_REFUSED
            and booking_hash(chosen_freight) == first
            and len(first) < LONGEST_HASH
        ):
            return chosen_freight
        self.resources.leave(claim)  # noted as sent: the first one may be there
        raise Unanswered(
            "nothing was sent: freight has another service, price or goods now than the first booking"
            if is_refused_by == RENDER_REFUSED
            else "nothing was sent, since XPORTCN_BOOKING_REPEATED says no longer that a second is refused"
        )

    async def seen(self, attempt: Attempt, shown: ServiceOrder | None) -> Sighting:
        if shown is None:
            return NOT_READ
        if shown.shipments:
            change = self.shipped(attempt.order, shown.shipments)
            change = replace(change, writes=change.writes | freight_of(attempt.effect))
            return Proof(answer=_ids(shown.shipments[0]), change=change)
        if abroad := await self._parcel_abroad(attempt.order, shown):
            none = Statement(source=Source.DETAIL, of="a shipment", value="")
            parcel = Statement(
                source=Source.TRACE, of="a parcel of it on its way", value=abroad
            )
            return Contradicted(kind=Kind.BOOKED, first=none, second=parcel)
        if refusal_of(attempt.effect):
            return Open(kind=Kind.BOOKED, lacks=Lack.KNOWN_REFUSAL)
        return OwnRecord(shown=Statement(source=Source.DETAIL, value=shown.status))

    async def _parcel_abroad(self, order: OrderRecord, shown: ServiceOrder) -> str:
        """The number of a parcel that is scanned and none of the seller's: so a
        shipment is booked.
        """
        sellers = {parcel.tracking_number for parcel in shown.parcels}
        if not sellers:
            return ""
        events = list[TrackingEvent]()
        with suppress(XportcnError):
            events = await self.resources.offerings[order.marketplace].channel.trace(
                shown
            )
        return next(
            (
                event.tracking_number
                for event in events
                if event.tracking_number not in sellers
            ),
            "",
        )

    def shipped(self, order: OrderRecord, shipments: Sequence[Shipment]) -> OrderChange:
        """What an order becomes that the service shows with shipments: held if there
        are several.
        """
        booked = self._booked(order, shipments[0], Source.DETAIL)
        if len(shipments) == 1:
            return booked
        ids = [shipment.shipment_order_id for shipment in shipments]
        reason = because(ReasonCode.SEVERAL_SHIPMENTS, count=len(ids), ids=ids)
        return replace(booked, state=OrderState.HELD, why=reason)

    def _booked(
        self,
        order: OrderRecord,
        shipment: Shipment,
        shown_by: Source,
        freight: ChosenFreight | None = None,
    ) -> OrderChange:
        verdict = booked(order, shipment, shown_by)
        fact = OrderUpdate.booked(
            verdict, shipment=shipment, at=self.resources.clock(), freight=freight
        )
        reason = standing_of(
            _dearer_than_approved(order, shipment), going_along(order.why)
        )
        return OrderChange(
            order_ref=order.order_ref, state=OrderState.BOOKED, why=reason, writes=fact
        )


def booked(order: OrderRecord, shipment: Shipment, shown_by: Source) -> Booked:
    shown = Statement(source=shown_by, value=shipment.shipment_order_id)
    return Booked(
        shown=shown,
        ours=Statement(
            source=Source.LEDGER, of=order.order_ref, value=str(order.order_id)
        ),
    )


def _ids(shipment: Shipment) -> dict[str, str]:
    return {"shipment_order_id": shipment.shipment_order_id}


def _dearer_than_approved(order: OrderRecord, shipment: Shipment) -> Reason | None:
    fee = shipment.fee
    currency = order.freight_currency
    if fee is None or order.freight_approved_minor is None or fee.currency != currency:
        return None
    approved = Money(order.freight_approved_minor, currency)
    return (
        because(ReasonCode.FREIGHT_CHARGED_MORE, fee=fee, approved=approved)
        if fee > approved
        else None
    )
