"""What asking for, modifying and withdrawing a refund is to the effect protocol: how it is sent and how it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.ledger.codec import lines_of
from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.xportcn.after_sale import after_sale_for
from connectors.xportcn.after_sale.base import AfterSale, RefundRequest
from connectors.xportcn.errors import Refused
from domain.after_sale import UNDER_WAY, Refund, RefundAmount, RefundState, after_refunding, standing
from domain.effects import Action, Claim
from domain.money import Money
from domain.states import OrderState
from tasks.effects import Effect, Landed
from tasks.resources import Resources

MODIFY = "-modify-"
WITHDRAW = "-withdraw"


def after_sale_of(resources: Resources, refund: Refund) -> AfterSale:
    """The after-sale of a refund's marketplace, which had one when the refund was written down."""
    after_sale = after_sale_for(refund.marketplace, resources.client)
    assert after_sale is not None
    return after_sale


def ask_effect(resources: Resources, refund: Refund, request: RefundRequest | None = None) -> Effect:
    """Asking for one refund. Without a request it can only be looked for."""
    after_sale = after_sale_of(resources, refund)

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        assert request is not None
        return _landed(refund, await after_sale.ask(claim, request))

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        return {
            order.order_ref: _landed(refund, refund_id)
            for order in orders
            for refund_id in await _new_ids(resources, after_sale, refund, order)
        }

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        reason = f"no {refund.kind}: {error.message}"
        return OrderChange(order_ref=order.order_ref, state=_undone(resources, refund), reason=reason)

    return Effect(
        action=Action.REFUND,
        undone=_undone(resources, refund),
        unsettled=OrderState.REFUNDING,
        part=refund.effect_part,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Does order {order.order_id} show a refund in the console?",
        on_refused=on_refused,
    )


async def _new_ids(resources: Resources, after_sale: AfterSale, refund: Refund, order: OrderRecord) -> list[str]:
    """Refunds that the order's lines show now and did not before this one was asked for (newest only is shown)."""
    targets = await after_sale.targets(refund.order_id, lines_of(order), set(refund.lines))
    known = {one.refund_id for one in resources.ledger.refunds.of_orders([refund.order_ref])}
    seen = {refund_id for target in targets for refund_id in target.refund_ids}
    return sorted(seen - known - set(refund.earlier_refund_ids))


def _undone(resources: Resources, refund: Refund) -> OrderState:
    others = resources.ledger.refunds.of_orders([refund.order_ref])
    if any(other.state in UNDER_WAY for other in others if other.key != refund.key):
        return OrderState.REFUNDING
    return after_refunding(refund.state_before)


def _landed(refund: Refund, refund_id: str) -> Landed:
    asked = replace(refund, state=RefundState.ASKED)
    change = OrderChange(order_ref=refund.order_ref, state=OrderState.REFUNDING, reason=standing(asked))
    return Landed(answer={"refund_id": refund_id}, change=change)


def modify_effect(resources: Resources, refund: Refund, request: RefundRequest, *, part: str) -> Effect:
    """Asking anew for a refund that was asked for or refused."""
    after_sale = after_sale_of(resources, refund)

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        await after_sale.modify(claim, refund.refund_id, request)
        return _landed(refund, refund.refund_id)

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        shown = await after_sale.read(refund.refund_id)
        same = (shown.asked, shown.reason_id) == (request.amount.total, request.reason_id)
        over = shown.state in (RefundState.REFUSED, RefundState.CLOSED)
        return {} if over or not same else {refund.order_ref: _landed(refund, refund.refund_id)}

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        return OrderChange(order_ref=order.order_ref)

    return Effect(
        action=Action.REFUND,
        undone=None,
        unsettled=None,
        part=part,
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Does refund {refund.refund_id} ask for {request.amount.total} in the console?",
        on_refused=on_refused,
    )


def request_of_modification(refund: Refund, record: EffectRecord) -> RefundRequest:
    """As much of a modification as its effect keeps: enough to see whether it arrived."""
    return RefundRequest(
        order_id=refund.order_id,
        entry_ids=refund.entry_ids,
        kind=refund.kind,
        goods=refund.goods,
        reason_id=int(record.request_hash or 0),
        amount=RefundAmount(goods=Money(record.amount_minor or 0)),
        description=refund.description,
    )


def withdraw_effect(resources: Resources, refund: Refund) -> Effect:
    """Taking one refund back."""
    after_sale = after_sale_of(resources, refund)
    landed = Landed(answer={"refund_id": refund.refund_id}, change=OrderChange(order_ref=refund.order_ref))

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        await after_sale.withdraw(claim, refund.refund_id)
        return landed

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        shown = await after_sale.read(refund.refund_id)
        return {refund.order_ref: landed} if shown.state is RefundState.CLOSED else {}

    return Effect(
        action=Action.CANCEL,
        undone=None,
        unsettled=None,
        part=f"{refund.effect_part}{WITHDRAW}",
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Is refund {refund.refund_id} closed in the console?",
        on_refused=lambda order, error: OrderChange(order_ref=order.order_ref),
    )
