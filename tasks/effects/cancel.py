"""Cancelling an unpaid order: seen as closed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from connectors.ledger.records import OrderChange, OrderRecord
from connectors.xportcn.errors import Refused
from domain.effects import Action, Claim
from domain.resolutions import ResolutionKind
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from tasks.effects.after_sale import after_sale_of
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.reading_orders import read_orders

CLOCK_MARGIN = timedelta(seconds=1)
ACCEPTED = "the service has accepted the cancellation and not yet closed the order; look again: sourcing cancel"


@dataclass(frozen=True)
class Cancel(EffectKind):
    """Cancelling orders, for a reason in the marketplace's words."""

    reason: str = ""

    action: ClassVar[Action] = Action.CANCEL
    state_while_unknown: ClassVar[OrderState | None] = OrderState.UNKNOWN
    happened: ClassVar[ResolutionKind] = ResolutionKind.CANCELLED
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_CANCELLED
    asks: ClassVar[str] = "Does the console show order {order_id} as closed?"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await after_sale_of(self.resources, order.marketplace).cancel(claim, str(order.order_id), self.reason)
        change = OrderChange(order_ref=order.order_ref, state=OrderState.CANCELLED, reason=ACCEPTED)
        return Proof(answer={"accepted": order.order_id}, change=change)

    async def look(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        """Twice where one is not closed yet: a marketplace may take its time to show that."""
        settles_in = max(after_sale_of(self.resources, one.order.marketplace).settles_in for one in attempts)
        closed = await self._closed(attempts)
        if len(closed) < len(attempts) and settles_in:
            await asyncio.sleep((settles_in + CLOCK_MARGIN).total_seconds())
            closed = await self._closed(attempts)
        return closed

    async def _closed(self, attempts: Sequence[Attempt]) -> dict[str, Sighting]:
        shown = await read_orders(self.resources, [attempt.order for attempt in attempts])
        closed = {ref for ref, one in shown.items() if one.status is ServiceStatus.CLOSED}
        return {
            one.effect.key: Proof(
                answer={"status": ServiceStatus.CLOSED},
                change=OrderChange(order_ref=one.order.order_ref, state=OrderState.CANCELLED),
            )
            for one in attempts
            if one.order.order_ref in closed
        }

    def state_if_not_done(self, attempt: Attempt) -> OrderState | None:
        """Where it was; it may have been paid meanwhile."""
        order = attempt.order
        if order.state is not OrderState.UNKNOWN:
            return order.state
        if order.paid_minor is None:
            return OrderState.ORDERED
        return OrderState.PAID if order.paid <= order.payable else OrderState.HELD

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        words = f"not cancelled: {refusal.message}"
        return OrderChange(order_ref=attempt.order.order_ref, state=self.state_if_not_done(attempt), reason=words)
