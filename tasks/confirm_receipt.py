"""Confirm to the marketplace that goods arrived, which lets the seller have the money."""

from __future__ import annotations

from connectors.ledger.records import OrderRecord
from connectors.marketplaces.after_sale import Ability
from domain.after_sale import UNDER_WAY, RefundFault, standing
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform_alone
from tasks.effects.receipt import ConfirmReceipt
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task
from tasks.refund import require_after_sale


def require_receivable(resources: Resources, order: OrderRecord) -> None:
    """Raise `RefundFault` unless the receipt of this order can be confirmed, and no refund of it is under way."""
    if Ability.RECEIVE not in require_after_sale(resources, order).abilities:
        raise RefundFault(f"{order.marketplace} has no call to confirm receipt; it is done there by itself")
    for refund in resources.ledger.refunds.of_orders([order.order_ref]):
        if refund.state in UNDER_WAY:
            raise RefundFault(
                f"{order.order_ref}: {standing(refund)}. Who confirms that its goods arrived lets the seller have the "
                "money and may end that refund: wait for its end, or end it in the console first"
            )


@retrying_task("receive {order.order_ref}")
async def confirm_receipt(resources: Resources, order: OrderRecord) -> None:
    """Confirm one order once. Raises `RefundFault` before anything is sent."""
    require_receivable(resources, order)
    await settle_open(resources, [order.order_ref])
    await perform_alone(ConfirmReceipt(resources), order, order.fingerprint)
