"""1688: orders without an idempotency key, found again by the buyer's message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import count

from connectors.xportcn.api import alibaba_order, alibaba_product
from connectors.xportcn.channels import alibaba_1688_answers as answers
from connectors.xportcn.channels.base import Created, Warehouse
from connectors.xportcn.channels.matching import CLOCK_MARGIN, by_reference, is_since, oldest_first
from connectors.xportcn.channels.refusals import ORDER_NOT_FOUND, PRODUCT_NOT_FOUND
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.concurrently import concurrently
from connectors.xportcn.errors import ContractMismatch, Refused
from connectors.xportcn.wire import china_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, OfferSummary
from domain.orders import OrderLine, SourcingOrder
from domain.quotes import LineProblem, Quote
from domain.service_orders import ServiceOrder, TrackingEvent

PAGE_SIZE = 50


class Alibaba1688Channel:
    """Implements `Channel` (see `channels.base`)."""

    marketplace: Marketplace = Marketplace.ALIBABA_1688

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def search(self, words: str, *, limit: int = 10) -> list[OfferSummary]:
        found: list[OfferSummary] = []
        page_no = 1
        while len(found) < limit:
            request = alibaba_product.SearchRequest(keyword=words, begin_page=page_no, page_size=min(limit, PAGE_SIZE))
            page = await self._client.read(alibaba_product.SEARCH, request)
            found += [answers.summary(hit) for hit in page.data]
            if not page.data or len(found) >= page.total_records:
                break
            page_no += 1
        return found[:limit]

    async def offer(self, item_id: str) -> Offer | None:
        try:
            request = alibaba_product.DetailRequest(offer_id=item_id)
            return answers.offer(await self._client.read(alibaba_product.DETAIL, request))
        except Refused as refused:
            if refused.code == PRODUCT_NOT_FOUND:
                return None
            raise

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = alibaba_order.PreviewRequest(address_param=_address(warehouse), cargo_param_list=_cargo(order.lines))
        try:
            preview = await self._client.read(alibaba_order.PREVIEW, request)
        except Refused as refused:
            return Quote(goods=Money(0), postage=Money(0), total=Money(0), problems=(_problem(refused),))
        return answers.quote(preview, order.lines)

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        """Create the order. 1688 knows no limit: `approved` is not checked by the service."""
        request = alibaba_order.CreateRequest(
            message=order.order_ref, address_param=_address(warehouse), cargo_param_list=_cargo(order.lines)
        )
        try:
            answer = await self._client.effect(alibaba_order.CREATE, request, claim=claim)
        except Refused as refused:
            raise refused.explained(code=refused.code, problems=(_problem(refused),)) from refused
        return answers.created(answer, order.lines)

    async def pay(self, claim: Claim, order_id: str) -> None:
        request = alibaba_order.PayRequest(order_id=order_id)
        try:
            answer = await self._client.effect(alibaba_order.PAY, request, claim=claim)
        except Refused as refused:
            raise refused.explained(code=answers.pay_code(refused.code, refused.message)) from refused
        answers.settle_payment(answer, order_id)

    async def find(self, references: Sequence[str], *, since: datetime) -> dict[str, list[ServiceOrder]]:
        """Look through the order list, newest first: 1688 can't be asked for a message.

        It ends early only once all are found *and* the orders get older than `since`: an order further down could
        carry a reference a second time.
        """
        seen: dict[str, ServiceOrder] = {}
        told = 0
        async for page in self._pages(since):
            told = told or page.total_record
            orders = [answers.service_order(order) for order in page.result]
            seen.update((order.order_id, order) for order in orders)
            found = by_reference(seen.values(), references, since)
            if set(references) <= set(found) and not all(is_since(order, since) for order in orders):
                return found
        _require_all_pages(len(seen), told)
        return by_reference(seen.values(), references, since)

    async def _pages(self, since: datetime) -> AsyncIterator[alibaba_order.OrderPage]:
        passed = 0
        for page_no in count(1):
            page = await self._page(page_no, since)
            yield page
            passed += len(page.result)
            if not page.result or passed >= page.total_record > 0:
                return

    async def _page(self, page_no: int, since: datetime) -> alibaba_order.OrderPage:
        request = alibaba_order.OrderPageRequest(
            page=page_no, page_size=PAGE_SIZE, create_start_time=china_text(since - CLOCK_MARGIN)
        )
        return await self._client.read(alibaba_order.ORDER_PAGE, request)

    async def read(self, order_ids: Sequence[str]) -> dict[str, ServiceOrder]:
        orders = await concurrently(self._order, dict.fromkeys(order_ids))
        return {order.order_id: order for order in orders if order is not None}

    async def _order(self, order_id: str) -> ServiceOrder | None:
        try:
            request = alibaba_order.OrderDetailRequest(order_id=order_id)
            return answers.service_order(await self._client.read(alibaba_order.ORDER_DETAIL, request))
        except Refused as refused:
            if refused.code == ORDER_NOT_FOUND:
                return None
            raise

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        request = alibaba_order.LogisticsRequest(order_id=order.order_id)
        return oldest_first(answers.events(await self._client.read(alibaba_order.LOGISTICS, request)))


def _require_all_pages(seen: int, told: int) -> None:
    """A list that did not show all it counted proves nothing about what is missing from it."""
    if seen < told:
        name = alibaba_order.ORDER_PAGE.operation.name
        raise ContractMismatch(f"the list counts {told} orders and shows {seen}", operation=name, field="totalRecord")


def _problem(refused: Refused) -> LineProblem:
    return LineProblem(problem=answers.problem_of(refused.code, refused.message), message=refused.message)


def _address(warehouse: Warehouse) -> alibaba_order.AddressParam:
    return alibaba_order.AddressParam(
        full_name=warehouse.name,
        mobile=warehouse.phone,
        phone=warehouse.phone,
        post_code=warehouse.zip,
        province_text=warehouse.province,
        city_text=warehouse.city,
        area_text=warehouse.district,
        town_text="",
        address=warehouse.address,
    )


def _cargo(lines: tuple[OrderLine, ...]) -> tuple[alibaba_order.Cargo, ...]:
    return tuple(
        alibaba_order.Cargo(offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity) for line in lines
    )
