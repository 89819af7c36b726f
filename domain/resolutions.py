"""Facts about an order that only a person can find out: the answers that are taken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.money import Money


class ResolutionKind(StrEnum):
    """A person's answer; the value is the option of `sourcing resolve`."""

    ORDERED = "ordered"
    NOT_ORDERED = "not-ordered"
    PAID = "paid"
    NOT_PAID = "not-paid"
    BOOKED = "booked"
    NOT_BOOKED = "not-booked"
    CANCELLED = "cancelled"
    NOT_CANCELLED = "not-cancelled"
    REFUND_ASKED = "refund-asked"
    NOT_REFUNDED = "not-refunded"
    DONE = "done"
    NOT_DONE = "not-done"


K = ResolutionKind


class ResolutionRefused(Exception):
    """An answer that can't be taken; the message says why and what to do. Nothing was written or sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A person's answer. `value` is an id or an effect's key; `amount` what was paid, or what may be paid."""

    kind: ResolutionKind
    value: str = ""
    tracking: tuple[str, ...] = ()
    amount: Money | None = None

    @property
    def happened(self) -> bool:
        return self.kind in (K.ORDERED, K.PAID, K.BOOKED, K.CANCELLED, K.REFUND_ASKED, K.DONE)

    @property
    def words(self) -> str:
        """The answer as it is typed, for the audit trail."""
        amount = str(self.amount.major) if self.amount else ""
        parts = [f"--{self.kind}", self.value or (amount if self.kind is K.PAID else "")]
        parts += [f"--tracking {number}" for number in self.tracking]
        parts += [f"--up-to {amount}"] if amount and self.kind is K.ORDERED else []
        return " ".join(part for part in parts if part)
