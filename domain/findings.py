"""What a reconciliation compares, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.states import OrderState

NOTHING = Money(0)

OrderId = tuple[Marketplace, str]


class FindingKind(StrEnum):
    """How ledger and service differ, the most costly first."""

    SEVERAL_ORDERS = "several_orders"  # more than one live order under one reference
    ORPHAN = "orphan"  # a live or paid order that the ledger doesn't know
    WALLET_DIFFERS = "wallet_differs"  # the wallet's statement is not the sum of the orders' payments
    PAYMENT_MISSING = "payment_missing"  # paid in the ledger, unpaid or closed unpaid at the service
    UNRECORDED_PAYMENT = "unrecorded_payment"  # paid at the service, no payment in the ledger
    PAYMENT_DROPPED = "payment_dropped"  # accepted by the service once, plainly unpaid there now
    AMOUNT_DIFFERS = "amount_differs"
    UNKNOWN_REFUND = "unknown_refund"  # of an order of ours at the service, not asked by this ledger
    MISSING = "missing"  # ordered in the ledger, not to be found at the service
    STATE_DIFFERS = "state_differs"  # over on one side, alive on the other
    SHIPMENT_MISSING = "shipment_missing"  # booked in the ledger, no shipment on the order
    SHIPMENT_DIFFERS = "shipment_differs"
    OPEN_QUESTION = "open_question"  # an effect whose outcome is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEffect:
    """An effect without an outcome.

    Until `clear_at` (UTC) it may still arrive, and a later read may settle it; None where no read does. `asked` is what
    a person has to find out, with the commands that show it; empty for what needs no person.
    """

    action: Action
    reason: str
    clear_at: datetime | None
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOrder:
    """What the ledger knows of one order, as far as the service can confirm it. Times are UTC.

    `payment_clear_at` is when an accepted payment must show at last. An order that another run has `in_hand` changes
    meanwhile: it makes no finding.
    """

    order_ref: str
    marketplace: Marketplace
    state: OrderState
    order_id: str = ""
    ordered_at: datetime | None = None
    total: Money | None = None
    paid: Money | None = None
    paid_at: datetime | None = None
    refunded: Money = NOTHING
    shipment_order_id: str = ""
    tracking_numbers: tuple[str, ...] = ()
    payment_clear_at: datetime | None = None
    open_effects: tuple[OpenEffect, ...] = ()
    in_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrder:
    """A person's statement that an order of the account is not this ledger's, and its cost at that time."""

    marketplace: Marketplace
    order_id: str
    amount: Money
    by: str
    at: datetime

    @property
    def identity(self) -> OrderId:
        return self.marketplace, self.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference, with the `remedy` for a person.

    `order_ref` is empty for an order without a reference, `order_id` for one without an id.
    """

    kind: FindingKind
    expected: str
    seen: str
    remedy: str
    marketplace: Marketplace | None = None
    order_ref: str = ""
    order_id: str = ""
    expected_amount: Money | None = None
    seen_amount: Money | None = None

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What a later run recognises the finding by."""
        return self.kind, self.marketplace or "", self.order_ref, self.order_id
