"""bigMajor, the KA twin of 1688: a preview before every create, a service fee, orders found by the buyer's message."""

from __future__ import annotations

from datetime import datetime

from connectors.marketplaces.alibaba_1688 import reading as alibaba_1688_reading
from connectors.marketplaces.alibaba_1688.browser import AlibabaBrowser
from connectors.marketplaces.alibaba_1688.twins import AlibabaChannel, address, cargo
from connectors.marketplaces.big_major import reading
from connectors.marketplaces.listing import CLOCK_MARGIN, OrderPage, order_page
from connectors.marketplaces.protocol import Created, Warehouse
from connectors.marketplaces.refusals import (
    ORDER_NOT_FOUND,
    asked_before,
    code_of,
    no_quote,
    payment_answer,
    require_approved,
    unless_missing,
    without_own_id,
)
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import big_major
from connectors.xportcn.wire import china_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import SourcingOrder
from domain.quotes import Quote
from domain.service_orders import ReferenceField, ServiceOrder, TrackingEvent


class BigMajorChannel(AlibabaChannel):
    """Implements `Channel` (see `marketplaces.protocol`). Products and traces have 1688's answers."""

    marketplace = Marketplace.BIG_MAJOR
    product_detail = big_major.DETAIL
    order_list = big_major.ORDER_PAGE

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = big_major.PreviewRequest(address_param=address(warehouse), cargo_param_list=cargo(order.lines))
        try:
            previewed = await self._client.read(big_major.PREVIEW, request)
        except Refused as refused:
            return no_quote(alibaba_1688_reading.problem(refused.code, refused.message))
        return reading.quote(previewed, order.lines)

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        """Preview, as the service demands, compare with `approved`, which the service does not check, and create."""
        quote = await asked_before(big_major.CREATE, self.quote(order, warehouse))
        require_approved(big_major.CREATE, quote, approved)
        request = big_major.CreateRequest(
            message=order.order_ref,
            out_order_id=order.order_ref if ReferenceField.OWN_ID in self.places else None,
            address_param=address(warehouse),
            cargo_param_list=cargo(order.lines),
        )
        try:
            answer = await self._client.effect(big_major.CREATE, request, claim=claim)
        except Refused as refused:
            refused = without_own_id(refused)
            problem = alibaba_1688_reading.problem(refused.code, refused.message)
            raise refused.explained(code=code_of(refused), problems=(problem,)) from refused
        return reading.created(answer, order.lines)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = big_major.OrderRequest(order_id=order_id)
        answer = await payment_answer(self._client.effect(big_major.PAY, request, claim=claim))
        reading.settle_payment(answer, order_id)

    async def _page(self, page_no: int, since: datetime | None, size: int) -> OrderPage:
        request = big_major.OrderPageRequest(
            page_no=page_no, page_size=size, create_time_start=china_text(since - CLOCK_MARGIN) if since else None
        )
        page = await self._client.read(big_major.ORDER_PAGE, request)
        return order_page(page.data, page.total_records, reading.service_order)

    async def _order(self, order_id: str) -> ServiceOrder | None:
        detail = self._client.read(big_major.ORDER_DETAIL, big_major.OrderRequest(order_id=order_id))
        order = await unless_missing(detail, ORDER_NOT_FOUND)
        return reading.service_order(order) if order else None

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        request = big_major.OrderRequest(order_id=order.order_id)
        return await alibaba_1688_reading.traced(self._client.read(big_major.LOGISTICS, request))


class BigMajorBrowser(AlibabaBrowser):
    """Implements `Browser` (see `marketplaces.browsing`)."""

    marketplace = Marketplace.BIG_MAJOR
    product_search = big_major.SEARCH
