"""Cancelling an unpaid order: seen as closed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from connectors.ledger.records import OrderChange, OrderRecord
from connectors.marketplaces.refusals import (
    CHECKED,
    ORDER_NOT_EXIST,
    ORDER_STATUS_ERROR,
)
from connectors.xportcn.errors import Refused
from domain.absence import OwnRecord
from domain.decisions import NOT_SHOWN
from domain.effects import Action, Claim, EffectStatus, ResolutionKind
from domain.reasons import ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, Proof, SeenInItsOrder, Sighting
from tasks.effects.pay import not_taken_and_closed
from tasks.effects.refund import after_sale_of

CLOCK_MARGIN = timedelta(seconds=1)
ACCEPTED = because(ReasonCode.CANCEL_ACCEPTED)


@dataclass(frozen=True)
class Cancel(SeenInItsOrder):
    """Cancelling orders, for a reason in the marketplace's words."""

    reason: str = ""

    action = Action.CANCEL
    state_while_unknown = OrderState.UNKNOWN
    refusals = CHECKED | {
        ORDER_STATUS_ERROR,
        ORDER_NOT_EXIST,
        "CLOSE_ORDER_TOO_FAST",
        "400_3",
    }
    happened = ResolutionKind.CANCELLED
    did_not_happen = ResolutionKind.NOT_CANCELLED
    refused_as = "cancelled"
    asks = "Does the console show order {order_id} as closed?"
    reported = "told the marketplace to close it unpaid"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await after_sale_of(self.resources, order.marketplace).cancel(
            claim, str(order.order_id), self.reason
        )
        change = OrderChange(
            order_ref=order.order_ref, state=OrderState.CANCELLED, why=ACCEPTED
        )
        return Proof(answer={"accepted": order.order_id}, change=change)

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        """Read twice where an order is not closed yet: a marketplace may take its time
        to show that.
        """
        settles_in = max(
            after_sale_of(self.resources, attempt.order.marketplace).settles_in
            for attempt in attempts
        )
        sightings = await super().read_back(attempts)
        if settles_in and not all(
            isinstance(sighting, Proof) for sighting in sightings.values()
        ):
            await asyncio.sleep((settles_in + CLOCK_MARGIN).total_seconds())
            sightings = await super().read_back(attempts)
        return sightings

    async def seen(self, attempt: Attempt, shown: ServiceOrder | None) -> Sighting:
        if shown is None:
            return NOT_SHOWN
        if shown.status is not ServiceStatus.CLOSED:
            return OwnRecord(shown=Statement(source=Source.DETAIL, value=shown.status))
        ref = attempt.order.order_ref
        money = await not_taken_and_closed(self.resources, {ref: shown})
        change = OrderChange(
            order_ref=ref, state=OrderState.CANCELLED, why=money.get(ref)
        )
        return Proof(answer={"status": shown.status}, change=change)

    def state_if_not_done(self, attempt: Attempt) -> OrderState | None:
        """The state before the cancellation; the order may have been paid meanwhile."""
        order = attempt.order
        if order.state is not OrderState.UNKNOWN:
            return order.state
        if order.paid_minor is None:
            payments = self.resources.ledger.effects_of([order.order_ref], Action.PAY)
            is_accepted = any(
                payment.status is EffectStatus.DONE for payment in payments
            )
            return OrderState.PAYMENT_PENDING if is_accepted else OrderState.ORDERED
        return OrderState.HELD if order.is_overpaid else OrderState.PAID

    def is_ruled_out_by(self, sighting: Sighting) -> bool:
        """A paid order is closed by no cancellation."""
        value = sighting.shown.value if isinstance(sighting, OwnRecord) else None
        return isinstance(value, ServiceStatus) and value.is_paid

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        change = super().when_refused(attempt, refusal)
        return change and replace(change, state=self.state_if_not_done(attempt))
