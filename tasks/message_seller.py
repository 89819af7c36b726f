"""Write to the seller about a refund, once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.xportcn.after_sale.base import Ability
from domain.after_sale import Refund, RefundFault
from domain.effects import Action, Claim
from tasks.effects import Effect, Landed, perform
from tasks.refund_effects import after_sale_of
from tasks.resources import Resources

LONGEST_MESSAGE = 500
SAY = "-say-"


@task(name="message_seller", task_run_name="message {refund.key}", cache_policy=NO_CACHE, persist_result=False)
async def message_seller(
    resources: Resources, order: OrderRecord, refund: Refund, words: str, vouchers: tuple[str, ...] = ()
) -> None:
    """Say something about a refund, never the same words twice. Raises `RefundFault` before anything is sent."""
    after_sale = after_sale_of(resources, refund)
    if Ability.MESSAGE not in after_sale.abilities:
        raise RefundFault(f"{refund.marketplace} has no call to write to the seller; do it in the console")
    if not 1 <= len(words) <= LONGEST_MESSAGE:
        raise RefundFault(f"the message has {len(words)} characters: 1 to {LONGEST_MESSAGE} are allowed")
    if not refund.refund_id:
        raise RefundFault(f"{refund.order_ref}: the refund has not reached the service yet")
    effect = say_effect(resources, refund, words_hash(words), words, vouchers)
    if await effect.look([order]):
        return
    intent = Intent(
        order_ref=order.order_ref, action=Action.NOTIFY, amount=None, request_hash=words_hash(words), part=effect.part
    )
    await perform(resources, effect, [intent], {order.order_ref: order})


def words_hash(words: str) -> str:
    """What tells one message from another."""
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def say_effect(
    resources: Resources, refund: Refund, hashed: str, words: str = "", vouchers: tuple[str, ...] = ()
) -> Effect:
    """One message; without its words it can only be looked for."""
    after_sale = after_sale_of(resources, refund)
    landed = Landed(answer={"message": hashed}, change=OrderChange(order_ref=refund.order_ref))

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        await after_sale.say(claim, refund.refund_id, words, vouchers)
        return landed

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        shown = await after_sale.read(refund.refund_id)
        said = {words_hash(event.description) for event in shown.events if event.role == "buyer"}
        return {refund.order_ref: landed} if hashed in said else {}

    return Effect(
        action=Action.NOTIFY,
        undone=None,
        unsettled=None,
        part=f"{refund.effect_part}{SAY}{hashed}",
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Does refund {refund.refund_id} show the message in the console?",
        on_refused=lambda order, error: OrderChange(order_ref=order.order_ref),
    )
