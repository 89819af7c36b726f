"""Poizon: orders under our reference as the service's key, guarded by a maximum price
of each piece.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.marketplaces.browsing import SORTS, Browser
from connectors.marketplaces.lines import (
    distinct,
    domestic,
    of_lines,
    other_pieces,
    plain_problem,
    priced_line,
    quote_of,
    scans,
    shipments,
    sku_ids,
    status_of,
    unknown_sale,
    unmentioned,
)
from connectors.marketplaces.listing import (
    FilteredOrders,
    OrderPage,
    OrderQuery,
    order_page,
)
from connectors.marketplaces.protocol import Created, Warehouse
from connectors.marketplaces.refusals import (
    PRODUCT_NOT_FOUND,
    created_orders,
    naming_problem,
    no_quote,
    over_limit,
    payment_answer,
    refused_create,
    settle_payment,
    unless_missing,
)
from connectors.xportcn.errors import Refused
from connectors.xportcn.failures import problem_in
from connectors.xportcn.operations import poizon
from connectors.xportcn.wire import numbers_in, unix_ms
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money, total_of
from domain.offers import (
    Filters,
    Hits,
    Offer,
    OfferSummary,
    Problem,
    Quote,
    Sku,
)
from domain.orders import OrderLine, SourcingOrder
from domain.service_orders import Goods, ServiceOrder, ServiceStatus

ON_SALE = "ON_SALE"

STATUSES = {
    "unpaid": ServiceStatus.UNPAID,
    "paid": ServiceStatus.PAID,
    "shipped": ServiceStatus.SHIPPED,
    "closed": ServiceStatus.CLOSED,
}


def summary(hit: poizon.SearchHit) -> OfferSummary:
    return OfferSummary(
        marketplace=Marketplace.POIZON,
        item_id=hit.dw_spu_id,
        title=hit.title,
        price=hit.min_price,
        image_url=hit.pic_url,
        seller_id=hit.seller_id,
    )


def offer(product: poizon.Product) -> Offer:
    return Offer(
        marketplace=Marketplace.POIZON,
        item_id=product.dw_spu_id,
        title=product.title,
        image_url=next(iter(product.images), ""),
        seller_id=product.seller_id,
        seller_name=product.seller_name,
        min_quantity=max(1, product.min_quantity),
        active=product.status == ON_SALE,
        skus=distinct(_sku(sku) for sku in product.skus),
        distribution_item_id=product.dist_spu_id,
        category_id=product.category_id,
        category_name=product.category_name,
        image_urls=distinct(product.images),
        unknown_state=unknown_sale(ON_SALE, product.status),
    )


def _sku(sku: poizon.ProductSku) -> Sku:
    return Sku(
        sku_id=sku.dw_sku_id,
        name="; ".join(f"{part.name}: {part.value}" for part in sku.properties),
        price=sku.price,
        stock=sku.stock,
        distribution_sku_id=sku.dist_sku_id,
        image_url=sku.pic_url,
    )


def quote(preview: poizon.Preview, lines: tuple[OrderLine, ...]) -> Quote:
    """The quote of all resulting orders together."""
    told = of_lines(
        lines,
        sku_ids,
        (
            ((item.dw_spu_id, item.dw_sku_id), item)
            for order in preview.orders
            for item in order.items
        ),
    )
    problems = tuple(
        plain_problem(item.error_code, item.error_message or "not available", our)
        for our, item in told
        if not item.available or item.error_code
    )
    problems += tuple(
        other_pieces(our, item.quantity)
        for our, item in told
        if our and item.quantity not in (0, our.quantity)
    )
    if preview.success is not True and not problems:
        problems = (
            plain_problem(
                preview.error_code, preview.error_message or "refused without a word"
            ),
        )
    priced = tuple(
        priced_line(our, item.price * our.quantity)
        for our, item in told
        if our and item.price is not None and item.available
    )
    amounts = [
        (order.goods_amount, order.freight_amount, order.total_amount)
        for order in preview.orders
    ]
    return quote_of(
        poizon.PREVIEW, amounts, priced, problems or unmentioned(lines, told)
    )


def created(answer: poizon.CreateAnswer) -> Created:
    """The new orders. Raises `Refused` only for a refusal without an order."""
    if answer.success is False and not answer.order_list:
        problem = plain_problem(answer.error_code, answer.error_message)
        raise refused_create(poizon.CREATE, answer, problem)
    orders = [(order.dist_order_no, order.total_amount) for order in answer.order_list]
    return created_orders(poizon.CREATE, answer, orders, is_success=answer.success)


def service_order(order: poizon.Order) -> ServiceOrder:
    return ServiceOrder(
        order_id=order.dist_order_no,
        reference=order.request_id,
        status=status_of(order.order_status, STATUSES),
        state_word=order.order_status,
        total=order.total_amount,
        paid=order.real_pay_amount,
        created_at=order.create_time,
        paid_at=order.pay_time,
        close_reason=order.close_reason,
        parcels=domestic(
            *(
                (
                    domestic_parcel.express_no,
                    domestic_parcel.express_company,
                    domestic_parcel.sent_time,
                )
                for domestic_parcel in order.logistics_list
            )
        ),
        shipments=shipments(order.international_logistics),
        scans=scans(
            *(
                (number, domestic_parcel.traces)
                for domestic_parcel in order.logistics_list
                for number in numbers_in(domestic_parcel.express_no)
            ),
            *(
                (international_logistic.logistic_number, international_logistic.traces)
                for international_logistic in order.international_logistics
            ),
        ),
        goods=tuple(
            Goods(
                item_id=order_item.dw_spu_id,
                sku_id=order_item.dw_sku_id,
                quantity=order_item.quantity,
            )
            for order_item in order.order_items
        ),
    )


class PoizonChannel(FilteredOrders):
    """Implements `Channel` (see `marketplaces.protocol`)."""

    marketplace: Marketplace = Marketplace.POIZON
    order_list = poizon.ORDER_LIST

    async def offer(self, item_id: str) -> Offer | None:
        detail = self._client.read(
            poizon.DETAIL, poizon.DetailRequest(dw_spu_id=item_id)
        )
        product = await unless_missing(detail, PRODUCT_NOT_FOUND)
        return offer(product) if product else None

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = poizon.PreviewRequest(
            shipping_address=_address(warehouse),
            product_list=tuple(_asked(line) for line in order.lines),
        )
        try:
            preview = await self._client.read(poizon.PREVIEW, request)
        except Refused as refused:
            refusal = plain_problem(refused.code, refused.message)
            if (
                refusal.problem is Problem.OTHER
                and problem_in(refusal.message) is None
                and _is_of_several(order)
            ):
                refusal = replace(refusal, problem=Problem.SEVERAL_PRODUCTS)
            return no_quote(refusal, refused.code)
        return quote(preview, order.lines)

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        """Create the order. The service refuses a line that got dearer than its
        `unit_price`.
        """
        goods = total_of([line.unit_price * line.quantity for line in order.lines])
        if goods > approved:
            raise over_limit(poizon.CREATE, goods, approved)
        request = poizon.CreateRequest(
            request_id=order.order_ref,
            shipping_address=_address(warehouse),
            product_list=tuple(_ordered(line) for line in order.lines),
        )
        with naming_problem(plain_problem):
            answer = await self._client.effect(poizon.CREATE, request, claim=claim)
        return created(answer)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = poizon.PayRequest(dist_order_no=order_id)
        answer = await payment_answer(
            self._client.effect(poizon.PAY, request, claim=claim)
        )
        result = answer.success, answer.error_code, answer.error_message
        settle_payment(poizon.PAY, answer, order_id, result, about=answer.dist_order_no)

    async def _page(self, order_query: OrderQuery) -> OrderPage:
        request = poizon.OrderListRequest(
            page_no=order_query.page_no,
            page_size=order_query.size,
            create_time_start=unix_ms(order_query.since) if order_query.since else None,
            request_ids=tuple(order_query.references) or None,
            dist_order_nos=tuple(order_query.order_ids) or None,
        )
        answer = await self._client.read(poizon.ORDER_LIST, request)
        return order_page(answer.data, answer.total_records, service_order)


def _is_of_several(order: SourcingOrder) -> bool:
    return len({line.item_id for line in order.lines}) > 1


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


class PoizonBrowser(Browser):
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
        return Hits(
            total=page.total_records, offers=tuple(summary(hit) for hit in page.data)
        )

    async def listing(self, filters: Filters) -> Hits:
        return await self.by_words("", filters)
