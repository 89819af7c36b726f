"""Paying an order: seen in the order's own status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord
from connectors.marketplaces.refusals import NOT_PAID
from domain.absence import OwnRecord
from domain.decisions import (
    NOT_SHOWN,
    PAID_FOR_NOTHING,
    PAYMENT_UNCONFIRMED,
    judge_paid,
    refused_by_finance,
    unknown_state,
)
from domain.effects import Action, Claim, EffectStatus, ResolutionKind
from domain.money import Money
from domain.reasons import Reason, ReasonCode, because, standing_of
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from domain.witnessed import (
    Amount,
    Contradicted,
    Kind,
    Lack,
    Open,
    Paid,
    Source,
    Statement,
    agreed_taken,
    contradiction,
    money_of,
)
from tasks.effects.kind import Attempt, Proof, SeenInItsOrder, Sighting
from tasks.engine.resources import Resources


@dataclass(frozen=True)
class Pay(SeenInItsOrder):
    """Paying orders, only for amounts that two readings agree on."""

    amounts: Mapping[str, Amount] = field(default_factory=dict)

    action = Action.PAY
    before = OrderState.ORDERED
    state_while_unknown = OrderState.UNKNOWN
    rests_on_a_reading = True
    happened = ResolutionKind.PAID
    did_not_happen = ResolutionKind.NOT_PAID
    may_show_later = True
    refusals = NOT_PAID
    refused_as = "paid"
    asks = "Does the console show order {order_id} as paid, and did the money leave the wallet (支付扣款)?"

    def intents(self, orders: Mapping[str, OrderRecord]) -> list[Intent]:
        return [
            Intent(
                order_ref=ref,
                action=Action.PAY,
                amount=money_of(amount.second),
                request_hash=orders[ref].fingerprint,
                seen_in=orders[ref].state,
            )
            for ref, amount in self.amounts.items()
        ]

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        await self.resources.offerings[order.marketplace].channel.pay(
            claim, str(order.order_id)
        )
        change = OrderChange(
            order_ref=order.order_ref,
            state=OrderState.PAYMENT_PENDING,
            why=PAYMENT_UNCONFIRMED,
        )
        return Proof(answer={"accepted": order.order_id}, change=change)

    async def seen(self, attempt: Attempt, shown: ServiceOrder | None) -> Sighting:
        """Only an order that is plainly unpaid shows that no payment arrived so far,
        and only where one debits at once (service-evidence, N1).
        """
        order = attempt.order
        owed = attempt.effect.amount or order.approved
        if shown is None:
            return NOT_SHOWN
        change = OrderChange(
            order_ref=order.order_ref, state=OrderState.PAYMENT_PENDING
        )
        if verdict := judge_paid(shown, owed, by_us=True):
            if not shown.taken:
                return PAID_FOR_NOTHING
            change = paid(order, verdict, shown)
        elif shown.status is ServiceStatus.PAYMENT_REFUSED:  # so it had arrived
            why = refused_by_finance(shown)
            change = replace(change, state=OrderState.HELD, why=why)
        elif shown.status is not ServiceStatus.PAYMENT_PENDING:
            debits = self.resources.client.settings.debits_at_once(order.marketplace)
            if _is_unpaid(shown) and not debits:
                amount = Statement(source=Source.LEDGER, value=owed)
                return Open(kind=Kind.PAID, lacks=Lack.DEBIT_AT_ONCE, known=(amount,))
            return unknown_state(shown) or OwnRecord(
                shown=Statement(source=Source.DETAIL, value=shown.status)
            )
        return Proof(answer={"status": shown.status}, change=change)


def not_taken(
    payment: EffectRecord, shown: ServiceOrder, *, closes: str = "", closed: str = ""
) -> Reason:
    """What to look for, of a payment that the service accepted and whose order is not
    shown as paid.
    """
    return because(
        ReasonCode.PAYMENT_NOT_TAKEN,
        accepted=f"{payment.settled_at or payment.intent_at:%Y-%m-%d %H:%M} UTC",
        closes=closes,
        closed=closed,
        order_id=shown.order_id,
        order_ref=payment.order_ref,
        amount=payment.amount or shown.total,
    )


async def not_taken_and_closed(
    resources: Resources, shown: Mapping[str, ServiceOrder]
) -> dict[str, Reason]:
    """What to look for, of orders that closed unpaid after the service had accepted
    their payment.
    """
    closed = {
        ref: one
        for ref, one in shown.items()
        if one.status is ServiceStatus.CLOSED and not one.payment
    }
    effects = await resources.group_commit.effects_of(closed)
    paying = {
        one.order_ref: one
        for one in effects
        if one.action is Action.PAY and one.status is EffectStatus.DONE
    }
    return {
        ref: not_taken(
            one, closed[ref], closed=closed[ref].close_reason or "no reason given"
        )
        for ref, one in paying.items()
    }


def _is_unpaid(shown: ServiceOrder) -> bool:
    return shown.status in (ServiceStatus.UNPAID, ServiceStatus.BUILDING)


def paid(
    order: OrderRecord,
    verdict: Paid,
    shown: ServiceOrder,
    why: Reason | None = None,
    *,
    by_us: bool = True,
) -> OrderChange:
    """The change of an order that is paid: held if more was taken than was approved.

    Where what is shown as taken contradicts what was owed, the owed amount counts, and
    the difference is noted. So is a state that this program does not know.
    """
    owed = money_of(verdict.ours)
    taken = agreed_taken(owed, shown.taken or owed, is_ours=by_us)
    contradicted = taken if isinstance(taken, Contradicted) else None
    amount = owed if contradicted else money_of(taken.second)
    total = shown.total if shown.total.minor > 0 and not contradicted else amount
    fact = OrderUpdate.paid(verdict, amount=amount, total=total, at=shown.paid_at)
    change = OrderChange(
        order_ref=order.order_ref, writes=fact, contradicted=contradicted
    )
    if amount > order.payable:
        return replace(
            change, state=OrderState.HELD, why=taken_above_approved(order, amount)
        )
    counted = None
    if contradicted:
        differs = contradiction(contradicted, order.marketplace)
        counted = because(ReasonCode.PAID_COUNTED_WITH, amount=amount, differs=differs)
    return replace(
        change,
        state=OrderState.PAID,
        why=standing_of(why, counted, unknown_state(shown)),
    )


def taken_above_approved(order: OrderRecord, taken: Money) -> Reason:
    """Why an order is held of which more was taken than it may cost."""
    tolerated = order.payable > order.approved
    more = taken - order.payable
    most = order.payable
    return because(
        ReasonCode.TAKEN_ABOVE_APPROVED,
        taken=taken,
        approved=most,
        tolerated=tolerated,
        amount_cny=more.major,
    )
