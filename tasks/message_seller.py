"""Write to the seller about a refund, once."""

from __future__ import annotations

from connectors.ledger.records import OrderRecord
from connectors.marketplaces.after_sale import Ability
from domain.after_sale import Refund, RefundFault
from tasks.effects.after_sale import after_sale_of
from tasks.effects.kinds import settle_open
from tasks.effects.message import SAY, MessageSeller, words_hash
from tasks.effects.protocol import perform_alone
from tasks.engine.resources import Resources
from tasks.engine.retrying import retrying_task

LONGEST_MESSAGE = 500


@retrying_task("message {refund.key}")
async def message_seller(
    resources: Resources, order: OrderRecord, refund: Refund, words: str, vouchers: tuple[str, ...] = ()
) -> None:
    """Send a text about a refund, never the same one twice. Raises `RefundFault` before anything is sent."""
    require_sayable(resources, refund, words)
    await settle_open(resources, [order.order_ref])
    kind, hashed = MessageSeller(resources, refund, words, vouchers), words_hash(words)
    if await kind.is_shown(refund, hashed):
        return
    await perform_alone(kind, order, hashed, part=f"{refund.effect_part}{SAY}{hashed}")


def require_sayable(resources: Resources, refund: Refund, words: str) -> None:
    """Raise `RefundFault` unless this text can be sent about the refund."""
    after_sale = after_sale_of(resources, refund.marketplace)
    if Ability.MESSAGE not in after_sale.abilities:
        raise RefundFault(f"{refund.marketplace} has no call to write to the seller; do it in the console")
    if not 1 <= len(words) <= LONGEST_MESSAGE:
        raise RefundFault(f"the message has {len(words)} characters: 1 to {LONGEST_MESSAGE} are allowed")
    if not refund.refund_id:
        raise RefundFault(f"{refund.order_ref}: the refund has not reached the service yet")
