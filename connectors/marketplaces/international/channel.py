"""InternationalAlibaba: orders under our reference as the service's key, with a carrier of a freight quote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.marketplaces.browsing import Browser, refuse_filters
from connectors.marketplaces.international import reading
from connectors.marketplaces.lines import oldest_first
from connectors.marketplaces.listing import FilteredOrders, OrderPage, OrderQuery, order_page
from connectors.marketplaces.protocol import Created, Warehouse
from connectors.marketplaces.refusals import (
    PRODUCT_NOT_FOUND,
    asked_before,
    code_of,
    no_quote,
    payment_answer,
    require_approved,
    unless_missing,
)
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import international
from connectors.xportcn.wire import china_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Filters, Hits, Offer
from domain.orders import OrderLine, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import ServiceOrder, TrackingEvent

CHINA_BY_PHONE = "86"


class InternationalChannel(FilteredOrders):
    """Implements `Channel` (see `marketplaces.protocol`). Only items priced in CNY are bought."""

    marketplace: Marketplace = Marketplace.INTERNATIONAL
    order_list = international.ORDER_LIST

    async def offer(self, item_id: str) -> Offer | None:
        product = await self._product(item_id)
        return reading.offer(product) if product else None

    async def _product(self, item_id: str) -> international.Product | None:
        request = international.DetailRequest(product_id=item_id)
        return await unless_missing(self._client.read(international.DETAIL, request), PRODUCT_NOT_FOUND)

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        """The cheapest carrier's total. Prices of several lines are looked up: freight answers only their sum."""
        try:
            freight = await self._freight(order, warehouse)
        except Refused as refused:
            return no_quote(reading.problem(refused.code, refused.message))
        amounts = {order.lines[0].line_no: freight.product_amount}
        if len(order.lines) > 1:
            products = await concurrently(dict.fromkeys(line.item_id for line in order.lines), self._product)
            amounts = reading.line_amounts(order.lines, [product for product in products if product])
        return reading.quote(freight, order.lines, amounts)

    async def _freight(self, order: SourcingOrder, warehouse: Warehouse) -> international.Freight:
        request = international.FreightRequest(
            product_list=_products(order.lines), shipment_address=_address(warehouse)
        )
        return await self._client.read(international.FREIGHT, request)

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        """Take a carrier of a fresh freight quote, compare with `approved`, which no other check does, and create."""
        try:
            freight = await asked_before(international.CREATE, self._freight(order, warehouse))
            require_approved(international.CREATE, reading.total(freight, order.lines), approved)
            request = _create_request(order, warehouse, reading.cheapest(freight))
            answer = await self._client.effect(international.CREATE, request, claim=claim)
        except Refused as refused:
            problem = reading.problem(refused.code, refused.message)
            raise refused.explained(code=code_of(refused), problems=refused.problems or (problem,)) from refused
        return reading.created(answer)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = international.PayRequest(order_id_list=(order_id,))
        answer = await payment_answer(self._client.effect(international.PAY, request, claim=claim))
        reading.settle_payment(answer)

    async def _page(self, asked: OrderQuery) -> OrderPage:
        request = international.OrderListRequest(
            start_page=asked.page_no,
            page_size=asked.size,
            create_date_start=china_text(asked.since) if asked.since else None,
            channel_refer_ids=tuple(asked.references) or None,
            trade_ids=tuple(asked.order_ids) or None,
        )
        answer = await self._client.read(international.ORDER_LIST, request)
        read = reading.any_order if asked.since else reading.service_order
        return order_page(answer.order_list, answer.total_count, read)

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        return oldest_first(order.scans)


def _products(lines: Sequence[OrderLine]) -> tuple[international.OrderedProduct, ...]:
    return tuple(
        international.OrderedProduct(product_id=line.item_id, sku_id=line.sku_id, quantity=line.quantity)
        for line in lines
    )


def _create_request(
    order: SourcingOrder, warehouse: Warehouse, carrier: international.Carrier | None
) -> international.CreateRequest:
    return international.CreateRequest(
        channel_refer_id=order.order_ref,
        product_list=_products(order.lines),
        logistics_detail=international.LogisticsDetail(
            shipment_address=_address(warehouse),
            carrier_code=carrier.carrier_code if carrier else "",  # without one the quote has a problem
        ),
    )


def _address(warehouse: Warehouse) -> international.ShipmentAddress:
    return international.ShipmentAddress(
        zip=warehouse.zip,
        country="China",
        country_code=international.CHINA,
        province=warehouse.province,
        city=warehouse.city,
        address=f"{warehouse.district}{warehouse.address}",
        contact_person=warehouse.name,
        telephone=international.Telephone(country=CHINA_BY_PHONE, number=warehouse.phone),
    )


class InternationalBrowser(Browser):
    marketplace = Marketplace.INTERNATIONAL

    async def by_words(self, words: str, filters: Filters) -> Hits:
        refuse_filters(self.marketplace, "words", filters, offers="category")
        return await self._listed(words, filters)

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        refuse_filters(self.marketplace, "listings", filters, offers="category")
        return await self._listed("", filters)

    async def _listed(self, words: str, filters: Filters) -> Hits:
        request = international.SearchRequest(
            index=filters.page - 1,  # pages count from 0 here
            size=filters.page_size,
            keyword=words or None,
            category_id=filters.category_id or None,
        )
        page = await self._client.read(international.SEARCH, request)
        return Hits(total=page.result_total, offers=tuple(reading.summary(hit) for hit in page.result_data))
