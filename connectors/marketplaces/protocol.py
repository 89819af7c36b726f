"""The protocols that marketplaces implement, so that flows depend on no single one:
buying, after-sale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from connectors.xportcn.errors import (
    ContractMismatch,
    UnknownRefundState,
)
from connectors.xportcn.operations.operation import Operation
from domain.absence import Reading
from domain.after_sale import (
    Refund,
    RefundKind,
    RefundOption,
    RefundState,
    ReturnedParcel,
    ServiceRefund,
)
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Quote
from domain.orders import OrderLine, SourcingOrder
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
    """The answer to a create: the order ids (several when the service split the order)
    and their total cost.
    """

    order_ids: tuple[str, ...]
    total: Money


class Channel(Protocol):
    """One marketplace of the service.

    Reads may be repeated and are retried inside. The effects `create` and `pay` are
    sent exactly once per call, take the ledger's claim, and raise by what the caller
    may do next: `Refused`, `Unanswered` (may have happened), `NotSent` (has not
    happened), `Misconfigured` (see `connectors.xportcn.errors`).
    """

    marketplace: Marketplace
    places: frozenset[ReferenceField]
    """The fields in which `create` puts our reference."""

    async def offer(self, item_id: str) -> Offer | None:
        """The product with its variants and the ids that ordering needs; None when
        there is none.
        """

    async def quote(self, order: SourcingOrder, warehouse: Warehouse) -> Quote:
        """Preview an order. Lines that can't be bought are in the quote's `problems`,
        not an exception.
        """

    async def create(
        self,
        claim: Claim,
        order: SourcingOrder,
        warehouse: Warehouse,
        *,
        approved: Money,
    ) -> Created:
        """Create the order under our reference `order_ref`, for at most `approved`
        where the service checks that.
        """

    async def pay(self, claim: Claim, order_id: str) -> None:
        """Pay one order from the account's balance. Returns when the service confirms
        the payment, done or to come.
        """

    async def find(
        self,
        references: Sequence[str],
        *,
        since: datetime,
        controls: Sequence[str] = (),
    ) -> Reading:
        """Orders that carry our references, created after `since` (UTC), all parts of a
        split order.

        The answer has only the references found. `controls` are references of other
        orders of ours, searched in the same way: a control is in the answer only if
        every call shows it, and so proves all of them.
        """

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        """The current orders of these ids; unknown ids are missing from the answer.

        `may_lag` allows readings of an order list, which may be some moments old, with
        fewer calls: enough for lasting facts, such as a payment. Never before an
        effect.
        """

    async def list_orders(self, *, since: datetime) -> Reading:
        """The account's orders created after `since` (UTC), foreign orders too, in any
        currency: `listed`.
        """

    async def trace(self, order: ServiceOrder) -> list[TrackingEvent]:
        """All events of all parcels of one order, domestic and international, oldest
        first.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The scope of one refund: lines of ours, their ids at the service, and their
    refunds so far.
    """

    lines: tuple[int, ...]
    entry_ids: tuple[str, ...]
    refund_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A logistics company that takes return parcels."""

    code: str
    name: str


class AfterSale(Protocol):
    """One marketplace's cancellations and refunds; implementations derive from it.

    An answer about another order or refund than was asked for raises
    `ContractMismatch`. Effects take the ledger's claim, are
    sent once, and raise like `Channel`'s. `settles_in` is how long an accepted
    cancellation may take to show, `closes_after` the age from which an order may be
    cancelled.
    """

    marketplace: Marketplace
    settles_in: timedelta
    closes_after: timedelta

    async def cancel(self, claim: Claim, order_id: str, reason: str) -> None:
        """Cancel an unpaid order. Returns when the service accepts; the order's status
        shows when it is closed.
        """

    async def targets(
        self, order_id: str, lines: Sequence[OrderLine], wanted: Collection[int]
    ) -> tuple[Target, ...]:
        """The refunds that cover these line numbers: one a line, or one for all, as the
        marketplace has it.
        """

    async def options(
        self, order_id: str, target: Target, kind: RefundKind
    ) -> tuple[RefundOption, ...]:
        """The reasons that the service takes now, with the amounts that go with them;
        empty when it takes none.
        """

    async def ask(self, claim: Claim, refund: Refund) -> str:
        """Ask for a refund; answers its id."""

    async def carriers(self, refund_id: str) -> tuple[Carrier, ...]:
        """The carriers for the parcel of an agreed return."""

    async def send_back(
        self, claim: Claim, refund_id: str, parcel: ReturnedParcel
    ) -> None:
        """Name the parcel that brings the goods back."""

    async def read(self, refund_id: str) -> ServiceRefund:
        """The current refund."""


@runtime_checkable
class StoresPictures(Protocol):
    """After-sale of a marketplace where vouchers are files; elsewhere they are
    links.
    """

    async def upload(self, picture: bytes) -> str:
        """Store a JPG as voucher; answers its link. It is not visible until a refund
        names it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRefund:
    """A row of a list of refunds, with the service's word for its state."""

    refund_id: str
    order_id: str
    amount: Money
    word: str


@runtime_checkable
class ListsRefunds(Protocol):
    """After-sale of a marketplace that lists the refunds of an account, whichever
    program asked for them.
    """

    async def list_refunds(self, *, since: datetime) -> list[ListedRefund]:
        """The refunds asked for since then."""


FAILED = "退款失败"
OF_THE_CONSOLE = {
    **dict.fromkeys(["待客服处理", "待商家审核", "待卖家审核"], RefundState.ASKED),
    **dict.fromkeys(["待商家收货", "待卖家收货"], RefundState.RETURNED),
    **dict.fromkeys(
        ["待财务退款", "待财务审核", "待财务处理", "待退款"], RefundState.AGREED
    ),
    FAILED: RefundState.REFUSED,
}
"""The service's own words for a refund, as its console has them (assumed); none for
money that came back.
"""


def failed(word: str) -> str:
    """Why a refund was refused that the seller did not refuse: the service failed to
    give the money back.
    """
    return "the service failed to refund it: ask its support" if word == FAILED else ""


def refund_state(
    word: str, known: Mapping[str, RefundState], call: Operation
) -> RefundState:
    """Raises `UnknownRefundState` for a word without a meaning here."""
    if (state := known.get(word) or OF_THE_CONSOLE.get(word)) is None:
        raise UnknownRefundState(
            f"refund status {word} is not known", operation=call.name, code=word
        )
    return state


def require_same(asked: str, answered: str, call: Operation, field: str) -> None:
    """Raises `ContractMismatch` for an answer that is about another order or refund."""
    if answered != asked:
        words = f"{asked} was asked for, and the answer is about {answered}"
        raise ContractMismatch(words, operation=call.name, field=field)
