"""Paying an order: seen in the order's own status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from connectors.ledger.order_facts import Facts
from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.xportcn.channels.base import PaysMany
from connectors.xportcn.errors import Refused
from domain.absence import OwnRecord
from domain.decisions import PAID_FOR_NOTHING
from domain.effects import Action, Claim
from domain.resolutions import ResolutionKind
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import Kind, Lack, Open, Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Reply, Sighting
from tasks.reading_orders import read_orders

DEBIT = "debit"
"""What `XPORTCN_PAY_IS` says of a service whose payments take the money at once."""


class Pay(EffectKind):
    """Paying orders, many with one request where the marketplace can."""

    action: ClassVar[Action] = Action.PAY
    before: ClassVar[OrderState | None] = OrderState.ORDERED
    state_while_unknown: ClassVar[OrderState | None] = OrderState.UNKNOWN
    rests_on_a_look: ClassVar[bool] = True
    happened: ClassVar[ResolutionKind] = ResolutionKind.PAID
    told_with: ClassVar[tuple[str, ...]] = ("AMOUNT_CNY",)
    did_not_happen: ClassVar[ResolutionKind] = ResolutionKind.NOT_PAID
    may_show_later: ClassVar[bool] = True
    asks: ClassVar[str] = (
        "Does the console show order {order_id} as paid, and did the money leave the wallet (支付扣款)?"
    )

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
        return {one.effect.key: self._seen(one, shown.get(one.order.order_ref)) for one in attempts}

    def _seen(self, attempt: Attempt, shown: ServiceOrder | None) -> Sighting:
        """An unpaid order proves that no payment arrived only where one debits at once (service-evidence, N1)."""
        sighting = _seen(attempt.order, shown)
        is_open = shown is not None and shown.status in (ServiceStatus.UNPAID, ServiceStatus.BUILDING)
        if not isinstance(sighting, OwnRecord) or not is_open or self.resources.client.settings.pay_is == DEBIT:
            return sighting
        return _may_be_submitted(attempt.effect)

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        reason = f"not paid: {refusal.message}. Mend that and run again"
        return OrderChange(order_ref=attempt.order.order_ref, state=OrderState.HELD, reason=reason)


def _may_be_submitted(effect: EffectRecord) -> Open:
    assert effect.amount is not None, "a payment is begun for an amount"
    amount = Statement(source=Source.LEDGER, value=effect.amount)
    return Open(kind=Kind.PAID, lacks=Lack.DEBIT_AT_ONCE, known=(amount,))


def _accepted(order: OrderRecord) -> Proof:
    reason = "the service has accepted the payment and not yet confirmed it"
    change = OrderChange(order_ref=order.order_ref, state=OrderState.PAYMENT_PENDING, reason=reason)
    return Proof(answer={"accepted": order.order_id}, change=change)


def _seen(order: OrderRecord, shown: ServiceOrder | None) -> Sighting:
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
    return OwnRecord(shown=Statement(source=Source.DETAIL, value=shown.status))


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
