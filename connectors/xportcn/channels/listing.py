"""Reading the service's lists page by page; a list that is not whole proves nothing about what is missing from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Generic, TypeVar

from connectors.xportcn.channels.references import by_reference, is_since
from connectors.xportcn.errors import ContractMismatch
from connectors.xportcn.operations import Operation
from connectors.xportcn.rows import Rows
from domain.absence import EVER, Reading
from domain.offers import OfferSummary
from domain.service_orders import ServiceOrder
from domain.witnessed import Lack

PAGE_SIZE = 50
FIRST_PAGE = 1

MOST_PAGES = 2_000

Row = TypeVar("Row")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page, how many rows the whole list counts, and how many of this page do not fit the contract.

    A list with a misfit may show that an order is there, and proves of none that it is not (see `rows.Rows`).
    """

    rows: Sequence[Row]
    told: int
    misfits: int = 0


def order_page(rows: Rows[Read], told: int, read: Callable[[Read], ServiceOrder]) -> Page[ServiceOrder]:
    """A page of orders as the domain knows them; one without an id is no order that could be meant."""
    orders = [read(row) for row in rows]
    named = [order for order in orders if order.order_id]
    return Page(named, told, len(rows.misfits) + len(orders) - len(named))


Turn = Callable[[int], Awaitable[Page[Row]]]
"""Reads the page of a number, counted from 1."""


async def first_hits(turn: Turn[OfferSummary], limit: int) -> list[OfferSummary]:
    """The first `limit` hits of a search, each once; a page that brings nothing new is the last."""
    found: dict[str, OfferSummary] = {}
    for page_no in count(FIRST_PAGE):
        page = await turn(page_no)
        before = len(found)
        found |= {hit.item_id: hit for hit in page.rows if hit.item_id not in found}
        if len(found) == before or len(found) >= min(limit, page.told):
            break
    return list(found.values())[:limit]


async def whole_list(turn: Turn[ServiceOrder], operation: Operation) -> list[ServiceOrder]:
    """All orders of a list, each once. Raises `ContractMismatch` when it shows fewer than it counts."""
    seen: dict[str, ServiceOrder] = {}
    told = misfits = 0
    async for page in _pages(turn):
        told = told or page.told
        misfits += page.misfits
        seen.update((order.order_id, order) for order in page.rows)
    _require_all(len(seen), told, misfits, operation)
    return list(seen.values())


async def list_since(turn: Turn[ServiceOrder], since: datetime, operation: Operation) -> list[ServiceOrder]:
    """All orders of a list created after `since`, also when it does not keep to its filter or its order."""
    return [order for order in await whole_list(turn, operation) if is_since(order, since)]


async def find_in_list(
    turn: Turn[ServiceOrder], references: Sequence[str], since: datetime, operation: Operation
) -> Reading:
    """Look through a list, newest first, that can't be asked for a reference.

    It ends early only once all are found *and* the orders get older than `since`: an order further down could
    carry a reference a second time.
    """
    seen: dict[str, ServiceOrder] = {}
    told = misfits = 0
    async for page in _pages(turn):
        told = told or page.told
        misfits += page.misfits
        seen.update((order.order_id, order) for order in page.rows)
        found = by_reference(seen.values(), references, since)
        if set(references) <= set(found) and not all(is_since(order, since) for order in page.rows):
            return Reading(found=found, listed=list(seen.values()), lacks=_lacks(misfits))
    _require_all(len(seen) + misfits, told, 0, operation)
    orders = [order for order in seen.values() if is_since(order, since)]
    found = by_reference(orders, references, since)
    return Reading(found=found, listed=orders, lacks=_lacks(misfits), ended=True, covers=EVER, unbroken=True)


def _lacks(misfits: int) -> Lack | None:
    return Lack.READABLE_ROWS if misfits else None


async def _pages(turn: Turn[ServiceOrder]) -> AsyncIterator[Page[ServiceOrder]]:
    """Page by page until all are there, or one brings nothing new: a list that turns for ever is not read for ever."""
    passed = 0
    seen: set[str] = set()
    for page_no in range(FIRST_PAGE, FIRST_PAGE + MOST_PAGES):
        page = await turn(page_no)
        yield page
        passed += len(page.rows) + page.misfits
        news = {order.order_id for order in page.rows} - seen
        seen |= news
        if not news or passed >= page.told > 0:
            return
    raise ContractMismatch(f"the list does not end: {MOST_PAGES:,} pages, each with orders of its own", field="data")


def require_filter(operation: Operation, field: str, answered: Iterable[str], asked: Iterable[str]) -> None:
    """Raises `ContractMismatch` when a list shows what was not asked for: then it did not honour the question."""
    if not set(answered) <= set(asked):
        raise ContractMismatch(f"the list does not keep to the filter `{field}`", operation=operation.name, field=field)


def require_whole(operation: Operation, rows: Rows[Read]) -> None:
    """Raises `ContractMismatch` when some of the rows did not fit: those asked for may be among them."""
    _require_all(0, 0, len(rows.misfits), operation)


def _require_all(seen: int, told: int, misfits: int, operation: Operation) -> None:
    if misfits:
        words = f"{misfits} entries of the list do not fit the contract: what it does not show may be among them"
        raise ContractMismatch(words, operation=operation.name, field="data")
    if seen < told:
        words = f"the list counts {told} orders and shows {seen}"
        raise ContractMismatch(words, operation=operation.name, field="totalRecords")
