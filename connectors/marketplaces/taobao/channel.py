"""Taobao: purchase orders under our own reference, the service's idempotency key."""

from __future__ import annotations

from dataclasses import asdict

from connectors.concurrently import concurrently
from connectors.marketplaces.lines import oldest_first, plain_problem
from connectors.marketplaces.listing import (
    FilteredOrders,
    OrderPage,
    OrderQuery,
    order_page,
)
from connectors.marketplaces.protocol import (
    Created,
    Warehouse,
)
from connectors.marketplaces.refusals import (
    ORDER_NOT_FOUND,
    PRODUCT_NOT_FOUND,
    naming_problem,
    no_quote,
    unless_missing,
)
from connectors.marketplaces.taobao import reading
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import taobao_order, taobao_product
from connectors.xportcn.settings import ABROAD, WAREHOUSE
from connectors.xportcn.wire import unix_ms
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Quote
from domain.orders import OrderLine, Receiver, SourcingOrder
from domain.service_orders import ServiceOrder, TrackingEvent

COUNTRY = {ABROAD: "CN", WAREHOUSE: "中国"}
"""China's name in addresses, by the receiver: a service that wants the warehouse there
wants it in Chinese.
"""


class TaobaoChannel(FilteredOrders):
    """Implements `Channel` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.TAOBAO
    order_list = taobao_order.ORDER_PAGE
    most_references = 1

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
        receiver = self._client.settings.receiver_of_taobao
        request = taobao_order.RenderRequest(
            receiver=_address_of(receiver, order.request.receiver, warehouse),
            warehouse_address=_address_in_china(warehouse, country=COUNTRY[receiver]),
            render_item_list=tuple(_render_item(line) for line in order.lines),
        )
        try:
            rendered = await self._client.read(taobao_order.RENDER, request)
        except Refused as refused:
            return no_quote(plain_problem(refused.code, refused.message), refused.code)
        return reading.quote(rendered, order.lines)

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        receiver = self._client.settings.receiver_of_taobao
        request = taobao_order.CreateRequest(
            outer_purchase_id=order.order_ref,
            purchase_amount=approved,
            order_line_list=tuple(_create_line(line) for line in order.lines),
            receiver=_address_of(receiver, order.request.receiver, warehouse),
            warehouse_address_info=_address_in_china(
                warehouse, country=COUNTRY[receiver]
            ),
        )
        with naming_problem(plain_problem):
            answer = await self._client.effect(
                taobao_order.CREATE, request, claim=claim
            )
        return reading.created(answer)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = taobao_order.PayRequest(purchase_order_id_list=(order_id,))
        answer = await self._client.effect(taobao_order.PAY, request, claim=claim)
        reading.require_paid(answer, order_id)

    async def _page(self, asked: OrderQuery) -> OrderPage:
        request = taobao_order.OrderPageRequest(
            page_no=asked.page_no,
            page_size=asked.size,
            create_time_start=unix_ms(asked.since) if asked.since else None,
            outer_purchase_id=asked.references[0] if asked.references else None,
            purchase_ids=tuple(asked.order_ids) or None,
        )
        page = await self._client.read(taobao_order.ORDER_PAGE, request)
        return order_page(page.data, page.total_records, reading.service_order)

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


def _address_of(
    receiver: str, customer: Receiver, warehouse: Warehouse
) -> taobao_order.Address:
    """The address of an order: the customer's abroad, or the warehouse's."""
    if receiver == WAREHOUSE:
        return _address_in_china(warehouse, country=COUNTRY[WAREHOUSE])
    return _foreign_address(customer)


def _foreign_address(receiver: Receiver) -> taobao_order.Address:
    return taobao_order.Address(
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


def _address_in_china(warehouse: Warehouse, *, country: str) -> taobao_order.Address:
    parts = asdict(warehouse)
    return taobao_order.Address(
        country=country,
        state=parts.pop("province"),
        mobile_phone=warehouse.phone,
        **parts,
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
