"""What channels share whose order list can be asked for several references or ids of ours at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.xportcn.channels.listing import Page, list_since, require_filter, whole_list
from connectors.xportcn.channels.references import batches, by_reference, in_every_call
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.operations import Operation
from domain.absence import EVER, Reading
from domain.service_orders import Place, ServiceOrder

MOST_IDS = 50


class FilteredOrders(ABC):
    """Half of a `Channel` (see `channels.base`); `reference_filter` and `id_filter` are the list's names for them."""

    places = frozenset({Place.REFERENCE})
    order_list: Operation
    reference_filter: str
    id_filter: str

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        batched = [[*batch, *controls] for batch in batches(references, MOST_IDS - len(controls))]
        lists = await concurrently(batched, self._with_references)
        wanted = {*references, *in_every_call(lists, controls)}
        return Reading(
            found=by_reference((order for orders in lists for order in orders), wanted, since),
            covers=EVER,
            unbroken=True,
        )

    async def _with_references(self, references: list[str]) -> list[ServiceOrder]:
        orders = await whole_list(lambda page_no: self._page(page_no, references=references), self.order_list)
        require_filter(self.order_list, self.reference_filter, (order.reference for order in orders), references)
        return orders

    async def list_orders(self, *, since: datetime) -> list[ServiceOrder]:
        return await list_since(lambda page_no: self._page_since(page_no, since), since, self.order_list)

    async def read(self, order_ids: Sequence[str], *, may_lag: bool = False) -> dict[str, ServiceOrder]:
        """From the list in any case: it can be asked for ids, fifty with a call."""
        lists = await concurrently(batches(order_ids, MOST_IDS), self._with_ids)
        return {order.order_id: order for orders in lists for order in orders}

    async def _with_ids(self, order_ids: list[str]) -> list[ServiceOrder]:
        orders = await whole_list(lambda page_no: self._page(page_no, order_ids=order_ids), self.order_list)
        require_filter(self.order_list, self.id_filter, (order.order_id for order in orders), order_ids)
        return orders

    @abstractmethod
    async def _page(
        self, page_no: int, *, references: Sequence[str] = (), order_ids: Sequence[str] = ()
    ) -> Page[ServiceOrder]:
        """A page of the orders with these references or ids."""

    @abstractmethod
    async def _page_since(self, page_no: int, since: datetime) -> Page[ServiceOrder]:
        """A page of the orders created after `since`."""
