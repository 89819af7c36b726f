"""Reading the service's lists page by page; a list that is not whole proves nothing about what is missing from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Generic, TypeVar

from connectors.xportcn.channels.matching import by_reference, is_since
from connectors.xportcn.errors import ContractMismatch
from connectors.xportcn.operations import Operation
from domain.offers import OfferSummary
from domain.service_orders import ServiceOrder

PAGE_SIZE = 50
FIRST_PAGE = 1

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page, and how many rows the whole list counts."""

    rows: Sequence[Row]
    told: int


Turn = Callable[[int], Awaitable[Page[Row]]]
"""Reads the page of a number, counted from 1."""


async def first_hits(turn: Turn[OfferSummary], limit: int) -> list[OfferSummary]:
    """The first `limit` hits of a search."""
    found: list[OfferSummary] = []
    for page_no in count(FIRST_PAGE):
        page = await turn(page_no)
        found += page.rows
        if not page.rows or len(found) >= min(limit, page.told):
            break
    return found[:limit]


async def whole_list(turn: Turn[ServiceOrder], operation: Operation) -> list[ServiceOrder]:
    """All orders of a list, each once. Raises `ContractMismatch` when it shows fewer than it counts."""
    seen: dict[str, ServiceOrder] = {}
    told = 0
    async for page in _pages(turn):
        told = told or page.told
        seen.update((order.order_id, order) for order in page.rows)
    _require_all(len(seen), told, operation)
    return list(seen.values())


async def list_since(turn: Turn[ServiceOrder], since: datetime, operation: Operation) -> list[ServiceOrder]:
    """All orders of a list created after `since`, also when it does not keep to its filter or its order."""
    return [order for order in await whole_list(turn, operation) if is_since(order, since)]


async def find_in_list(
    turn: Turn[ServiceOrder], references: Sequence[str], since: datetime, operation: Operation
) -> dict[str, list[ServiceOrder]]:
    """Look through a list, newest first, that can't be asked for a reference.

    It ends early only once all are found *and* the orders get older than `since`: an order further down could
    carry a reference a second time.
    """
    seen: dict[str, ServiceOrder] = {}
    told = 0
    async for page in _pages(turn):
        told = told or page.told
        seen.update((order.order_id, order) for order in page.rows)
        found = by_reference(seen.values(), references, since)
        if set(references) <= set(found) and not all(is_since(order, since) for order in page.rows):
            return found
    _require_all(len(seen), told, operation)
    return by_reference(seen.values(), references, since)


async def _pages(turn: Turn[ServiceOrder]) -> AsyncIterator[Page[ServiceOrder]]:
    passed = 0
    for page_no in count(FIRST_PAGE):
        page = await turn(page_no)
        yield page
        passed += len(page.rows)
        if not page.rows or passed >= page.told > 0:
            return


def require_filter(operation: Operation, field: str, answered: Iterable[str], asked: Iterable[str]) -> None:
    """Raises `ContractMismatch` when a list shows what was not asked for: then it did not honour the question."""
    if not set(answered) <= set(asked):
        raise ContractMismatch(f"the list does not keep to the filter `{field}`", operation=operation.name, field=field)


def _require_all(seen: int, told: int, operation: Operation) -> None:
    if seen < told:
        words = f"the list counts {told} orders and shows {seen}"
        raise ContractMismatch(words, operation=operation.name, field="totalRecords")
