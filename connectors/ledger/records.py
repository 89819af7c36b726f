"""What the ledger gives out: orders and effects as immutable records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from domain.effects import Action, Claim, EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.states import OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One row of `orders`. Amounts are minor units of `currency` (goods) or `freight_currency`; times are UTC."""

    order_ref: str
    batch_id: str
    marketplace: Marketplace
    state: OrderState
    reason: str
    fingerprint: str
    request: dict[str, Any]
    lines: list[dict[str, Any]]
    offers: list[dict[str, Any]]
    quote: dict[str, Any] | None
    seller_id: str
    approved_minor: int | None
    freight_approved_minor: int | None
    currency: str
    order_id: str | None
    ordered_at: datetime | None
    total_minor: int | None
    paid_minor: int | None
    paid_at: datetime | None
    freight_quote: dict[str, Any] | None
    freight_service: str | None
    freight_minor: int | None
    freight_currency: str | None
    shipment: dict[str, Any] | None
    shipment_order_id: str | None
    booked_at: datetime | None
    recorded_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> OrderRecord:
        values = {field.name: row[field.name] for field in fields(cls)}
        values |= {"marketplace": Marketplace(row["marketplace"]), "state": OrderState(row["state"])}
        return cls(**values)

    @property
    def approved(self) -> Money:
        """The most that may be paid for the goods; zero before approval."""
        return Money(self.approved_minor or 0, self.currency)

    @property
    def paid(self) -> Money:
        return Money(self.paid_minor or 0, self.currency)

    @property
    def tracking_numbers(self) -> list[str]:
        return list(self.shipment["tracking_numbers"]) if self.shipment else []


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRecord:
    """One row of `effects`. `sender` names the send log of the process that may have sent it."""

    key: str
    order_ref: str
    action: Action
    attempt: int
    status: EffectStatus
    amount_minor: int | None
    currency: str | None
    request_hash: str
    fence: int
    owner: str
    lease_until: datetime
    sender: str
    intent_at: datetime
    settled_at: datetime | None
    answer: dict[str, Any] | None
    reason: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> EffectRecord:
        values = {field.name: row[field.name] for field in fields(cls)}
        values |= {"action": Action(row["action"]), "status": EffectStatus(row["status"])}
        return cls(**values)

    @property
    def claim(self) -> Claim:
        return Claim(
            key=self.key, order_ref=self.order_ref, action=self.action, fence=self.fence, lease_until=self.lease_until
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An effect about to be claimed: what it would do, and for how much."""

    order_ref: str
    action: Action
    amount: Money | None
    request_hash: str
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim brought, by order: effects that are ours to send, settled ones, and ones that may be under way."""

    won: dict[str, EffectRecord]
    settled: dict[str, EffectRecord]
    open: dict[str, EffectRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """A move of one order and the columns that come with it."""

    order_ref: str
    state: OrderState | None = None
    reason: str = ""
    columns: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a claimed effect, and what that does to its order."""

    claim: Claim
    status: EffectStatus
    reason: str = ""
    answer: dict[str, Any] | None = None
    change: OrderChange | None = None
