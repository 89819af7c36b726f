"""Put the lines of planned orders into the marketplaces' carts, each line once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.codec import lines_of, offers_of
from connectors.ledger.records import EffectRecord, Intent, OrderChange, OrderRecord
from connectors.xportcn.carts import cart_for
from connectors.xportcn.carts.base import Cart
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.cart import CartFault, CartRow, row_of
from domain.effects import Action, Claim, EffectStatus
from domain.orders import OrderLine
from domain.states import OrderState
from tasks.effects import Effect, Landed, perform, settle
from tasks.resources import Resources

IN_CART = "lies in the cart"


@task(name="fill_cart", task_run_name="fill cart {label}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def fill_cart(resources: Resources, orders: Mapping[str, OrderRecord], *, label: str) -> None:
    """Put each line of these orders into its cart once. Never retried: the ledger says what became of it.

    One after the other, since a cart adds a SKU that lies there already to its row, and that would mix two orders up.
    """
    for order in orders.values():
        await settle_cart(resources, order)
        for line in lines_of(order):
            await _add(resources, order, line)
        await _describe(resources, order)


async def settle_cart(resources: Resources, order: OrderRecord) -> None:
    """Find out which lines lie in the cart whose answer was lost."""
    open_parts = {effect.part for effect in _adds(resources, order) if effect.settled_at is None}
    for line in lines_of(order):
        if part_of(line) in open_parts:
            await settle(resources, add_effect(resources, order, line), {order.order_ref: order})


def row_ids(resources: Resources, order: OrderRecord) -> dict[int, str]:
    """The cart's row of each line that was put there, by line number."""
    rows = {
        effect.part: str(effect.answer["row_id"])
        for effect in _adds(resources, order)
        if effect.status is EffectStatus.DONE and effect.answer
    }
    return {line.line_no: rows[part_of(line)] for line in lines_of(order) if part_of(line) in rows}


def require_cart(resources: Resources, order: OrderRecord) -> Cart:
    """The cart of the order's marketplace. Raises `CartFault` where the service has none."""
    cart = cart_for(order.marketplace, resources.client)
    if cart is None:
        raise CartFault(f"the service has no cart for {order.marketplace}: use sourcing run")
    return cart


def part_of(line: OrderLine) -> str:
    """What tells the adding of one line from that of the order's other lines."""
    return f"line-{line.line_no}"


def add_effect(resources: Resources, order: OrderRecord, line: OrderLine) -> Effect:
    """Putting one line into the cart. Its SKU did not lie there before, so a row of it is the proof."""
    cart = require_cart(resources, order)
    offer = next(offer for offer in offers_of(order) if offer.item_id == line.item_id)

    async def send(claim: Claim, order: OrderRecord) -> Landed:
        return _landed(order, await cart.add(claim, line, offer))

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        row = row_of(await cart.rows(), line)
        return {order.order_ref: _landed(order, row.row_id)} if row else {}

    return Effect(
        action=Action.CART,
        undone=None,
        unsettled=None,
        part=part_of(line),
        send=send,
        look=look,
        absence_proves=True,
        question=lambda order: f"Does {line.title} lie in the cart?",
        on_refused=lambda order, error: OrderChange(order_ref=order.order_ref),
    )


async def _add(resources: Resources, order: OrderRecord, line: OrderLine) -> None:
    if any(effect.part == part_of(line) and not _is_free(effect) for effect in _adds(resources, order)):
        return
    try:
        row = row_of(await require_cart(resources, order).rows(), line)
    except Misconfigured:
        raise
    except XportcnError:
        return  # not put there: the order says so, and the next run tries again
    if row is not None:
        await _hold(resources, order, _in_the_way(row))
        return
    intent = Intent(
        order_ref=order.order_ref, action=Action.CART, amount=None, request_hash=line.sku_id[:64], part=part_of(line)
    )
    await perform(resources, add_effect(resources, order, line), [intent], {order.order_ref: order})


async def _describe(resources: Resources, order: OrderRecord) -> None:
    """Say in the order what lies in the cart and what does not."""
    rows, lines = row_ids(resources, order), lines_of(order)
    if len(rows) == len(lines):
        listed = ", ".join(rows.values())
        reason = (
            f"{IN_CART} of {order.marketplace} (rows {listed}): order it with sourcing cart order {order.order_ref}"
        )
        await _hold(resources, order, reason)
        return
    newest = {effect.part: effect for effect in _adds(resources, order)}
    told = [
        f"line {line.line_no}: {effect.reason}"
        for line in lines
        if (effect := newest.get(part_of(line))) and effect.status is not EffectStatus.DONE
    ]
    if told:
        await _hold(resources, order, f"not all in the cart. {'; '.join(told)}")


async def _hold(resources: Resources, order: OrderRecord, reason: str) -> None:
    change = OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=reason)
    await asyncio.to_thread(resources.ledger.change, [change])


def _in_the_way(row: CartRow) -> str:
    return (
        f"{row.title} lies in the cart already (row {row.row_id}, {row.quantity} pieces), and a cart keeps one row a "
        "SKU: order or delete that row first"
    )


def _adds(resources: Resources, order: OrderRecord) -> list[EffectRecord]:
    effects = resources.ledger.effects_of([order.order_ref])
    return [effect for effect in effects if effect.action is Action.CART]


def _is_free(effect: EffectRecord) -> bool:
    return effect.status in (EffectStatus.UNSENT, EffectStatus.REFUSED)


def _landed(order: OrderRecord, row_id: str) -> Landed:
    return Landed(answer={"row_id": row_id}, change=OrderChange(order_ref=order.order_ref))
