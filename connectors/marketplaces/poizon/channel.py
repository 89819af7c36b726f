"""Poizon: orders under our reference as the service's key, guarded by a maximum price of each piece."""

from __future__ import annotations

from datetime import datetime

from connectors.marketplaces.browsing import PlainBrowser
from connectors.marketplaces.filtered_orders import FilteredOrders, OrderQuery
from connectors.marketplaces.lines import oldest_first
from connectors.marketplaces.listing import FIRST_PAGE, PAGE_SIZE, OrderPage, order_page
from connectors.marketplaces.poizon import reading
from connectors.marketplaces.protocol import Created, Warehouse
from connectors.marketplaces.refusals import (
    PRODUCT_NOT_FOUND,
    code_of,
    no_quote,
    over_limit,
    payment_answer,
    unless_missing,
)
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import poizon
from connectors.xportcn.wire import unix_ms
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import Filters, Hits, Offer, Sort
from domain.orders import OrderLine, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import ServiceOrder, TrackingEvent

SORTS = {Sort.RELEVANCE: None, Sort.PRICE_UP: "price_asc", Sort.PRICE_DOWN: "price_desc"}


class PoizonChannel(FilteredOrders):
    """Implements `Channel` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.POIZON
    order_list = poizon.ORDER_LIST

    async def offer(self, item_id: str) -> Offer | None:
        detail = self._client.read(poizon.DETAIL, poizon.DetailRequest(dw_spu_id=item_id))
        product = await unless_missing(detail, PRODUCT_NOT_FOUND)
        return reading.offer(product) if product else None

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = poizon.PreviewRequest(
            shipping_address=_address(warehouse), product_list=tuple(_asked(line) for line in order.lines)
        )
        try:
            preview = await self._client.read(poizon.PREVIEW, request)
        except Refused as refused:
            return no_quote(reading.problem(refused.code, refused.message))
        return reading.quote(preview, order.lines)

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        """Create the order. The service refuses a line that got dearer than its `unit_price`."""
        goods = total_of([line.unit_price * line.quantity for line in order.lines])
        if goods > approved:
            raise over_limit(poizon.CREATE, goods, approved)
        request = poizon.CreateRequest(
            request_id=order.order_ref,
            shipping_address=_address(warehouse),
            product_list=tuple(_ordered(line) for line in order.lines),
        )
        try:
            answer = await self._client.effect(poizon.CREATE, request, claim=claim)
        except Refused as refused:
            problem = reading.problem(refused.code, refused.message)
            raise refused.explained(code=code_of(refused), problems=(problem,)) from refused
        return reading.created(answer)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = poizon.PayRequest(dist_order_no=order_id)
        answer = await payment_answer(self._client.effect(poizon.PAY, request, claim=claim))
        reading.settle_payment(answer, order_id)

    async def _page(self, asked: OrderQuery) -> OrderPage:
        request = poizon.OrderListRequest(
            page_no=asked.page_no,
            page_size=asked.size,
            create_time_start=unix_ms(asked.since) if asked.since else None,
            request_ids=tuple(asked.references) or None,
            dist_order_nos=tuple(asked.order_ids) or None,
        )
        answer = await self._client.read(poizon.ORDER_LIST, request)
        return order_page(answer.data, answer.total_records, reading.service_order)

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        """The events, which stand in the order itself: it is read anew."""
        request = poizon.OrderListRequest(page_no=FIRST_PAGE, page_size=PAGE_SIZE, dist_order_nos=(order.order_id,))
        answer = await self._client.read(poizon.ORDER_LIST, request)
        shown = [one for one in answer.data if one.dist_order_no == order.order_id]
        return oldest_first(event for one in shown for event in reading.events(one))


def _asked(line: OrderLine) -> poizon.AskedProduct:
    return poizon.AskedProduct(
        dw_spu_id=line.item_id,
        dw_sku_id=line.sku_id,
        dist_spu_id=line.distribution_item_id,
        dist_sku_id=line.distribution_sku_id,
        quantity=line.quantity,
    )


def _ordered(line: OrderLine) -> poizon.OrderedProduct:
    return poizon.OrderedProduct(**_asked(line).model_dump(), price=line.unit_price)


def _address(warehouse: Warehouse) -> poizon.ShippingAddress:
    return poizon.ShippingAddress(
        name=warehouse.name,
        phone=warehouse.phone,
        province=warehouse.province,
        city=warehouse.city,
        district=warehouse.district,
        detail_address=warehouse.address,
    )


class PoizonBrowser(PlainBrowser):
    """Implements `Browser` (see `marketplaces.browsing`)."""

    marketplace = Marketplace.POIZON

    async def by_words(self, words: str, filters: Filters) -> Hits:
        request = poizon.SearchRequest(
            keyword=words,
            page_no=filters.page,
            page_size=filters.page_size,
            category_id=filters.category_id or None,
            price_start=filters.min_price.minor if filters.min_price else None,
            price_end=filters.max_price.minor if filters.max_price else None,
            sort=SORTS[filters.sort],
        )
        page = await self._client.read(poizon.SEARCH, request)
        return Hits(total=page.total_records, offers=tuple(reading.summary(hit) for hit in page.data))

    async def listing(self, filters: Filters, *, changed_since: datetime | None = None) -> Hits:
        return await self.by_words("", filters)
