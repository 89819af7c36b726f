"""The protocol of a marketplace's shopping cart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from connectors.marketplaces.protocol import Created, Warehouse
from connectors.xportcn.errors import Unanswered
from connectors.xportcn.operations import ReadCall
from domain.cart import CartRow
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.orders import OrderLine, SourcingOrder
from domain.quotes import Quote
from domain.service_orders import ServiceOrder


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


def require_true(call: ReadCall[Any, bool], *, answered: bool) -> None:
    """Raise `Unanswered` for a `false` where the contract knows only `true`."""
    if not answered:
        raise Unanswered("the answer is false without a reason", operation=call.name)
