"""What 1688 and bigMajor have in common, products and order lists, and how both are
searched.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from connectors.concurrently import concurrently
from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.browsing import (
    ROOT,
    Browser,
    Image,
    not_offered,
    refuse_filters,
)
from connectors.marketplaces.listing import (
    FIRST_PAGE,
    MOST_PAGES,
    PAGE_SIZE,
    OrderPage,
    read_list,
)
from connectors.marketplaces.protocol import Warehouse
from connectors.marketplaces.refusals import (
    ORDER_NOT_FOUND,
    PRODUCT_NOT_FOUND,
    naming_problem,
    no_quote,
    unless_missing,
)
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Refused, ServiceAway, XportcnError
from connectors.xportcn.models import PageOf
from connectors.xportcn.operations import alibaba_order, alibaba_product
from connectors.xportcn.operations.alibaba_product import DetailRequest, Product
from connectors.xportcn.operations.operation import EffectCall, Operation, ReadCall
from domain.absence import Reading
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Category, Filters, Hits, Offer, Quote, Sort
from domain.orders import OrderLine, SourcingOrder
from domain.service_orders import ReferenceField, ServiceOrder, TrackingEvent

DIRECTIONS = {Sort.PRICE_UP: "asc", Sort.PRICE_DOWN: "desc"}


def paged(filters: Filters) -> dict[str, Any]:
    """Page, sorting and bounds of the price in the service's form; by its own ranking
    unless asked otherwise.
    """
    direction = DIRECTIONS.get(filters.sort)
    return {
        "begin_page": filters.page,
        "page_size": filters.page_size,
        "sort": direction and json.dumps({"price": direction}),
        "price_start": yuan(filters.min_price),
        "price_end": yuan(filters.max_price),
    }


def yuan(price: Money | None) -> str | None:
    """A bound of the price in the service's form."""
    return None if price is None else f"{price.major:.2f}"


def hits(marketplace: Marketplace, page: PageOf[alibaba_product.SearchHit]) -> Hits:
    """A page of either marketplace."""
    return Hits(
        total=page.total_records,
        offers=tuple(reading.summary(hit, marketplace) for hit in page.data),
    )


class AlibabaBrowser(Browser):
    """Words, categories and the tree, by a `product_search` of one form."""

    lists_everything = False
    product_search: ReadCall[
        alibaba_product.SearchRequest, PageOf[alibaba_product.SearchHit]
    ]

    async def by_words(self, words: str, filters: Filters) -> Hits:
        request = alibaba_product.SearchRequest(
            keyword=words, category_id=filters.category_id or None, **paged(filters)
        )
        return hits(
            self.marketplace, await self._client.read(self.product_search, request)
        )

    async def listing(self, filters: Filters) -> Hits:
        if not filters.category_id:
            raise not_offered(
                self.marketplace,
                "list of everything",
                "list its root categories one by one",
            )
        return await self.by_words("", filters)

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        """The categories right below a category, alike on both marketplaces."""
        request = alibaba_product.CategoryRequest(category_id=parent_id)
        return [
            Category(
                category_id=category.category_id,
                name=category.name,
                level=category.level or 1,
                is_leaf=category.is_leaf,
            )
            for category in await self._client.read(alibaba_product.CATEGORY, request)
        ]


class Alibaba1688Browser(AlibabaBrowser):
    marketplace = Marketplace.ALIBABA_1688
    product_search = alibaba_product.SEARCH

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        request = alibaba_product.ImageSearchRequest(
            image_base64=image.base64,
            image_address=image.url,
            category_id=filters.category_id or None,
            **paged(filters),
        )
        return hits(
            self.marketplace,
            await self._client.read(alibaba_product.IMAGE_SEARCH, request),
        )

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        refuse_filters(
            self.marketplace, "a shop's offers", filters, offers="sort price"
        )
        request = alibaba_product.ShopSearchRequest(
            seller_open_id=shop_id, **paged(filters)
        )
        return hits(
            self.marketplace,
            await self._client.read(alibaba_product.SHOP_SEARCH, request),
        )


WORTH_A_PAGE = 3
"""The least number of orders that is read from a page of the list, instead of one by
one.
"""


def address(warehouse: Warehouse) -> alibaba_order.AddressParam:
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


def cargo(lines: Iterable[OrderLine]) -> tuple[alibaba_order.Cargo, ...]:
    return tuple(
        alibaba_order.Cargo(
            offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity
        )
        for line in lines
    )


