"""Taobao: purchase orders under our own reference, the service's idempotency key; a
cart, whose orders have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import TypeVar

from connectors.concurrently import concurrently
from connectors.marketplaces.lines import oldest_first
from connectors.marketplaces.listing import (
    FilteredOrders,
    OrderPage,
    OrderQuery,
    is_since,
    order_page,
    require_batch,
)
from connectors.marketplaces.protocol import (
    Created,
    PayOutcome,
    PaysMany,
    RowsAreGone,
    Warehouse,
)
from connectors.marketplaces.refusals import (
    ORDER_NOT_FOUND,
    PRODUCT_NOT_FOUND,
    no_quote,
    require_true,
    unless_missing,
)
from connectors.marketplaces.taobao import reading
from connectors.xportcn.assumptions import ABROAD, WAREHOUSE, Assumption
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import taobao_cart as api
from connectors.xportcn.operations import taobao_order, taobao_product
from connectors.xportcn.wire import unix_ms
from domain.absence import pieces
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Quote
from domain.orders import CartRow, OrderLine, Receiver, SourcingOrder
from domain.service_orders import ServiceOrder, TrackingEvent

COUNTRY = {ABROAD: "CN", WAREHOUSE: "中国"}
"""China's name in addresses, by the receiver: a service that wants the warehouse there
wants it in Chinese.
"""
Form = TypeVar("Form", bound=taobao_order.Address)


class TaobaoChannel(FilteredOrders, PaysMany):
    """Implements `Channel` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.TAOBAO
    order_list = taobao_order.ORDER_PAGE
    most_references = 1
    pay_batch_size = 10

    async def offer(self, item_id: str) -> Offer | None:
        request = taobao_product.ProductRequest(item_id=item_id)
        product = await unless_missing(
            self._client.read(taobao_product.PRODUCT, request), PRODUCT_NOT_FOUND
        )
        if product is None:
            return None
        mapping = (
            await self._map_ids(product)
            if reading.lacks_distribution_ids(product)
            else None
        )
        return reading.offer(product, mapping)

    async def _map_ids(self, product: taobao_product.Product) -> taobao_product.Mapping:
        item = taobao_product.MappingItem(
            item_id=product.item_id,
            sku_ids=tuple(sku.sku_id for sku in product.sku_list),
        )
        return await self._client.read(
            taobao_product.ID_MAPPING, taobao_product.MappingRequest(params=(item,))
        )

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        async def render(receiver: str) -> taobao_order.Rendered:
            request = taobao_order.RenderRequest(
                receiver=address_of(
                    receiver, order.request.receiver, warehouse, taobao_order.Address
                ),
                warehouse_address=_address_in_china(
                    warehouse, taobao_order.Address, country=COUNTRY[receiver]
                ),
                render_item_list=tuple(_render_item(line) for line in order.lines),
            )
            return await self._client.read(taobao_order.RENDER, request)

        try:
            rendered = await self._client.assumptions.ask(
                Assumption.TAOBAO_RECEIVER, render
            )
        except Refused as refused:
            return no_quote(
                reading.problem(refused.code, refused.message), refused.code
            )
        return reading.quote(rendered, order.lines)

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        receiver = self._client.assumptions.way(Assumption.TAOBAO_RECEIVER)
        request = taobao_order.CreateRequest(
            outer_purchase_id=order.order_ref,
            purchase_amount=approved,
            order_line_list=tuple(_create_line(line) for line in order.lines),
            receiver=address_of(
                receiver, order.request.receiver, warehouse, taobao_order.Address
            ),
            warehouse_address_info=_address_in_china(
                warehouse, taobao_order.Address, country=COUNTRY[receiver]
            ),
        )
        try:
            answer = await self._client.effect(
                taobao_order.CREATE, request, claim=claim
            )
        except Refused as refused:
            problem = reading.problem(refused.code, refused.message)
            raise refused.explained(code=refused.code, problems=(problem,)) from refused
        return reading.created(answer)

    async def pay_many(
        self, claims: Sequence[Claim], order_ids: Sequence[str]
    ) -> dict[str, PayOutcome]:
        require_batch(order_ids, self.pay_batch_size)
        request = taobao_order.PayRequest(purchase_order_id_list=tuple(order_ids))
        answer = await self._client.joint_effect(
            taobao_order.PAY, request, claims=claims
        )
        return {
            order_id: reading.payment_outcome(answer, order_id)
            for order_id in order_ids
        }

    async def _page(self, asked: OrderQuery) -> OrderPage:
        return await _read_page(self._client, asked)

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        parts = await concurrently(order.parts, self._trace_part)
        return oldest_first(event for events in parts for event in events)

    async def _trace_part(self, part: str) -> list[TrackingEvent]:
        request = taobao_order.LogisticsRequest(sub_purchase_order_id=part)
        told = await unless_missing(
            self._client.read(taobao_order.LOGISTICS, request), ORDER_NOT_FOUND
        )
        return (
            list(reading.events(told)) if told else []
        )  # not shipped yet: the order itself was read a moment ago


