"""1688: orders without an idempotency key, found again by the buyer's
message.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.alibaba_1688.browser import (
    AlibabaChannel,
    address,
    cargo,
)
from connectors.marketplaces.listing import (
    CLOCK_MARGIN,
    OrderPage,
    order_page,
)
from connectors.marketplaces.protocol import (
    Created,
    Warehouse,
)
from connectors.marketplaces.refusals import (
    ORDER_NOT_FOUND,
    naming_problem,
    no_quote,
    unless_missing,
)
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import alibaba_batch, alibaba_order, alibaba_product
from connectors.xportcn.wire import china_text, compact_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Quote
from domain.orders import SourcingOrder
from domain.service_orders import ReferenceField, ServiceOrder, TrackingEvent


class Alibaba1688Channel(AlibabaChannel):
    """Implements `Channel` (see `marketplaces.protocol`)."""

    marketplace = Marketplace.ALIBABA_1688
    product_detail = alibaba_product.DETAIL
    order_list = alibaba_order.ORDER_PAGE

    def __init__(self, client: XportcnClient) -> None:
        super().__init__(client)

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = alibaba_order.PreviewRequest(
            address_param=address(warehouse), cargo_param_list=cargo(order.lines)
        )
        try:
            preview = await self._client.read(alibaba_order.PREVIEW, request)
        except Refused as refused:
            return no_quote(
                reading.problem(refused.code, refused.message), refused.code
            )
        return reading.quote(preview, order.lines)

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        """Create the order. 1688 knows no limit: `approved` is not checked by the
        service.
        """
        request = alibaba_order.CreateRequest(
            flow=order.flow or alibaba_order.FLOW,
            trade_type=order.trade_type or None,
            message=order.order_ref,
            out_order_id=order.order_ref
            if ReferenceField.OWN_ID in self.places
            else None,
            address_param=address(warehouse),
            cargo_param_list=cargo(order.lines),
        )
        with naming_problem(reading.problem):
            answer = await self._client.effect(
                alibaba_order.CREATE, request, claim=claim
            )
        return reading.created(answer, order.lines)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = alibaba_batch.PayRequest(order_ids=(order_id,))
        try:
            answer = await self._client.effect(alibaba_batch.PAY, request, claim=claim)
        except Refused as refused:
            raise replace(
                refused, code=reading.pay_code(refused.code, refused.message)
            ) from refused
        reading.require_paid(answer, order_id)

    async def _page(self, page_no: int, since: datetime | None, size: int) -> OrderPage:
        """A page of orders created since then. Raises `Refused` with the setting that
        may answer it where the filter is refused.
        """
        is_compact = self._client.settings.compact_times
        as_text = compact_text if is_compact else china_text
        created_since = as_text(since - CLOCK_MARGIN) if since else None
        request = alibaba_order.OrderPageRequest(
            page=page_no, page_size=size, create_start_time=created_since
        )
        try:
            page = await self._client.read(alibaba_order.ORDER_PAGE, request)
        except Refused as refused:
            hint = "if times are the matter, change XPORTCN_COMPACT_TIMES"
            raise replace(refused, message=f"{refused.message}: {hint}") from refused
        return order_page(page.result, page.total_records, reading.service_order)

    async def _order(self, order_id: str) -> ServiceOrder | None:
        request = alibaba_order.OrderDetailRequest(order_id=order_id)
        order = await unless_missing(
            self._client.read(alibaba_order.ORDER_DETAIL, request), ORDER_NOT_FOUND
        )
        return reading.service_order(order) if order else None

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        request = alibaba_order.OrderRequest(order_id=order.order_id)
        return await reading.traced(self._client.read(alibaba_order.LOGISTICS, request))