class AlibabaChannel(ABC):
    """Half of a `Channel` (see `marketplaces.protocol`): like operations of the twins,
    each with its own calls.
    """

    marketplace: Marketplace
    product_detail: ReadCall[DetailRequest, Product]
    preview: ReadCall[Any, Any]
    creation: EffectCall[Any, Any]
    order_list: Operation
    order_detail: ReadCall[Any, Any]
    logistics: ReadCall[alibaba_order.OrderRequest, alibaba_order.Logistics]
    read_quote: Callable[[Any, tuple[OrderLine, ...]], Quote]
    read_order: Callable[[Any], ServiceOrder]

    def __init__(self, client: XportcnClient) -> None:
        self._client = client
        own_id = {ReferenceField.OWN_ID} if client.settings.out_order_id else set()
        self.places = frozenset({ReferenceField.REFERENCE} | own_id)

    async def offer(self, item_id: str) -> Offer | None:
        detail = self._client.read(self.product_detail, DetailRequest(offer_id=item_id))
        product = await unless_missing(detail, PRODUCT_NOT_FOUND)
        return reading.offer(product, self.marketplace) if product else None

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        request = self.preview.request(
            address_param=address(warehouse), cargo_param_list=cargo(order.lines)
        )
        try:
            preview = await self._client.read(self.preview, request)
        except Refused as refused:
            return no_quote(
                reading.problem(refused.code, refused.message), refused.code
            )
        return self.read_quote(preview, order.lines)

    async def _create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        quote: Quote | SourcingOrder,
    ) -> Any:
        """The answer to a create by the flow and trade type of a preview."""
        own_id = order.order_ref if ReferenceField.OWN_ID in self.places else None
        request = self.creation.request(
            **({"flow": quote.flow} if quote.flow else {}),
            trade_type=quote.trade_type or None,
            message=order.order_ref,
            out_order_id=own_id,
            address_param=address(warehouse),
            cargo_param_list=cargo(order.lines),
        )
        with naming_problem(reading.problem):
            return await self._client.effect(self.creation, request, claim=claim)

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        request = alibaba_order.OrderRequest(order_id=order.order_id)
        return await reading.traced(self._client.read(self.logistics, request))

    async def find(
        self,
        references: Sequence[str],
        *,
        since: datetime,
        controls: Sequence[str] = (),
    ) -> Reading:
        """Search the order list, which has no filter by reference."""
        wanted = [*references, *controls]
        return await read_list(
            lambda page_no, size: self._page(page_no, since, size), since, wanted
        )

    async def list_orders(self, *, since: datetime) -> Reading:
        return await read_list(
            lambda page_no, size: self._page(page_no, since, size), since
        )

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        """The orders, by one call each; where answers may lag, several are read from
        the list's first pages.
        """
        ids = list(dict.fromkeys(order_ids))
        listed = (
            await self._from_list(ids) if may_lag and len(ids) >= WORTH_A_PAGE else {}
        )
        orders = await concurrently(
            [order_id for order_id in ids if order_id not in listed], self._order
        )
        return listed | {order.order_id: order for order in orders if order is not None}

    async def _from_list(self, order_ids: Sequence[str]) -> dict[str, ServiceOrder]:
        """Orders that the list shows, as long as each page saves calls; an order listed
        twice on a page is left out.
        """
        service_orders: dict[str, ServiceOrder] = {}
        size = min(PAGE_SIZE, 4 * len(order_ids))
        for page_no in range(FIRST_PAGE, FIRST_PAGE + MOST_PAGES):
            try:
                page = await self._page(page_no, None, size)
            except ServiceAway:
                raise
            except XportcnError:  # each order is read alone next, which shows the error
                break
            times = Counter(order.order_id for order in page.rows)
            new = {
                order.order_id: order
                for order in page.rows
                if times[order.order_id] == 1
            } | service_orders
            service_orders, before = (
                {order_id: new[order_id] for order_id in order_ids if order_id in new},
                len(service_orders),
            )
            is_last = len(page.rows) < size or len(service_orders) == len(order_ids)
            if is_last or len(service_orders) - before < WORTH_A_PAGE:
                break
        return service_orders

    @abstractmethod
    async def _page(self, page_no: int, since: datetime | None, size: int) -> OrderPage:
        """A page of the order list, newest first; of orders created after `since`."""

    async def _order(self, order_id: str) -> ServiceOrder | None:
        """The current order; None when there is none."""
        request = self.order_detail.request(order_id=order_id)
        detail = self._client.read(self.order_detail, request)
        order = await unless_missing(detail, ORDER_NOT_FOUND)
        return self.read_order(order) if order else None