async def _read_page(client: XportcnClient, asked: OrderQuery) -> OrderPage:
    request = taobao_order.OrderPageRequest(
        page_no=asked.page_no,
        page_size=asked.size,
        create_time_start=unix_ms(asked.since) if asked.since else None,
        outer_purchase_id=asked.references[0] if asked.references else None,
        purchase_ids=tuple(asked.order_ids) or None,
    )
    page = await client.read(taobao_order.ORDER_PAGE, request)
    return order_page(page.data, page.total_records, reading.service_order)


def address_of(
    receiver: str, customer: Receiver, warehouse: Warehouse, form: type[Form]
) -> Form:
    """The address of an order, in the model `form`: the customer's abroad, or the
    warehouse's.
    """
    if receiver == WAREHOUSE:
        return _address_in_china(warehouse, form, country=COUNTRY[WAREHOUSE])
    return _foreign_address(customer, form)


def _foreign_address(receiver: Receiver, form: type[Form]) -> Form:
    return form(
        country=receiver.country,
        state=receiver.state
        or receiver.city,  # required there (contract 2.3), unknown to many countries
        city=receiver.city,
        district="",
        address=receiver.address,
        zip=receiver.zip,
        name=receiver.name,
        phone=receiver.phone,
        mobile_phone=receiver.phone,
    )


def _address_in_china(warehouse: Warehouse, form: type[Form], *, country: str) -> Form:
    return form(
        country=country,
        state=warehouse.province,
        city=warehouse.city,
        district=warehouse.district,
        address=warehouse.address,
        zip=warehouse.zip,
        name=warehouse.name,
        phone=warehouse.phone,
        mobile_phone=warehouse.phone,
    )


def _render_item(line: OrderLine) -> taobao_order.RenderItem:
    return taobao_order.RenderItem(
        item_id=line.distribution_item_id,
        sku_id=line.distribution_sku_id,
        quantity=line.quantity,
    )


def _create_line(line: OrderLine) -> taobao_order.CreateLine:
    return taobao_order.CreateLine(
        item_id=line.distribution_item_id,
        sku_id=line.distribution_sku_id,
        order_line_no=str(line.line_no),
        quantity=line.quantity,
        price=line.unit_price,
        currency=line.unit_price.currency,
        title=line.title,
    )


PAGE_SIZE = 50
MOST_PARTS = 2  # an order is split over two depots at most (assumed-all.md 1)


class TaobaoCart:
    """Implements `Cart` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.TAOBAO

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def rows(self) -> tuple[CartRow, ...]:
        cart = await self._client.read(api.LIST, Nothing())
        live = [
            _row(row, shop) for shop in cart.enable_list for row in shop.cart_item_infos
        ]
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

    async def quote(
        self, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse
    ) -> Quote:
        request = api.PreviewRequest(
            ids=tuple(row_ids), order_address=self._address(order, warehouse)
        )
        try:
            return reading.quote(
                await self._client.read(api.PREVIEW, request), order.lines
            )
        except Refused as refused:
            return no_quote(
                reading.problem(refused.code, refused.message), refused.code
            )

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        row_ids: Sequence[str],
        warehouse: Warehouse,
    ) -> Created:
        request = api.CreateRequest(
            ids=tuple(row_ids), order_address=self._address(order, warehouse)
        )
        return reading.created(
            await self._client.effect(api.CREATE, request, claim=claim)
        )

    def _address(self, order: SourcingOrder, warehouse: Warehouse) -> api.CartAddress:
        receiver = self._client.assumptions.way(Assumption.TAOBAO_RECEIVER)
        return address_of(receiver, order.request.receiver, warehouse, api.CartAddress)

    async def find(
        self, order: SourcingOrder, row_ids: Sequence[str], *, since: datetime
    ) -> list[ServiceOrder]:
        if any(row.row_id in row_ids for row in await self.rows()):
            return []
        page = await _read_page(
            self._client, OrderQuery(page_no=1, size=PAGE_SIZE, since=since)
        )
        wanted = pieces(order.lines)
        nameless = [
            one
            for one in page.rows
            if not one.reference and one.created_at and is_since(one, since)
        ]
        ours = [one for one in nameless if pieces(one.goods) <= wanted]
        for parts in range(1, MOST_PARTS + 1):
            if found := _adding_up(ours, wanted, parts):
                return found
        words = "the rows have left the cart, and no order of exactly their items shows in the order list"
        raise RowsAreGone(words, operation=taobao_order.ORDER_PAGE.name)


def _adding_up(
    orders: Sequence[ServiceOrder], wanted: Counter[tuple[str, str]], parts: int
) -> list[ServiceOrder]:
    """Every order that has these goods, with others so many; of two sets nothing tells
    which is ours.
    """
    sets = [
        some
        for some in combinations(orders, parts)
        if pieces(goods for one in some for goods in one.goods) == wanted
    ]
    return list({one.order_id: one for some in sets for one in some}.values())


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
