"""Paying an order: seen in the order's own status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from connectors.ledger.order_facts import Facts
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.xportcn.channels.base import PaysMany
from connectors.xportcn.errors import Refused
from domain.decisions import PAID_FOR_NOTHING
from domain.effects import Action, Claim
from domain.resolutions import ResolutionKind
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.effects.kind import Attempt, EffectKind, Proof, Reply, Sighting
from tasks.reading_orders import read_orders


class Pay(EffectKind):
    """Paying orders, many with one request where the marketplace can."""

    action: ClassVar[Action] = Action.PAY
    before: ClassVar[OrderState | None] = OrderState.ORDERED
    state_while_unknown: ClassVar[OrderState | None] = OrderState.UNKNOWN
    rests_on_a_look: ClassVar[bool] = True
    happened: ClassVar[ResolutionKind] = ResolutionKind.PAID
    told_with: ClassVar[tuple[str, ...]] = ("AMOUNT_CNY",)
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_PAID
    asks: ClassVar[str] = "Does the console show order {order_id} as paid, and did the money leave the wallet?"

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await self.resources.offerings[order.marketplace].channel.pay(claim, str(order.order_id))
        return _accepted(order)

    def batch(self, order: OrderRecord) -> tuple[str, int]:
        channel = self.resources.offerings[order.marketplace].channel
        return order.marketplace, channel.pay_batch_size if isinstance(channel, PaysMany) else 1

    async def send_many(self, claims: Sequence[Claim], orders: Sequence[OrderRecord]) -> Mapping[str, Reply]:
        channel = self.resources.offerings[orders[0].marketplace].channel
        assert isinstance(channel, PaysMany)
        outcomes = await channel.pay_many(claims, [str(order.order_id) for order in orders])
        return {order.order_ref: outcomes[str(order.order_id)] or _accepted(order) for order in orders}

    async def look(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        shown = await read_orders(self.resources, [attempt.order for attempt in attempts])
        seen = {one.effect.key: _seen(one.order, shown.get(one.order.order_ref)) for one in attempts}
        return {key: sighting for key, sighting in seen.items() if sighting is not None}

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        reason = f"not paid: {refusal.message}. Mend that and run again"
        return OrderChange(order_ref=attempt.order.order_ref, state=OrderState.HELD, reason=reason)


def _accepted(order: OrderRecord) -> Proof:
    reason = "the service has accepted the payment and not yet confirmed it"
    change = OrderChange(order_ref=order.order_ref, state=OrderState.PAYMENT_PENDING, reason=reason)
    return Proof(answer={"accepted": order.order_id}, change=change)


def _seen(order: OrderRecord, shown: ServiceOrder | None) -> Sighting | None:
    """Only an order that is plainly unpaid shows that no payment arrived so far."""
    if shown is None:
        return "the service does not show the order"
    if shown.status.is_paid:
        return Proof(answer={"status": shown.status}, change=paid(order, shown)) if shown.taken else PAID_FOR_NOTHING
    if shown.status is ServiceStatus.PAYMENT_PENDING:
        change = OrderChange(order_ref=order.order_ref, state=OrderState.PAYMENT_PENDING)
        return Proof(answer={"status": shown.status}, change=change)
    if shown.status is ServiceStatus.OTHER:
        return "the service shows the order in a state that this program does not know"
    return None


def paid(order: OrderRecord, shown: ServiceOrder, reason: str = "") -> OrderChange:
    """What an order becomes that the service shows as paid: held if more was taken than was approved."""
    amount = shown.taken or order.payable
    total = shown.total if shown.total.minor > 0 else amount
    fact = Facts.paid(amount=amount, total=total, at=shown.paid_at)
    if amount > order.payable:
        most = f"{order.payable} with the price tolerance" if order.payable > order.approved else str(order.approved)
        reason = f"the service took {amount}, approved was {most}: ask for the difference back"
        return OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=reason, writes=fact)
    return OrderChange(order_ref=order.order_ref, state=OrderState.PAID, reason=reason, writes=fact)
