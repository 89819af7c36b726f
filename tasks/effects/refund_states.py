"""A refund brought up to date: the outcome of asking, what the service shows, and the
order's state after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from connectors.ledger.order_ids import misnamed
from connectors.ledger.plans import take_back
from connectors.ledger.records import EffectRecord, OrderChange, OrderRecord
from connectors.ledger.refunds import taken_above
from connectors.settings import DEPLOYED_PATIENCE_S
from connectors.xportcn.errors import Misconfigured, UnknownRefundState, XportcnError
from domain.after_sale import (
    FOLLOWED,
    NOTHING,
    UNDER_WAY,
    Refund,
    RefundState,
    ServiceRefund,
    order_state_after,
)
from domain.decisions import unread
from domain.effects import OPEN, Action, EffectStatus
from domain.messages import Place, UnknownWord
from domain.reasons import Reason, ReasonCode, because
from domain.states import OrderState
from tasks.effects.judge import RUN_ENDED
from tasks.effects.refund import after_sale_of
from tasks.engine.resources import Resources
from tasks.engine.tries import raise_if_it_passes

AGREED = frozenset(
    {
        RefundState.AGREED,
        RefundState.TO_RETURN,
        RefundState.RETURNED,
        RefundState.REFUNDED,
    }
)


async def take_outcome(
    resources: Resources, refund: Refund, *, is_over: bool = False
) -> Reason | None:
    """Record the outcome of asking, and read the refund if it exists; answers what went
    wrong with that.

    One that never left may still be asked for by the run that wrote it down, until that
    `is_over`.
    """
    if refund.refund_id:
        return await read_refund(resources, refund)
    effect = asking(resources, refund)
    known = refund
    if effect and effect.status is EffectStatus.DONE:
        refund_id = str((effect.answer or {})["refund_id"])
        if other := await asyncio.to_thread(_holder, resources, refund, refund_id):
            return misnamed().but(thing="refund", id=refund_id, owner=other)
        asked_at = effect.settled_at
        refund = replace(
            refund,
            refund_id=refund_id,
            state=RefundState.ASKED,
            refusal="",
            asked_at=asked_at,
        )
    elif effect and effect.status is not EffectStatus.UNSENT:
        state = RefundState.ASKING if effect.status in OPEN else RefundState.DECLINED
        refund = replace(refund, state=state, refusal=effect.reason)
    elif refund.state is RefundState.ASKING and (
        is_over or await asyncio.to_thread(_is_left, resources, refund)
    ):
        why = effect.why if effect and effect.why else RUN_ENDED
        refund = replace(
            refund,
            state=RefundState.DECLINED,
            refusal=str(why.facts.get("failure", why)),
        )
    if (
        refund != known
    ):  # another run may have written more meanwhile than was read here
        await asyncio.to_thread(resources.ledger.refunds.follow, refund)
    return await read_refund(resources, refund) if refund.refund_id else None


async def read_refund(resources: Resources, refund: Refund) -> Reason | None:
    """Read one refund and record its state; answers what went wrong."""
    try:
        shown = await after_sale_of(resources, refund.marketplace).read(
            refund.refund_id
        )
    except Misconfigured:
        raise
    except XportcnError as error:
        if isinstance(error, UnknownRefundState):
            resources.unknown[
                UnknownWord(refund.marketplace, Place.REFUND, error.code)
            ].add(refund.order_ref)
        raise_if_it_passes(resources, error)
        return unread(f"refund {refund.refund_id} can't be read", error.message)
    order = (await asyncio.to_thread(resources.ledger.orders, [refund.order_ref]))[
        refund.order_ref
    ]
    paid = order.paid
    if max(shown.asked, shown.refunded) > paid:
        back = shown.refunded
        asked = shown.asked
        return because(
            ReasonCode.REFUND_NOT_BELIEVED,
            refund_id=refund.refund_id,
            refunded=back,
            asked=asked,
            paid=paid,
        )
    now = merged(refund, shown)
    if refund.state is RefundState.REFUSED and now.state in UNDER_WAY:
        # a person asked anew in the console: the order may have gone on since
        now = replace(now, asked_at=resources.clock())
        if order.state is not OrderState.REFUNDING:
            now = replace(now, state_before=order.state)
    if now.state not in FOLLOWED:
        now = replace(now, settled_at=refund.settled_at or resources.clock())
    if refund.refunded != now.refunded:
        await asyncio.to_thread(withdraw_unless_booked, resources, refund.order_ref)
    await asyncio.to_thread(resources.ledger.refunds.follow, now)
    return None


def _is_left(resources: Resources, refund: Refund) -> bool:
    """Whether nothing was written about it for longer than any run waits out an
    outage.
    """
    seconds = (
        max(DEPLOYED_PATIENCE_S, resources.settings.patience_s)
        + resources.settings.lease_s
    )
    return resources.ledger.refunds.is_left(
        refund.key, since=resources.clock() - timedelta(seconds=seconds)
    )


def _holder(resources: Resources, refund: Refund, refund_id: str) -> str:
    """The order whose refund has this id already; empty when it is free."""
    for holder in resources.ledger.refunds.with_id(refund_id):
        if holder.marketplace is refund.marketplace and holder.key != refund.key:
            return holder.order_ref
    return ""


def merged(refund: Refund, shown: ServiceRefund) -> Refund:
    """The refund with what the service shows of it; the service's amounts win."""
    return replace(
        refund,
        state=shown.state,
        goods_amount=shown.asked - refund.postage
        if shown.asked >= refund.postage
        else shown.asked,
        postage=refund.postage if shown.asked >= refund.postage else NOTHING,
        approved=shown.asked if shown.state in AGREED else NOTHING,
        refunded=shown.refunded,
        refusal=shown.refusal,
        company=shown.company or refund.company,
        tracking_number=shown.tracking_number or refund.tracking_number,
        deadline=shown.deadline,
    )


