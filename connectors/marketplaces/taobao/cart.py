"""Taobao's cart: its orders carry no reference, so they are found again by the rows that left the cart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations

from connectors.marketplaces.protocol import Created, RowsAreGone, Warehouse
from connectors.marketplaces.refusals import no_quote, require_true
from connectors.marketplaces.taobao import reading
from connectors.marketplaces.taobao.channel import address_of
from connectors.xportcn.assumptions import Assumption
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import taobao_cart as api
from connectors.xportcn.operations import taobao_order
from connectors.xportcn.wire import Nothing, unix_ms
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.orders import CartRow, OrderLine, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import ServiceOrder

PAGE_SIZE = 50
MOST_PARTS = 2  # an order is split over two depots at most (assumed-all.md 1)

Goods = Counter[tuple[str, str]]


class TaobaoCart:
    """Implements `Cart` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.TAOBAO

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def rows(self) -> tuple[CartRow, ...]:
        cart = await self._client.read(api.LIST, Nothing())
        live = [_row(row, shop) for shop in cart.enable_list for row in shop.cart_item_infos]
        return (*live, *(_row(row, None) for row in cart.disable_list))

    async def add(self, claim: Claim, line: OrderLine, offer: Offer) -> str:
        request = api.AddRequest(
            item_id=line.item_id,
            sku_id=line.sku_id,
            mp_id=line.distribution_item_id,
            mp_sku_id=line.distribution_sku_id,
            item_title=line.title,
            item_pic=line.image_url,
            price=line.unit_price,
            quantity=line.quantity,
            shop_id=offer.seller_id,
            shop_name=offer.seller_name,
        )
        return await self._client.effect(api.ADD, request, claim=claim)

    async def delete(self, row_ids: Sequence[str]) -> None:
        await self._client.read(api.DELETE, api.DeleteRequest(ids=tuple(row_ids)))

    async def set_quantity(self, row_id: str, quantity: int) -> None:
        request = api.EditRequest(id=row_id, quantity=quantity)
        require_true(api.EDIT, answered=await self._client.read(api.EDIT, request))

    async def quote(self, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse) -> Quote:
        request = api.PreviewRequest(ids=tuple(row_ids), order_address=self._address(order, warehouse))
        try:
            return reading.quote(await self._client.read(api.PREVIEW, request), order.lines)
        except Refused as refused:
            return no_quote(reading.problem(refused.code, refused.message))

    async def create(self, claim: Claim, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse) -> Created:
        request = api.CreateRequest(ids=tuple(row_ids), order_address=self._address(order, warehouse))
        return reading.created(await self._client.effect(api.CREATE, request, claim=claim))

    def _address(self, order: SourcingOrder, warehouse: Warehouse) -> api.CartAddress:
        receiver = self._client.assumptions.way(Assumption.TAOBAO_RECEIVER)
        return address_of(receiver, order.request.receiver, warehouse, api.CartAddress)

    async def find(self, order: SourcingOrder, row_ids: Sequence[str], *, since: datetime) -> list[ServiceOrder]:
        if any(row.row_id in row_ids for row in await self.rows()):
            return []
        request = taobao_order.OrderPageRequest(page_no=1, page_size=PAGE_SIZE, create_time_start=unix_ms(since))
        page = await self._client.read(taobao_order.ORDER_PAGE, request)
        wanted = _goods_wanted(order.lines)
        ours = [one for one in page.data if not one.outer_purchase_id and _goods(one) <= wanted]
        for found in _together(ours):
            if sum((_goods(one) for one in found), Counter()) == wanted:
                return [reading.service_order(one) for one in found]
        words = "the rows have left the cart, and no order of exactly their items shows in the order list"
        raise RowsAreGone(words, operation=taobao_order.ORDER_PAGE.name)


def _together(orders: Sequence[taobao_order.PurchaseOrder]) -> Iterator[tuple[taobao_order.PurchaseOrder, ...]]:
    """Single orders first, then the two that a split makes; newest first."""
    for parts in range(1, MOST_PARTS + 1):
        yield from combinations(orders, parts)


def _goods_wanted(lines: Sequence[OrderLine]) -> Goods:
    wanted: Goods = Counter()
    for line in lines:
        wanted[line.item_id, line.sku_id] += line.quantity
    return wanted


def _goods(order: taobao_order.PurchaseOrder) -> Goods:
    told: Goods = Counter()
    for part in order.sub_purchase_orders:
        told[part.item_id, part.sku_id] += part.quantity
    return told


def _row(row: api.CartRow, shop: api.CartShop | None) -> CartRow:
    return CartRow(
        row_id=row.id,
        item_id=row.item_id,
        sku_id=row.sku_id,
        spec_id="",
        title=row.item_title,
        price=row.price,
        quantity=row.quantity,
        stock=row.sku_quantity,
        seller_id=shop.shop_id if shop else "",
        seller_name=shop.shop_name if shop else "",
        buyable=shop is not None,
    )
