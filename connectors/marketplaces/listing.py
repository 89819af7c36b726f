"""Reading the service's lists page by page, to an empty page: a list's own count
neither ends nor proves a reading.

A list that is not whole proves nothing about what is missing from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from connectors.concurrently import concurrently
from connectors.marketplaces.lines import oldest_first
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Refused
from connectors.xportcn.models import FittingRows
from connectors.xportcn.operations.operation import Operation
from domain.absence import EVER, ZONES_APART, Misread, Reading
from domain.service_orders import ReferenceField, ServiceOrder, TrackingEvent
from domain.witnessed import FLAWS, Lack
from domain.wording import shorten

# The service's clock and ours may differ: an order counts as created after `since` from
# this much earlier on.
CLOCK_MARGIN = timedelta(minutes=10)

PAGE_SIZE = 50
FIRST_PAGE = 1
MOST_PAGES = 2_000
Read = TypeVar("Read")
Row = TypeVar("Row")


def is_since(order: ServiceOrder | Misread, since: datetime) -> bool:
    """Whether an order was created after `since`, with a margin for the clocks; an
    order without a time counts.
    """
    return order.created_at is None or order.created_at >= since - CLOCK_MARGIN


def by_reference(
    orders: Iterable[ServiceOrder], references: Iterable[str], since: datetime
) -> dict[str, list[ServiceOrder]]:
    """The orders that carry one of the references exactly, in either field, created
    after `since`.
    """
    wanted = set(references)
    found: dict[str, list[ServiceOrder]] = {}
    for order in orders:
        name = next((name for name in order.names if name in wanted), None)
        if name is not None and is_since(order, since):
            found.setdefault(name, []).append(order)
    return found


def in_every_call(
    calls: Sequence[Sequence[ServiceOrder]], controls: Sequence[str]
) -> set[str]:
    """The controls that every one of these calls showed."""
    shown = [{name for order in orders for name in order.names} for orders in calls]
    return {control for control in controls if all(control in names for names in shown)}


def batches(ids: Sequence[str], size: int) -> list[list[str]]:
    """Distinct ids in lists of at most `size`."""
    distinct = list(dict.fromkeys(ids))
    return [distinct[start : start + size] for start in range(0, len(distinct), size)]


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page, the list's own count of all rows, and the rows of this page that do not
    fit the contract.

    A list with a misfit may show that an order exists, but proves of no order that it
    does not, unless that row is another's.
    """

    rows: Sequence[ServiceOrder]
    total: int
    misread: Sequence[Misread] = ()


def order_page(
    rows: FittingRows[Read], total: int, read: Callable[[Read], ServiceOrder]
) -> OrderPage:
    """A page of orders in the terms of the domain; a row without an id is dropped,
    since it can be no order of ours.
    """
    orders = [read(row) for row in rows]
    named = [order for order in orders if order.order_id]
    nameless = [Misread(field="id")] * (len(orders) - len(named))
    return OrderPage(named, total, [*rows.misfits, *nameless])


OrderTurn = Callable[[int, int], Awaitable[OrderPage]]
"""Reads the page of a number, counted from 1, of so many rows."""


@dataclass(slots=True)
class Walk:
    """A reading of a list in pages of `size`: the rows of each page, and whether it
    came to an empty page.

    `rows` are of the last page. `is_short`: an earlier page showed fewer rows than
    asked for, so that rows may be missing between two pages. `is_early`: it ended since
    everything searched for was found.
    """

    size: int
    rows: int = 0
    pages: list[list[ServiceOrder]] = field(default_factory=list)
    seen: dict[str, ServiceOrder] = field(default_factory=dict)
    total: int = 0
    misread: list[Misread] = field(default_factory=list)
    ended: bool = False
    is_short: bool = False
    is_early: bool = False

    def add(self, page: OrderPage) -> bool:
        """Add a page; answers whether it had new rows."""
        news = {
            order.order_id: order
            for order in page.rows
            if order.order_id not in self.seen
        }
        self.total = max(self.total, page.total)
        told = {row.order_id for row in self.misread if row.order_id}
        unread = [row for row in page.misread if row.order_id not in told]
        self.misread += unread
        self.seen |= news
        if news:
            self.pages.append(list(news.values()))
        return bool(news) or any(row.order_id for row in unread)

    @property
    def orders(self) -> list[ServiceOrder]:
        return list(self.seen.values())

    @property
    def lacks(self) -> Lack | None:
        """Why orders that the list does not show may exist all the same."""
        is_whole = self.is_early or not (
            self.is_short or self.total > len(self.seen) + len(self.misread)
        )
        return (
            (Lack.READABLE_ROWS if self.misread else None)
            if is_whole
            else Lack.WHOLE_LIST
        )

    @property
    def unbroken(self) -> bool:
        """Whether every order created between two shown orders would stand between
        them.
        """
        return self.ended or _is_sorted(self.orders)

    @property
    def covers(self) -> datetime | None:
        """The time since which all created orders would stand on the first page; None
        where that is not certain.
        """
        if self.ended and len(self.pages) <= 1:
            return EVER
        first = self.pages[0]
        rest = [order for page in self.pages[1:] for order in page]
        times = _times(first)
        later = _times(rest)
        if (
            times is None
            or later is None
            or not (rest or _is_sorted(first, newest_first=True))
        ):
            return None
        return min(times) if max(later, default=EVER) <= min(times) else None


