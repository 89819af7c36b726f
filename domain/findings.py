"""Differences between an order of the ledger and the service's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.marketplace import Marketplace
from domain.money import Money
from domain.states import OrderState

UNSETTLED = frozenset(
    {OrderState.ORDERED, OrderState.PAYMENT_PENDING, OrderState.UNKNOWN}
)
OrderId = tuple[Marketplace, str]


class FindingKind(StrEnum):
    """How ledger and service differ, the most costly first."""

    SEVERAL_ORDERS = "several_orders"  # more than one live order under one reference
    ORPHAN = "orphan"  # a live order, or a refund, that the ledger doesn't know
    PAYMENT_DIFFERS = "payment_differs"  # paid, or accepted, on one side alone
    AMOUNT_DIFFERS = "amount_differs"
    MISSING = "missing"  # ordered in the ledger, not to be found at the service
    STATE_DIFFERS = "state_differs"  # over on one side, alive on the other
    SHIPMENT_DIFFERS = "shipment_differs"  # another booking than ours, or none
    OPEN_QUESTION = "open_question"  # an effect whose outcome is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrder:
    """A person's statement that an order of the account is not this ledger's, and its
    cost at that time.
    """

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

    `order_ref` is empty for an order without a reference, `order_id` for one without an
    id.
    """

    kind: FindingKind
    marketplace: Marketplace
    order_ref: str
    order_id: str
    expected: str
    seen: str
    remedy: str
    expected_amount: Money | None = None
    seen_amount: Money | None = None

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What a later run recognises the finding by."""
        return self.kind, self.marketplace, self.order_ref, self.order_id


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The most costly kind first."""
    ranks = [*FindingKind]
    return sorted(
        findings, key=lambda finding: (ranks.index(finding.kind), *finding.identity)
    )
