"""bigMajor, the KA twin of 1688: previewed before every create, with a service fee, found by the buyer's message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.xportcn.api import alibaba_product, big_major
from connectors.xportcn.channels import alibaba_1688_reading
from connectors.xportcn.channels import big_major_reading as reading
from connectors.xportcn.channels.alibaba_requests import address, cargo
from connectors.xportcn.channels.base import Created, Warehouse
from connectors.xportcn.channels.listing import PAGE_SIZE, Page, find_in_list, first_hits, list_since, order_page
from connectors.xportcn.channels.previewing import asked_before, no_quote, require_approved
from connectors.xportcn.channels.references import CLOCK_MARGIN
from connectors.xportcn.channels.refusals import (
    ORDER_NOT_FOUND,
    PRODUCT_NOT_FOUND,
    code_of,
    payment_refusal,
    without_own_id,
)
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.wire import china_text
from domain.absence import Reading
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, OfferSummary
from domain.orders import SourcingOrder
from domain.quotes import Quote
from domain.service_orders import Place, ServiceOrder, TrackingEvent

ORDER_LIST = big_major.ORDER_PAGE.operation


class BigMajorChannel:
    """Implements `Channel` (see `channels.base`). Products and traces answer as 1688's do."""

    marketplace: Marketplace = Marketplace.BIG_MAJOR

    def __init__(self, client: XportcnClient) -> None:
        self._client = client
        own_id = {Place.OWN_ID} if client.settings.out_order_id else set()
        self.places = frozenset({Place.REFERENCE} | own_id)

    async def search(self, words: str, *, limit: int = 10) -> list[OfferSummary]:
        async def turn(page_no: int) -> Page[OfferSummary]:
            request = alibaba_product.SearchRequest(keyword=words, begin_page=page_no, page_size=min(limit, PAGE_SIZE))
            page = await self._client.read(big_major.SEARCH, request)
            return Page([self._summary(hit) for hit in page.data], page.total_records)

        return await first_hits(turn, limit)

    def _summary(self, hit: alibaba_product.SearchHit) -> OfferSummary:
        return replace(alibaba_1688_reading.summary(hit), marketplace=self.marketplace)

    async def offer(self, item_id: str) -> Offer | None:
        try:
            product = await self._client.read(big_major.DETAIL, alibaba_product.DetailRequest(offer_id=item_id))
        except Refused as refused:
            if refused.code == PRODUCT_NOT_FOUND:
                return None
            raise
        return replace(alibaba_1688_reading.offer(product), marketplace=self.marketplace)

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = big_major.PreviewRequest(address_param=address(warehouse), cargo_param_list=cargo(order.lines))
        try:
            previewed = await self._client.read(big_major.PREVIEW, request)
        except Refused as refused:
            return no_quote(reading.problem(refused.code, refused.message))
        return reading.quote(previewed, order.lines)

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        """Preview, which the service demands, compare with `approved`, which it does not check, and create."""
        quote = await asked_before(big_major.CREATE, self.quote(order, warehouse))
        require_approved(big_major.CREATE, quote, approved)
        request = big_major.CreateRequest(
            message=order.order_ref,
            out_order_id=order.order_ref if Place.OWN_ID in self.places else None,
            address_param=address(warehouse),
            cargo_param_list=cargo(order.lines),
        )
        try:
            answer = await self._client.effect(big_major.CREATE, request, claim=claim)
        except Refused as refused:
            refused = without_own_id(refused)
            problem = reading.problem(refused.code, refused.message)
            raise refused.explained(code=code_of(refused), problems=(problem,)) from refused
        return reading.created(answer, order.lines)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = big_major.OrderRequest(order_id=order_id)
        try:
            answer = await self._client.effect(big_major.PAY, request, claim=claim)
        except Refused as refused:
            raise payment_refusal(refused) from refused
        reading.settle_payment(answer, order_id)

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        """Look through the order list: it can't be asked for a reference."""
        wanted = [*references, *controls]
        return await find_in_list(lambda page_no: self._page(page_no, since), wanted, since, ORDER_LIST)

    async def list_orders(self, *, since: datetime) -> list[ServiceOrder]:
        return await list_since(lambda page_no: self._page(page_no, since), since, ORDER_LIST)

    async def _page(self, page_no: int, since: datetime) -> Page[ServiceOrder]:
        request = big_major.OrderPageRequest(
            page_no=page_no, page_size=PAGE_SIZE, create_time_start=china_text(since - CLOCK_MARGIN)
        )
        page = await self._client.read(big_major.ORDER_PAGE, request)
        return order_page(page.data, page.total_records, reading.service_order)

    async def read(self, order_ids: Sequence[str]) -> dict[str, ServiceOrder]:
        orders = await concurrently(dict.fromkeys(order_ids), self._order)
        return {order.order_id: order for order in orders if order is not None}

    async def _order(self, order_id: str) -> ServiceOrder | None:
        try:
            request = big_major.OrderRequest(order_id=order_id)
            return reading.service_order(await self._client.read(big_major.ORDER_DETAIL, request))
        except Refused as refused:
            if refused.code == ORDER_NOT_FOUND:
                return None
            raise

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        request = big_major.OrderRequest(order_id=order.order_id)
        return await alibaba_1688_reading.traced(self._client.read(big_major.LOGISTICS, request))
