"""1688: orders without an idempotency key, found again by the buyer's
message.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.alibaba_1688.browser import (
    AlibabaChannel,
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
from connectors.xportcn.errors import Refused
from connectors.xportcn.operations import alibaba_batch, alibaba_order, alibaba_product
from connectors.xportcn.wire import china_text, compact_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import SourcingOrder


class Alibaba1688Channel(AlibabaChannel):
    """Implements `Channel` (see `marketplaces.protocol`)."""

    marketplace = Marketplace.ALIBABA_1688
    product_detail = alibaba_product.DETAIL
    preview = alibaba_order.PREVIEW
    creation = alibaba_order.CREATE
    order_list = alibaba_order.ORDER_PAGE
    order_detail = alibaba_order.ORDER_DETAIL
    logistics = alibaba_order.LOGISTICS
    read_quote = staticmethod(reading.quote)
    read_order = staticmethod(reading.service_order)

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
        answer = await self._create(claim, order, warehouse, order)
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
        return order_page(page.result, page.total_records, self.read_order)
