"""InternationalAlibaba: orders under our reference as the service's key, with a carrier out of a freight quote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.xportcn.api import international
from connectors.xportcn.channels import international_reading as reading
from connectors.xportcn.channels.base import Created, Warehouse
from connectors.xportcn.channels.lines import oldest_first
from connectors.xportcn.channels.listing import (
    PAGE_SIZE,
    Page,
    first_hits,
    list_since,
    order_page,
    require_filter,
    whole_list,
)
from connectors.xportcn.channels.previewing import asked_before, no_quote, require_approved
from connectors.xportcn.channels.references import CLOCK_MARGIN, batches, by_reference, in_every_call
from connectors.xportcn.channels.refusals import PRODUCT_NOT_FOUND, code_of, payment_refusal
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.wire import china_text
from domain.absence import Reading
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, OfferSummary
from domain.orders import OrderLine, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import Place, ServiceOrder, TrackingEvent

ORDER_LIST = international.ORDER_LIST.operation
MOST_IDS = 50
CHINA_BY_PHONE = "86"


class InternationalChannel:
    """Implements `Channel` (see `channels.base`). Only what is priced in CNY is bought."""

    marketplace: Marketplace = Marketplace.INTERNATIONAL

    places = frozenset({Place.REFERENCE})

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def search(self, words: str, *, limit: int = 10) -> list[OfferSummary]:
        async def turn(page_no: int) -> Page[OfferSummary]:
            request = international.SearchRequest(keyword=words, index=page_no - 1, size=min(limit, PAGE_SIZE))
            page = await self._client.read(international.SEARCH, request)
            return Page([reading.summary(hit) for hit in page.result_data], page.result_total)

        return await first_hits(turn, limit)

    async def offer(self, item_id: str) -> Offer | None:
        product = await self._product(item_id)
        return reading.offer(product) if product else None

    async def _product(self, item_id: str) -> international.Product | None:
        try:
            return await self._client.read(international.DETAIL, international.DetailRequest(product_id=item_id))
        except Refused as refused:
            if refused.code == PRODUCT_NOT_FOUND:
                return None
            raise

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        """The cheapest carrier's total. Of several lines each one's price is looked up: freight tells their sum."""
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
        """Take a carrier out of a fresh freight quote, compare with `approved`, which nobody else does, and create."""
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
        try:
            answer = await self._client.effect(international.PAY, request, claim=claim)
        except Refused as refused:
            raise payment_refusal(refused) from refused
        reading.settle_payment(answer)

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        batched = [[*batch, *controls] for batch in batches(references, MOST_IDS - len(controls))]
        lists = await concurrently(batched, self._with_references)
        wanted = {*references, *in_every_call(lists, controls)}
        return Reading(found=by_reference((order for orders in lists for order in orders), wanted, since))

    async def _with_references(self, references: list[str]) -> list[ServiceOrder]:
        orders = await whole_list(lambda page_no: self._page(page_no, references=references), ORDER_LIST)
        require_filter(ORDER_LIST, "channelReferIds", (order.reference for order in orders), references)
        return orders

    async def list_orders(self, *, since: datetime) -> list[ServiceOrder]:
        return await list_since(lambda page_no: self._page_since(page_no, since), since, ORDER_LIST)

    async def _page_since(self, page_no: int, since: datetime) -> Page[ServiceOrder]:
        request = international.OrderListRequest(
            start_page=page_no, page_size=PAGE_SIZE, create_date_start=china_text(since - CLOCK_MARGIN)
        )
        answer = await self._client.read(international.ORDER_LIST, request)
        return order_page(answer.order_list, answer.total_count, reading.any_order)

    async def read(self, order_ids: Sequence[str]) -> dict[str, ServiceOrder]:
        lists = await concurrently(batches(order_ids, MOST_IDS), self._with_ids)
        return {order.order_id: order for orders in lists for order in orders}

    async def _with_ids(self, order_ids: list[str]) -> list[ServiceOrder]:
        orders = await whole_list(lambda page_no: self._page(page_no, order_ids=order_ids), ORDER_LIST)
        require_filter(ORDER_LIST, "tradeIds", (order.order_id for order in orders), order_ids)
        return orders

    async def _page(
        self, page_no: int, *, references: Sequence[str] = (), order_ids: Sequence[str] = ()
    ) -> Page[ServiceOrder]:
        answer = await self._list(page_no, references, order_ids)
        return order_page(answer.order_list, answer.total_count, reading.service_order)

    async def _list(self, page_no: int, references: Sequence[str], order_ids: Sequence[str]) -> international.OrderList:
        request = international.OrderListRequest(
            start_page=page_no,
            page_size=PAGE_SIZE,
            channel_refer_ids=tuple(references) or None,
            trade_ids=tuple(order_ids) or None,
        )
        return await self._client.read(international.ORDER_LIST, request)

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        """The events stand in the order itself, so it is read anew."""
        answer = await self._list(1, (), (order.order_id,))
        shown = [one for one in answer.order_list if one.trade_id == order.order_id]
        return oldest_first(event for one in shown for event in reading.events(one))


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