def _times(orders: Iterable[ServiceOrder]) -> list[datetime] | None:
    times = [order.created_at for order in orders]
    known = [at for at in times if at is not None]
    return known if len(known) == len(times) else None


def _is_sorted(orders: Sequence[ServiceOrder], *, newest_first: bool = False) -> bool:
    """Whether orders are sorted by creation; oldest first counts as well, unless
    `newest_first`.
    """
    times = _times(orders)
    if times is None:
        return False
    falls = all(before >= after for before, after in pairwise(times))
    return (
        (falls and times[0] > times[-1])
        if newest_first
        else falls or times == sorted(times)
    )


async def walk(
    turn: OrderTurn, is_enough: Callable[[Walk], bool] = lambda _done: False
) -> Walk:
    """Read page by page, to a page without new rows, or until it `is_enough`.

    Where the first page shows fewer rows than asked for, further pages are asked for in
    that size: a service that counts in pages of the asked size would skip rows.
    """
    done = Walk(size=PAGE_SIZE, rows=PAGE_SIZE)
    for page_no in range(FIRST_PAGE, FIRST_PAGE + MOST_PAGES):
        page = await turn(page_no, done.size)
        before = done.rows
        done.rows = len({order.order_id for order in page.rows}) + len(page.misread)
        done.ended = not done.rows
        if not done.add(page):
            return done
        done.is_short |= before < done.size
        done.is_early = is_enough(done)
        if done.is_early:
            return done
        if page_no == FIRST_PAGE:
            done.size = min(done.rows, PAGE_SIZE)
    raise _endless()


def _endless() -> ContractMismatch:
    return ContractMismatch(
        f"the list does not end: {MOST_PAGES:,} pages, each with rows of its own",
        field="data",
    )


async def each_once(
    turn: Callable[[int], Awaitable[Sequence[Row]]], id_of: Callable[[Row], str]
) -> list[Row]:
    """The rows of a list, to a page that brings nothing new."""
    found: dict[str, Row] = {}
    for page_no in range(FIRST_PAGE, FIRST_PAGE + MOST_PAGES):
        before = len(found)
        found |= {id_of(row): row for row in await turn(page_no)}
        if len(found) == before:
            return list(found.values())
    raise _endless()


async def read_list(
    turn: OrderTurn, since: datetime, references: Sequence[str] = ()
) -> Reading:
    """All orders of a list created after `since`, also when it ignores its filter or
    its sorting.

    A search for `references` ends early once all are found *and* the orders, newest
    first, get older than `since`: an order further down could carry a reference a
    second time.
    """
    head = await _head(turn)

    def is_enough(done: Walk) -> bool:
        found = by_reference(done.seen.values(), references, since)
        is_older = not all(is_since(order, since) for order in done.pages[-1])
        return is_older and bool(references) and set(references) <= set(found)

    done = await walk(turn, is_enough)
    orders = (
        done.orders
        if done.is_early
        else [order for order in done.orders if is_since(order, since)]
    )
    hides_its_head = (
        not done.is_early
        and head is not None
        and not {one.order_id for one in head} <= done.seen.keys()
    )
    is_of_its_young_end = head is not None and (
        done.ended or done.is_early or _is_newest(head, done.orders)
    )
    misread = [row for row in done.misread if is_since(row, since - ZONES_APART)]
    lacks = None if done.lacks is Lack.READABLE_ROWS and not misread else done.lacks
    return Reading(
        found=by_reference(orders, references, since),
        listed=orders,
        lacks=Lack.WHOLE_LIST if hides_its_head else lacks,
        misread=misread,
        ended=done.ended,
        covers=done.covers if is_of_its_young_end else None,
        unbroken=done.unbroken,
    )


async def _head(turn: OrderTurn) -> Sequence[ServiceOrder] | None:
    """The newest order, by a page of one. A list that counts pages from 0 shows its
    second, and hides a page when read.

    None where the service refuses so small a page, or the newest order does not fit the
    contract.
    """
    try:
        return (await turn(FIRST_PAGE, 1)).rows
    except (Refused, ContractMismatch):
        return None