def withdraw_unless_booked(resources: Resources, order_ref: str) -> None:
    """Withdraw the approval of an order of which money comes back before it is booked:
    a person says yes anew to what travels.

    The money is written afterwards: the approval is withdrawn twice rather than not at
    all.
    """
    if resources.ledger.orders([order_ref])[order_ref].shipment is None:
        take_back(resources.ledger, [order_ref])


async def restate(resources: Resources, order_ref: str) -> None:
    """Move the order to the state that its refunds put it in."""
    ledger = resources.ledger
    order = ledger.orders([order_ref])[order_ref]
    refunds = ledger.refunds.of_orders([order_ref])
    if not refunds or order.state is OrderState.UNKNOWN:
        return
    state, why = state_after(order, refunds)
    touched = order.state is OrderState.REFUNDING or state in (
        OrderState.REFUNDING,
        OrderState.REFUNDED,
    )
    if (
        not touched
        or (order.state, order.why) == (state, why)
        or _never_asked(resources, refunds)
    ):
        return
    change = OrderChange(
        order_ref=order_ref, state=state, expected=order.state, why=why
    )
    await asyncio.to_thread(ledger.change, [change])


def state_after(
    order: OrderRecord, refunds: Sequence[Refund]
) -> tuple[OrderState, Reason | None]:
    """The state of an order with these refunds, oldest first, and the reason."""
    return order_state_after(
        refunds,
        paid=order.paid,
        above=taken_above(order),
        lines=order.priced_lines,
        is_booked=order.shipment is not None,
    )


def _never_asked(resources: Resources, refunds: Sequence[Refund]) -> bool:
    """Whether those under way are only written down: nothing was sent, so the order's
    state is as before.
    """
    under_way = [refund for refund in refunds if refund.state in UNDER_WAY]
    return bool(under_way) and all(
        never_left(resources, refund) for refund in under_way
    )


def never_left(resources: Resources, refund: Refund) -> bool:
    """Whether it was written down, and provably did not reach the service: it is asked
    for under its own key.
    """
    effect = asking(resources, refund)
    is_nameless = refund.state in (RefundState.ASKING, RefundState.DECLINED)
    return is_nameless and (effect is None or effect.status is EffectStatus.UNSENT)


def asking(resources: Resources, refund: Refund) -> EffectRecord | None:
    """The newest attempt at asking for this refund."""
    attempts = [
        effect
        for effect in resources.ledger.effects_of([refund.order_ref])
        if effect.action is Action.REFUND and effect.part == refund.effect_part
    ]
    return max(attempts, key=lambda effect: effect.attempt, default=None)
