"""Taobao: purchase orders under our own reference, which is the service's idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from connectors.concurrently import concurrently
from connectors.xportcn.api import taobao_order, taobao_product
from connectors.xportcn.channels import taobao_reading as reading
from connectors.xportcn.channels.base import Created, PayOutcome, Warehouse
from connectors.xportcn.channels.lines import oldest_first
from connectors.xportcn.channels.listing import (
    PAGE_SIZE,
    Page,
    first_hits,
    list_since,
    order_page,
    require_filter,
    require_whole,
)
from connectors.xportcn.channels.previewing import no_quote
from connectors.xportcn.channels.references import CLOCK_MARGIN, batches, by_reference, require_batch
from connectors.xportcn.channels.refusals import ORDER_NOT_FOUND, PRODUCT_NOT_FOUND, unless_missing
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.wire import unix_ms
from domain.absence import EVER, Reading
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, OfferSummary
from domain.orders import OrderLine, Receiver, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import Place, ServiceOrder, TrackingEvent

ORDER_LIST = taobao_order.ORDER_PAGE.operation

Form = TypeVar("Form", bound=taobao_order.Address)


class TaobaoChannel:
    """Implements `Channel` and `PaysMany` (see `channels.base`)."""

    marketplace: Marketplace = Marketplace.TAOBAO
    pay_batch_size = 10

    places = frozenset({Place.REFERENCE})

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def search(self, words: str, *, limit: int = 10) -> list[OfferSummary]:
        async def turn(page_no: int) -> Page[OfferSummary]:
            request = taobao_product.SearchRequest(keyword=words, page_no=page_no, page_size=min(limit, PAGE_SIZE))
            page = await self._client.read(taobao_product.SEARCH, request)
            return Page([reading.summary(hit) for hit in page.data], page.total_records)

        return await first_hits(turn, limit)

    async def offer(self, item_id: str) -> Offer | None:
        request = taobao_product.ProductRequest(item_id=item_id)
        product = await unless_missing(self._client.read(taobao_product.PRODUCT, request), PRODUCT_NOT_FOUND)
        if product is None:
            return None
        mapping = await self._map_ids(product) if reading.lacks_distribution_ids(product) else None
        return reading.offer(product, mapping)

    async def _map_ids(self, product: taobao_product.Product) -> taobao_product.Mapping:
        item = taobao_product.MappingItem(
            item_id=product.item_id, sku_ids=tuple(sku.sku_id for sku in product.sku_list)
        )
        return await self._client.read(taobao_product.ID_MAPPING, taobao_product.MappingRequest(params=(item,)))

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = taobao_order.RenderRequest(
            receiver=foreign_address(order.request.receiver, taobao_order.Address),
            warehouse_address=_warehouse(warehouse),
            render_item_list=tuple(_render_item(line) for line in order.lines),
        )
        try:
            rendered = await self._client.read(taobao_order.RENDER, request)
        except Refused as refused:
            return no_quote(reading.problem(refused.code, refused.message))
        return reading.quote(rendered, order.lines)

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        request = taobao_order.CreateRequest(
            outer_purchase_id=order.order_ref,
            purchase_amount=approved,
            order_line_list=tuple(_create_line(line) for line in order.lines),
            receiver=foreign_address(order.request.receiver, taobao_order.Address),
            warehouse_address_info=_warehouse(warehouse),
        )
        try:
            answer = await self._client.effect(taobao_order.CREATE, request, claim=claim)
        except Refused as refused:
            problem = reading.problem(refused.code, refused.message)
            raise refused.explained(code=refused.code, problems=(problem,)) from refused
        return reading.created(answer)

    async def pay(self, claim: Claim, order_id: str) -> None:
        outcomes = await self._pay((claim,), (order_id,))
        if error := outcomes[order_id]:
            raise error

    async def pay_many(self, claims: Sequence[Claim], order_ids: Sequence[str]) -> dict[str, PayOutcome]:
        require_batch(order_ids, self.pay_batch_size)
        try:
            return await self._pay(claims, order_ids)
        except Refused as refused:
            return dict.fromkeys(order_ids, refused)

    async def _pay(self, claims: Sequence[Claim], order_ids: Sequence[str]) -> dict[str, PayOutcome]:
        request = taobao_order.PayRequest(purchase_order_id_list=tuple(order_ids))
        answer = await self._client.joint_effect(taobao_order.PAY, request, claims=claims)
        return {order_id: reading.payment_outcome(answer, order_id) for order_id in order_ids}

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        """One question a reference: a control is a question of the same form at the same moment."""
        wanted = dict.fromkeys([*references, *controls])
        pages = await concurrently(wanted, self._with_reference)
        return Reading(
            found=by_reference((order for page in pages for order in page), wanted, since), covers=EVER, unbroken=True
        )

    async def _with_reference(self, reference: str) -> list[ServiceOrder]:
        request = taobao_order.OrderPageRequest(page_no=1, page_size=PAGE_SIZE, outer_purchase_id=reference)
        orders = await self._page(request)
        require_filter(ORDER_LIST, "outerPurchaseId", [order.reference for order in orders], [reference])
        return orders

    async def list_orders(self, *, since: datetime) -> list[ServiceOrder]:
        return await list_since(lambda page_no: self._page_since(page_no, since), since, ORDER_LIST)

    async def _page_since(self, page_no: int, since: datetime) -> Page[ServiceOrder]:
        request = taobao_order.OrderPageRequest(
            page_no=page_no, page_size=PAGE_SIZE, create_time_start=unix_ms(since - CLOCK_MARGIN)
        )
        page = await self._client.read(taobao_order.ORDER_PAGE, request)
        return order_page(page.data, page.total_records, reading.service_order)

    async def read(self, order_ids: Sequence[str], *, may_lag: bool = False) -> dict[str, ServiceOrder]:
        pages = await concurrently(batches(order_ids, PAGE_SIZE), self._with_ids)
        return {order.order_id: order for page in pages for order in page}

    async def _with_ids(self, order_ids: list[str]) -> list[ServiceOrder]:
        request = taobao_order.OrderPageRequest(page_no=1, page_size=PAGE_SIZE, purchase_ids=tuple(order_ids))
        orders = await self._page(request)
        require_filter(ORDER_LIST, "purchaseIds", [order.order_id for order in orders], order_ids)
        return orders

    async def _page(self, request: taobao_order.OrderPageRequest) -> list[ServiceOrder]:
        page = await self._client.read(taobao_order.ORDER_PAGE, request)
        require_whole(ORDER_LIST, page.data)
        return [reading.service_order(order) for order in page.data]

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        parts = await concurrently(order.parts, self._trace_part)
        return oldest_first(event for events in parts for event in events)

    async def _trace_part(self, part: str) -> list[TrackingEvent]:
        request = taobao_order.LogisticsRequest(sub_purchase_order_id=part)
        told = await unless_missing(self._client.read(taobao_order.LOGISTICS, request), ORDER_NOT_FOUND)
        return list(reading.events(told)) if told else []  # nothing sent yet: the order itself was read a moment ago


def foreign_address(receiver: Receiver, form: type[Form]) -> Form:
    """Where the goods end up, as `form` writes it."""
    return form(
        country=receiver.country,
        state=receiver.state or receiver.city,  # required there (contract 2.3), unknown to many countries
        city=receiver.city,
        district="",
        address=receiver.address,
        zip=receiver.zip,
        name=receiver.name,
        phone=receiver.phone,
        mobile_phone=receiver.phone,
    )


def _warehouse(warehouse: Warehouse) -> taobao_order.Address:
    return taobao_order.Address(
        country="CN",
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
        item_id=line.distribution_item_id, sku_id=line.distribution_sku_id, quantity=line.quantity
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
