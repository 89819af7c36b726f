"""The protocol of a marketplace's after-sale: cancellations, refunds and returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from connectors.xportcn.errors import Refused, UnknownRefundState
from connectors.xportcn.operations import Operation
from domain.after_sale import RefundAmount, RefundKind, RefundOption, RefundState, ServiceRefund
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine


class Ability(StrEnum):
    """Calls that only some marketplaces offer."""

    MODIFY = "modify"
    WITHDRAW = "withdraw"
    MESSAGE = "message"
    UPLOAD = "upload"  # vouchers are files; elsewhere they are links
    RECEIVE = "receive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The scope of one refund: lines of ours, their ids at the service, and their refunds so far."""

    lines: tuple[int, ...]
    entry_ids: tuple[str, ...]
    refund_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """A request for a refund. `goods` and `reason_id` are of a `RefundOption`; vouchers are links."""

    order_id: str
    entry_ids: tuple[str, ...]
    kind: RefundKind
    goods: str
    reason_id: int
    amount: RefundAmount
    description: str
    vouchers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A logistics company that takes return parcels."""

    code: str
    name: str


class AfterSale(Protocol):
    """One marketplace's cancellations and refunds.

    Effects take the ledger's claim, are sent once, and raise like `Channel`'s. `settles_in` is how long an accepted
    cancellation may take to show, `closes_after` the age from which an order may be cancelled.
    """

    marketplace: Marketplace
    abilities: frozenset[Ability]
    settles_in: timedelta
    closes_after: timedelta

    async def cancel(self, claim: Claim, order_id: str, reason: str) -> None:
        """Cancel an unpaid order. Returns when the service accepts; the order's status shows when it is closed."""

    async def targets(self, order_id: str, lines: Sequence[OrderLine], wanted: Collection[int]) -> tuple[Target, ...]:
        """The refunds that cover these line numbers: one a line, or one for all, as the marketplace has it."""

    async def options(self, order_id: str, target: Target, kind: RefundKind) -> tuple[RefundOption, ...]:
        """The reasons that the service takes now, with the amounts that go with them; empty when it takes none."""

    async def upload(self, picture: bytes) -> str:
        """Store a JPG as voucher; answers its link. It is not visible until a refund names it."""

    async def ask(self, claim: Claim, request: RefundRequest) -> str:
        """Ask for a refund; answers its id."""

    async def modify(self, claim: Claim, refund_id: str, request: RefundRequest) -> None:
        """Modify an asked or refused refund, with other words or another amount."""

    async def withdraw(self, claim: Claim, refund_id: str) -> None:
        """Take a refund back."""

    async def carriers(self, refund_id: str) -> tuple[Carrier, ...]:
        """The carriers for the parcel of an agreed return."""

    async def send_back(
        self, claim: Claim, refund_id: str, *, carrier: str, number: str, note: str, vouchers: tuple[str, ...]
    ) -> None:
        """Name the parcel that brings the goods back."""

    async def send_message(self, claim: Claim, refund_id: str, words: str, vouchers: tuple[str, ...]) -> None:
        """Write to the seller about a refund."""

    async def read(self, refund_id: str) -> ServiceRefund:
        """The current refund with its history, oldest first."""

    async def receive(self, claim: Claim, order_id: str) -> None:
        """Confirm that the goods arrived, which ends the seller's part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRefund:
    """A row of a list of refunds, with the service's word for its state."""

    refund_id: str
    order_id: str
    amount: Money
    word: str


@runtime_checkable
class ListsRefunds(Protocol):
    """After-sale of a marketplace that lists the refunds of an account, whichever program asked for them."""

    async def list_refunds(self, *, since: datetime) -> list[ListedRefund]:
        """The refunds asked for since then."""


FAILED = "退款失败"
OF_THE_CONSOLE = {
    **dict.fromkeys(["待客服处理", "待商家审核", "待卖家审核"], RefundState.ASKED),
    **dict.fromkeys(["待商家收货", "待卖家收货"], RefundState.RETURNED),
    **dict.fromkeys(["待财务退款", "待财务审核", "待财务处理", "待退款"], RefundState.AGREED),
    FAILED: RefundState.REFUSED,
}
"""The service's own words for a refund, as its console has them (assumed); none for money that came back."""


def failed(word: str) -> str:
    """Why a refund was refused that the seller did not refuse: the service failed to give the money back."""
    return "the service failed to refund it: ask its support" if word == FAILED else ""


def refund_state(word: str, known: Mapping[str, RefundState], call: Operation) -> RefundState:
    """Raises `UnknownRefundState` for a word without a meaning here."""
    if (state := known.get(word) or OF_THE_CONSOLE.get(word)) is None:
        raise UnknownRefundState(f"refund status {word} is not known", operation=call.name, code=word)
    return state


def not_offered(marketplace: Marketplace, what: str) -> Refused:
    """The error of a call that the marketplace does not have."""
    return Refused(f"{marketplace} has no call to {what}; do it in the marketplace's own console")
