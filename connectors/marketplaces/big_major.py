"""bigMajor, the KA twin of 1688: a preview before every create, a service fee, orders
found by the buyer's message.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import cache

from connectors.marketplaces.alibaba_1688.browser import (
    AlibabaBrowser,
    AlibabaChannel,
)
from connectors.marketplaces.alibaba_1688.reading import (
    failed_words,
    not_created,
    parcels,
    problem,
    trade,
)
from connectors.marketplaces.lines import (
    PARTLY_SENT,
    of_lines,
    priced_line,
    quote_of,
    shipments,
    spec_ids,
    status_of,
    unmentioned,
)
from connectors.marketplaces.listing import CLOCK_MARGIN, OrderPage, order_page
from connectors.marketplaces.protocol import Created, Warehouse
from connectors.marketplaces.refusals import (
    asked_before,
    created_orders,
    not_now,
    payment_answer,
    require_approved,
    settle_payment,
)
from connectors.xportcn.operations import alibaba_order, big_major
from connectors.xportcn.wire import china_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import LineProblem, Quote
from domain.orders import OrderLine, SourcingOrder
from domain.service_orders import (
    Goods,
    ServiceOrder,
    ServiceStatus,
)

UNPAID = 1
PAID = 2

STATUSES = {
    "waitingforpayment": ServiceStatus.UNPAID,
    "waitingforsent": ServiceStatus.PAID,
    "waitingforreceive": ServiceStatus.SHIPPED,
    "cancel": ServiceStatus.CLOSED,
}


log = logging.getLogger("sourcing")
ON_CREDIT = (
    "big_major: the preview names no trade type, so the order is created without one, on the assumption that nothing "
    "is bought on credit then (docs/going-live.md, step 5): see in the console how the first order is paid"
)


@cache
def _say_once(message: str) -> None:
    log.warning("%s", message)


def quote(
    previewed: Sequence[big_major.PreviewedOrder],
    lines: tuple[OrderLine, ...],
) -> Quote:
    """The quote of all resulting orders together; the total includes the service's fee
    on each.
    """
    told = of_lines(
        lines,
        spec_ids,
        (
            ((item.offer_id, item.spec_id), item)
            for order in previewed
            for item in order.items
        ),
    )
    priced = tuple(
        priced_line(our, item.amount)
        for our, item in told
        if our and item.amount is not None and not item.message
    )
    problems = tuple(
        _item_problem(our, item)
        for our, item in told
        if item.message or item.amount is None
    )
    amounts = [
        (order.sum_payment_no_carriage, order.sum_carriage, order.sum_total_payment)
        for order in previewed
    ]
    return quote_of(
        big_major.PREVIEW,
        amounts,
        priced,
        problems + unmentioned(lines, told),
        flow=previewed[0].flow_flag if previewed else "",
        **trade(
            previewed[0].trade_mode_name_list if previewed else (),
            may_be_unnamed=True,
        ),
    )


def _item_problem(our: OrderLine | None, item: big_major.PreviewedItem) -> LineProblem:
    code, _, message = item.message.partition(":")
    return problem(
        code.strip(),
        message.strip() or item.message or "it has no price",
        our,
    )


def _created(answer: big_major.CreateAnswer, lines: tuple[OrderLine, ...]) -> Created:
    """The new orders. Raises `Refused` only for a refusal without an order."""
    if answer.success is False and not answer.order_list:
        raise not_created(big_major.CREATE, answer, lines)
    return created_orders(
        big_major.CREATE,
        answer,
        [(order.order_id, order.total_payment) for order in answer.order_list],
        is_success=answer.success,
        failed=failed_words(answer),
    )


def service_order(order: big_major.Order) -> ServiceOrder:
    # One that was cancelled unpaid has a time of payment too (contract 3.3).
    is_paid = order.pay_status == PAID or (
        order.pay_time is not None and order.pay_status != UNPAID
    )
    return ServiceOrder(
        order_id=order.order_id,
        reference=order.message,
        own_id=order.out_order_id,
        status=status_of(order.order_status, STATUSES, is_paid=is_paid),
        state_word=order.order_status,
        total=order.total_payment,
        paid=order.total_payment if is_paid else None,
        created_at=order.created_at,
        paid_at=order.pay_time if is_paid else None,
        close_reason=order.close_reason,
        parcels=parcels(order.logistics_items),
        shipments=shipments(order.international_logistics),
        is_partly_sent=order.order_status in PARTLY_SENT,
        goods=tuple(
            Goods(item_id=it.offer_id, sku_id=it.sku_id, quantity=it.quantity)
            for it in order.order_items
        ),
    )


class BigMajorChannel(AlibabaChannel):
    """Implements `Channel` (see `marketplaces.protocol`). Products and traces have
    1688's answers.
    """

    marketplace = Marketplace.BIG_MAJOR
    product_detail = big_major.DETAIL
    preview = big_major.PREVIEW
    creation = big_major.CREATE
    order_list = big_major.ORDER_PAGE
    order_detail = big_major.ORDER_DETAIL
    logistics = big_major.LOGISTICS
    read_quote = staticmethod(quote)
    read_order = staticmethod(service_order)

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        """Preview, as the service demands, compare with `approved`, which the service
        does not check, and create.
        """
        quote = await asked_before(big_major.CREATE, self.quote(order, warehouse))
        require_approved(big_major.CREATE, quote, approved)
        if quote.hold:
            raise not_now(big_major.CREATE, quote.hold)
        if not quote.trade_type:
            _say_once(ON_CREDIT)
        answer = await self._create(claim, order, warehouse, quote)
        return _created(answer, order.lines)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = alibaba_order.OrderRequest(order_id=order_id)
        answer = await payment_answer(
            self._client.effect(big_major.PAY, request, claim=claim)
        )
        result = answer.pay_success, answer.error_code, answer.error_message
        settle_payment(big_major.PAY, answer, order_id, result, about=answer.order_id)

    async def _page(self, page_no: int, since: datetime | None, size: int) -> OrderPage:
        request = big_major.OrderPageRequest(
            page_no=page_no,
            page_size=size,
            create_time_start=china_text(since - CLOCK_MARGIN) if since else None,
        )
        page = await self._client.read(big_major.ORDER_PAGE, request)
        return order_page(page.data, page.total_records, service_order)


class BigMajorBrowser(AlibabaBrowser):
    marketplace = Marketplace.BIG_MAJOR
    product_search = big_major.SEARCH
