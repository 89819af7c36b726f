"""The common half of channels whose order list filters by reference or id."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.concurrently import concurrently
from connectors.marketplaces.listing import (
    CLOCK_MARGIN,
    OrderPage,
    Walk,
    batches,
    by_reference,
    in_every_call,
    walk,
    whole_list,
    with_ids,
)
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.operations import Operation
from domain.absence import EVER, Reading
from domain.service_orders import ReferenceField, ServiceOrder

MOST_IDS = 50


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """A page of an order list, from 1, of `size` rows: orders created since then, or with these references or ids."""

    page_no: int
    size: int
    since: datetime | None = None
    references: Sequence[str] = ()
    order_ids: Sequence[str] = ()


class FilteredOrders(ABC):
    """Half of a `Channel` (see `marketplaces.protocol`). A call takes `most_references` references."""

    places = frozenset({ReferenceField.REFERENCE})
    order_list: Operation
    most_references = MOST_IDS

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        """Find orders. Controls go along with the references, or in calls of the same form at the same moment."""
        walks = await concurrently(self._questions(references, controls), self._with_references)
        shown = {order.order_id: order for done in walks for order in done.orders}
        answered = controls if self.most_references == 1 else in_every_call([one.orders for one in walks], controls)
        return Reading(
            found=by_reference(shown.values(), {*references, *answered}, since),
            listed=list(shown.values()),
            lacks=next((done.lacks for done in walks if done.lacks), None),
            covers=EVER if all(done.ended or done.is_early for done in walks) else None,
            unbroken=all(done.unbroken or done.is_early for done in walks),
        )

    def _questions(self, references: Sequence[str], controls: Sequence[str]) -> list[list[str]]:
        if self.most_references == 1:
            return batches([*references, *controls], 1)
        return [[*batch, *controls] for batch in batches(references, self.most_references - len(controls))]

    async def _with_references(self, references: list[str]) -> Walk:
        def all_found(done: Walk) -> bool:
            """A full page may be followed by further parts of an order that was split."""
            return done.rows < done.size and set(references) <= {name for one in done.orders for name in one.names}

        return await walk(lambda page_no, size: self._page(OrderQuery(page_no, size, references=references)), all_found)

    async def list_orders(self, *, since: datetime) -> Reading:
        return await whole_list(
            lambda page_no, size: self._page(OrderQuery(page_no, size, since=since - CLOCK_MARGIN)), since
        )

    async def read(self, order_ids: Sequence[str], *, may_lag: bool = False) -> dict[str, ServiceOrder]:
        """Read from the list in any case, which takes fifty ids a call."""
        lists = await concurrently(batches(order_ids, MOST_IDS), self._with_ids)
        return {order.order_id: order for orders in lists for order in orders}

    async def _with_ids(self, order_ids: list[str]) -> list[ServiceOrder]:
        return await with_ids(
            lambda page_no, size: self._page(OrderQuery(page_no, size, order_ids=order_ids)), order_ids, self.order_list
        )

    @abstractmethod
    async def _page(self, asked: OrderQuery) -> OrderPage:
        """A page of the order list."""
