"""Placing and paying an order, shared by all marketplaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sandbox.dialects.pay_by_credit import PAY_BY_CREDIT
from sandbox.dialects.pay_is_submission import PAY_IS_SUBMISSION
from sandbox.dialects.pay_refused_by_finance import PAY_REFUSED_BY_FINANCE
from sandbox.dialects.poizon_one_product import PART, POIZON_ONE_PRODUCT
from sandbox.entities import Order, OrderLine
from sandbox.goods import Item, Sku
from sandbox.lifecycle import between
from sandbox.operations import Call
from sandbox.refusals import order_not_found
from sandbox.world import World

BALANCE_NOT_ENOUGH = "BALANCE_NOT_ENOUGH"
ORDER_STATUS_ERROR = "ORDER_STATUS_ERROR"
ORDER_NOT_EXIST = "ORDER_NOT_EXIST"
ID_STEP = 1_000_003  # leaves room for the ids of an order's lines

PAYMENT_PROBLEMS = {
    BALANCE_NOT_ENOUGH: "the balance does not cover the order",
    ORDER_STATUS_ERROR: "the order is paid or closed already",
    ORDER_NOT_EXIST: "there is no such order",
}

Line = TypeVar("Line")


def order_named(world: World, marketplace: str, order_id: str) -> Order:
    """The marketplace's order of this id; refuses an unknown one."""
    order = world.books.order(marketplace, order_id)
    if order is None:
        raise order_not_found(order_id)
    return order


@dataclass(frozen=True, slots=True)
class Pick:
    """One line that is to be bought; `number` is the caller's own line number."""

    item: Item
    sku: Sku
    quantity: int
    unit_fen: int
    number: str = ""

    @property
    def goods_fen(self) -> int:
        return self.quantity * self.unit_fen


@dataclass(frozen=True, slots=True)
class Addresses:
    receiver: dict[str, Any]
    warehouse: dict[str, Any]


def goods_fen(picks: Sequence[Pick]) -> int:
    return sum(pick.goods_fen for pick in picks)


def postage_fen(picks: Sequence[Pick]) -> int:
    """Postage of picks of one seller."""
    return picks[0].item.seller.postage(goods_fen(picks)) if picks else 0


def by_depot(
    lines: Sequence[Line], item_of: Callable[[Line], Item]
) -> list[list[Line]]:
    """Lines of one seller as they become orders: the first depot's, then the second's
    (assumed-all.md, section 1).
    """
    first = [line for line in lines if not item_of(line).second_depot]
    second = [line for line in lines if item_of(line).second_depot]
    return [depot for depot in (first, second) if depot]


def place_orders(
    world: World,
    picks: Sequence[Pick],
    reference: str,
    addresses: Addresses,
    first_id: int,
    *,
    out_order_id: str = "",
) -> list[Order]:
    """Order picks of one seller: one order a depot, each with its own postage, all with
    one reference.
    """
    depots = by_depot(picks, lambda pick: pick.item)
    return [
        place_order(
            world, depot, reference, addresses, first_id, out_order_id=out_order_id
        )
        for depot in depots
    ]


def place_order(
    world: World,
    picks: Sequence[Pick],
    reference: str,
    addresses: Addresses,
    first_id: int,
    *,
    post_fen: int | None = None,
    carrier: str = "",
    out_order_id: str = "",
) -> Order:
    """Order checked picks, of one seller and depot, in stock. Ids go up from about
    `first_id`, by the seed.

    `post_fen` is the seller's own postage unless a carrier asks for more.
    """
    marketplace = picks[0].item.marketplace
    number = world.books.next(f"order:{marketplace}")
    order_id = (
        first_id
        + between(0, first_id // 10, str(world.seed), marketplace)
        + number * ID_STEP
    )
    order = Order(
        sequence=world.books.next("order"),
        marketplace=marketplace,
        id=f"{order_id}{PART}"
        if marketplace == "poizon" and POIZON_ONE_PRODUCT in world.dialects
        else str(order_id),
        reference=reference,
        seller_id=picks[0].item.seller.id,
        lines=[
            _line(pick, str(order_id + place)) for place, pick in enumerate(picks, 1)
        ],
        post_fen=postage_fen(picks) if post_fen is None else post_fen,
        receiver=addresses.receiver,
        warehouse=addresses.warehouse,
        created_at=world.now(),
        carrier=carrier,
        out_order_id=out_order_id,
    )
    world.books.add_order(order)
    world.expect_closing(order)
    for pick in picks:
        world.catalogue.take(pick.item, pick.sku, pick.quantity)
    return order


def _line(pick: Pick, sub_id: str) -> OrderLine:
    return OrderLine(
        number=pick.number,
        sub_id=sub_id,
        item_id=pick.item.id,
        sku_id=pick.sku.id,
        spec_id=pick.sku.spec_id,
        title=pick.item.title,
        quantity=pick.quantity,
        unit_fen=pick.unit_fen,
    )


def pay_order(world: World, order: Order, call: Call) -> str | None:
    """Debit the wallet, or refuse. A late call pays again an order that was unpaid when
    it was sent.
    """
    if PAY_IS_SUBMISSION in world.dialects or PAY_REFUSED_BY_FINANCE in world.dialects:
        return _submit(world, order)
    late = order.id in call.late_pay and order.closed_at is None
    if order.under_check or (not order.unpaid and not late):
        return ORDER_STATUS_ERROR
    if PAY_BY_CREDIT in world.dialects:
        world.books.receive(order, order.amount_fen, world.now(), "credit")
        return None
    if order.amount_fen > world.books.balance_fen:
        return BALANCE_NOT_ENOUGH
    world.books.debit(order, world.now())
    return None


def _submit(world: World, order: Order) -> str | None:
    """Debit the wallet for an order that finance pays later. One that was submitted
    before is debited again.
    """
    if not order.unpaid or order.under_check:
        return ORDER_STATUS_ERROR
    if order.amount_fen > world.books.balance_fen:
        return BALANCE_NOT_ENOUGH
    order.submitted_at = order.submitted_at or world.now()
    world.books.debit(order, world.now())
    world.expect_finance(order)
    return None
