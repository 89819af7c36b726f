"""The step that brings refunds up to date."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.concurrently import concurrently
from domain.after_sale import Refund, RefundState
from domain.reasons import Reason, together
from tasks.effects.refund_states import read_refund, restate, take_outcome
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task


@retrying_task("follow {label}")
async def follow_refunds(resources: Resources, refunds: Sequence[Refund], *, label: str) -> dict[str, Reason]:
    """Bring these refunds up to date; answers the orders whose refunds could not be asked about, and why."""
    troubles = await concurrently(refunds, lambda refund: _follow(resources, refund), at_once=resources.concurrency)
    for order_ref in dict.fromkeys(refund.order_ref for refund in refunds):
        await restate(resources, order_ref)
    unread: dict[str, Reason] = {}
    for refund, trouble in zip(refunds, troubles, strict=True):
        if both := together([unread.get(refund.order_ref), trouble]):
            unread[refund.order_ref] = both
    return unread


async def _follow(resources: Resources, refund: Refund) -> Reason | None:
    if refund.state is RefundState.ASKING:
        return await take_outcome(resources, refund)
    return await read_refund(resources, refund)