def _is_newest(head: Sequence[ServiceOrder], orders: Sequence[ServiceOrder]) -> bool:
    """Whether `head` is the newest: else a page that comes again and again may be the
    oldest, in reverse order.
    """
    times = _times(orders)
    return (
        times is not None
        and len(head) == 1
        and head[0].created_at == max(times, default=None)
    )


async def with_ids(
    turn: OrderTurn, order_ids: Sequence[str], operation: Operation
) -> list[ServiceOrder]:
    """The orders of these ids, in a list that may show others too.

    Raises `ContractMismatch` when one is missing from a list that was not read to its
    end.
    """
    wanted = set(order_ids)
    done = await walk(turn, lambda so_far: wanted <= so_far.seen.keys())
    lacks = done.lacks or (None if done.ended else Lack.EMPTY_PAGE)
    if lacks is Lack.READABLE_ROWS and not any(
        row.order_id in {"", *wanted} for row in done.misread
    ):
        lacks = None if done.ended else Lack.EMPTY_PAGE
    if lacks and not wanted <= done.seen.keys():
        rows = shorten(list(map(str, done.misread)))
        words = (
            f"{FLAWS[lacks]}{rows and f' ({rows})'}: what it does not show may be there"
        )
        raise ContractMismatch(words, operation=operation.name, field="data")
    return [order for order in done.orders if order.order_id in wanted]


MOST_IDS = 50


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """A page of an order list, from 1, of `size` rows: orders created since then, or
    with these references or ids.
    """

    page_no: int
    size: int
    since: datetime | None = None
    references: Sequence[str] = ()
    order_ids: Sequence[str] = ()


class FilteredOrders(ABC):
    """Half of a `Channel` (see `marketplaces.protocol`). A call takes `most_references`
    references.
    """

    places = frozenset({ReferenceField.REFERENCE})
    order_list: Operation
    most_references = MOST_IDS

    def __init__(self, client: XportcnClient) -> None:
        self._client = client

    async def find(
        self,
        references: Sequence[str],
        *,
        since: datetime,
        controls: Sequence[str] = (),
    ) -> Reading:
        """Find orders. Controls go along with the references, or in calls of the same
        form at the same moment.
        """
        walks = await concurrently(
            self._questions(references, controls), self._with_references
        )
        shown = {order.order_id: order for done in walks for order in done.orders}
        lacks = {one.lacks for one in walks}
        answered = (
            controls
            if self.most_references == 1
            else in_every_call([one.orders for one in walks], controls)
        )
        return Reading(
            found=by_reference(shown.values(), {*references, *answered}, since),
            listed=list(shown.values()),
            lacks=next(
                (
                    flaw
                    for flaw in (Lack.WHOLE_LIST, Lack.READABLE_ROWS)
                    if flaw in lacks
                ),
                None,
            ),
            misread=[row for done in walks for row in done.misread],
            covers=EVER if all(done.ended or done.is_early for done in walks) else None,
            unbroken=all(done.unbroken or done.is_early for done in walks),
        )

    def _questions(
        self, references: Sequence[str], controls: Sequence[str]
    ) -> list[list[str]]:
        if self.most_references == 1:
            return batches([*references, *controls], 1)
        return [
            [*batch, *controls]
            for batch in batches(references, self.most_references - len(controls))
        ]

    async def _with_references(self, references: list[str]) -> Walk:
        def all_found(done: Walk) -> bool:
            """A full page may be followed by further parts of an order that was
            split.
            """
            return done.rows < done.size and set(references) <= {
                name for one in done.orders for name in one.names
            }

        return await walk(
            lambda page_no, size: self._page(
                OrderQuery(page_no, size, references=references)
            ),
            all_found,
        )

    async def list_orders(self, *, since: datetime) -> Reading:
        return await read_list(
            lambda page_no, size: self._page(
                OrderQuery(page_no, size, since=since - CLOCK_MARGIN)
            ),
            since,
        )

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        """The scans that the order itself has."""
        return oldest_first(order.scans)

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        """Read from the list in any case, which takes fifty ids a call."""
        lists = await concurrently(batches(order_ids, MOST_IDS), self._with_ids)
        return {order.order_id: order for orders in lists for order in orders}

    async def _with_ids(self, order_ids: list[str]) -> list[ServiceOrder]:
        return await with_ids(
            lambda page_no, size: self._page(
                OrderQuery(page_no, size, order_ids=order_ids)
            ),
            order_ids,
            self.order_list,
        )

    @abstractmethod
    async def _page(self, asked: OrderQuery) -> OrderPage:
        """A page of the order list."""
