"""The common half of the 1688 and bigMajor channels: products, and an order list that must be searched page by page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.marketplaces.alibaba_1688 import reading
from connectors.marketplaces.listing import (
    FIRST_PAGE,
    MOST_PAGES,
    PAGE_SIZE,
    OrderPage,
    find_in_list,
    whole_list,
)
from connectors.marketplaces.protocol import Warehouse
from connectors.marketplaces.refusals import PRODUCT_NOT_FOUND, unless_missing
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ServiceAway, XportcnError
from connectors.xportcn.operations import Operation, ReadCall, alibaba_batch, alibaba_order
from connectors.xportcn.operations.alibaba_product import DetailRequest, Product
from domain.absence import Reading
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.orders import OrderLine
from domain.service_orders import ReferenceField, ServiceOrder

WORTH_A_PAGE = 3
"""The least number of orders that is read from a page of the list, instead of one by one."""


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
        alibaba_order.Cargo(offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity) for line in lines
    )


def seller_cargo(lines: Iterable[OrderLine], seller_id: str) -> tuple[alibaba_batch.SellerCargo, ...]:
    return tuple(
        alibaba_batch.SellerCargo(
            offer_id=line.item_id, spec_id=line.spec_id, quantity=line.quantity, seller_open_id=seller_id
        )
        for line in lines
    )


class AlibabaChannel(ABC):
    """Half of a `Channel` (see `marketplaces.protocol`): like operations of the twins, each with its own calls."""

    marketplace: Marketplace
    product_detail: ReadCall[DetailRequest, Product]
    order_list: Operation

    def __init__(self, client: XportcnClient) -> None:
        self._client = client
        own_id = {ReferenceField.OWN_ID} if client.settings.out_order_id else set()
        self.places = frozenset({ReferenceField.REFERENCE} | own_id)

    async def offer(self, item_id: str) -> Offer | None:
        detail = self._client.read(self.product_detail, DetailRequest(offer_id=item_id))
        product = await unless_missing(detail, PRODUCT_NOT_FOUND)
        return reading.offer(product, self.marketplace) if product else None

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        """Search the order list, which has no filter by reference."""
        wanted = [*references, *controls]
        return await find_in_list(lambda page_no, size: self._page(page_no, since, size), wanted, since)

    async def list_orders(self, *, since: datetime) -> Reading:
        return await whole_list(lambda page_no, size: self._page(page_no, since, size), since)

    async def read(self, order_ids: Sequence[str], *, may_lag: bool = False) -> dict[str, ServiceOrder]:
        """The orders, by one call each; where answers may lag, several are read from the list's first pages."""
        ids = list(dict.fromkeys(order_ids))
        listed = await self._from_list(ids) if may_lag and len(ids) >= WORTH_A_PAGE else {}
        orders = await concurrently([one for one in ids if one not in listed], self._order)
        return listed | {order.order_id: order for order in orders if order is not None}

    async def _from_list(self, order_ids: Sequence[str]) -> dict[str, ServiceOrder]:
        """Orders that the list shows, as long as each page saves calls; an order listed twice on a page is left out."""
        shown: dict[str, ServiceOrder] = {}
        size = min(PAGE_SIZE, 4 * len(order_ids))
        for page_no in range(FIRST_PAGE, FIRST_PAGE + MOST_PAGES):
            try:
                page = await self._page(page_no, None, size)
            except ServiceAway:
                raise
            except XportcnError:  # each order is read alone next, which shows the error
                break
            times = Counter(order.order_id for order in page.rows)
            new = {order.order_id: order for order in page.rows if times[order.order_id] == 1} | shown
            shown, before = {one: new[one] for one in order_ids if one in new}, len(shown)
            is_last = len(page.rows) < size or len(shown) == len(order_ids)
            if is_last or len(shown) - before < WORTH_A_PAGE:
                break
        return shown

    @abstractmethod
    async def _page(self, page_no: int, since: datetime | None, size: int) -> OrderPage:
        """A page of the order list, newest first; of orders created after `since`."""

    @abstractmethod
    async def _order(self, order_id: str) -> ServiceOrder | None:
        """The current order; None when there is none."""
