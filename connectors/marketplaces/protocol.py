"""The protocols that marketplaces implement, so that flows depend on no single one: buying, and a shopping cart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from connectors.xportcn.errors import Refused, Unanswered
from domain.absence import Reading
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Quote
from domain.orders import CartRow, OrderLine, SourcingOrder
from domain.service_orders import ReferenceField, ServiceOrder, TrackingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """The address in China that sellers send to."""

    name: str
    phone: str
    province: str
    city: str
    district: str
    address: str
    zip: str = ""

    def __str__(self) -> str:
        """`一号仓, 广东省 深圳市 宝安区 福永街道1号`."""
        return f"{self.name}, {' '.join(filter(None, (self.province, self.city, self.district, self.address)))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The answer to a create: the order ids (several when the service split the order) and their total cost."""

    order_ids: tuple[str, ...]
    total: Money


class Channel(Protocol):
    """One marketplace of the service.

    Reads may be repeated and are retried inside. The effects `create` and `pay` are sent exactly once per call, take
    the ledger's claim, and raise by what the caller may do next: `Refused`, `Unanswered` (may have happened),
    `NotSent` (has not happened), `Misconfigured` (see `connectors.xportcn.errors`).
    """

    marketplace: Marketplace
    places: frozenset[ReferenceField]
    """The fields in which `create` puts our reference."""

    async def offer(self, item_id: str) -> Offer | None:
        """The product with its variants and the ids that ordering needs; None when there is none."""

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        """Preview an order. Lines that can't be bought are in the quote's `problems`, not an exception."""

    async def create(self, claim: Claim, order: SourcingOrder, warehouse: Warehouse, *, approved: Money) -> Created:
        """Create the order under our reference `order_ref`, for at most `approved` where the service checks that."""

    async def pay(self, claim: Claim, order_id: str) -> None:
        """Pay one order from the account's balance. Returns when the service confirms the payment, done or to come."""

    async def find(self, references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()) -> Reading:
        """Orders that carry our references, created after `since` (UTC), all parts of a split order.

        The answer has only the references found. `controls` are references of other orders of ours, searched in the
        same way: a control is in the answer only if every call shows it, and so proves all of them.
        """

    async def read(self, order_ids: Sequence[str], *, may_lag: bool = False) -> dict[str, ServiceOrder]:
        """The current orders of these ids; unknown ids are missing from the answer.

        `may_lag` allows readings of an order list, which may be some moments old, with fewer calls: enough for lasting
        facts, such as a payment. Never before an effect.
        """

    async def list_orders(self, *, since: datetime) -> Reading:
        """The account's orders created after `since` (UTC), foreign orders too, in any currency: `listed`."""

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        """All events of all parcels of one order, domestic and international, oldest first."""


PayOutcome = Refused | Unanswered | None
"""The outcome of an order in a payment request: paid or soon to be (None), refused, or unanswered."""


@runtime_checkable
class PaysMany(Protocol):
    """A channel that can also pay several orders with one request."""

    pay_batch_size: int

    async def pay_many(self, claims: Sequence[Claim], order_ids: Sequence[str]) -> dict[str, PayOutcome]:
        """Pay at most `pay_batch_size` orders; answers the outcome of each, by order id.

        `claims` are those of all these orders; a split order has one for several ids. An exception (`Unanswered`,
        `NotSent`, `Misconfigured`) is about the whole request.
        """


@runtime_checkable
class QuotesMany(Protocol):
    """A channel that can also preview orders of several sellers with one request."""

    async def quote_many(self, orders: Sequence[SourcingOrder], warehouse: Warehouse) -> dict[str, Quote]:
        """The quote of each order, by `order_ref`, in fewer calls than orders where that is possible."""


class Cart(Protocol):
    """One marketplace's cart: the account has one, shared by all its users.

    The effects `add` and `create` take the ledger's claim, are sent once, and raise like `Channel`'s. `set_quantity`
    and `delete` may be repeated: they set an absolute state.
    """

    marketplace: Marketplace

    async def rows(self) -> tuple[CartRow, ...]:
        """All rows of the cart, also those that can't be bought any more."""

    async def add(self, claim: Claim, line: OrderLine, offer: Offer) -> str:
        """Put a line into the cart; answers the row's id. A SKU that lies there already gets more pieces."""

    async def delete(self, row_ids: Sequence[str]) -> None:
        """Take rows out; unknown ids are ignored."""

    async def set_quantity(self, row_id: str, quantity: int) -> None:
        """Change how many pieces a row holds."""

    async def quote(self, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse) -> Quote:
        """Preview ordering these rows, which hold the lines of `order`."""

    async def create(self, claim: Claim, order: SourcingOrder, row_ids: Sequence[str], warehouse: Warehouse) -> Created:
        """Order these rows; they leave the cart. No limit is checked by the service."""

    async def find(self, order: SourcingOrder, row_ids: Sequence[str], *, since: datetime) -> list[ServiceOrder]:
        """Orders that may have been made of these rows since then; none only while a row still lies in the cart.

        Raises `RowsAreGone` when neither rows nor orders show: rows in the cart are the only proof that they were not
        ordered.
        """


class RowsAreGone(Unanswered):
    """The rows have left the cart, and no order of theirs shows: a person has to find out."""
