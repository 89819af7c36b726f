"""Entities of the books: orders, payments, freight renders, shipments, reported
domestic numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from sandbox.goods import raised, service_fee
from sandbox.times import DAY

UNPAID_ORDER_LIVES = DAY
FINANCE_REFUSED = 3


@dataclass(slots=True)
class OrderLine:
    """`number` is the caller's orderLineNo, `sub_id` ours; ids are the marketplace's
    own, prices in fen.
    """

    number: str
    sub_id: str
    item_id: str
    sku_id: str
    spec_id: str
    title: str
    quantity: int
    unit_fen: int
    withdrawn_at: int | None = (
        None  # a refund was agreed before shipping: the seller leaves it out
    )
    closed_at: int | None = None
    returned_fen: int = 0
    lost_at: int | None = (
        None  # paid back, or sent back: none of it is the buyer's any more
    )

    @property
    def goods_fen(self) -> int:
        return self.quantity * self.unit_fen

    @property
    def left_fen(self) -> int:
        """The part of the goods' price that has not been given back."""
        return max(0, self.goods_fen - self.returned_fen)


@dataclass(slots=True)
class Repricing:
    """Unit prices of an order's lines since `at`, in the order of the lines; the first
    repricing is the original.
    """

    at: int
    unit_fens: list[int]


@dataclass(slots=True)
class FinanceStep:
    """A state of the offline payment (contract 4.1: 1, 2, 3 or 5) and its time."""

    at: int
    state: int


@dataclass(slots=True)
class Voucher:
    """The last uploaded proof of an offline payment."""

    amount_fen: int
    remark: str
    urls: list[str]


@dataclass(slots=True)
class Order:
    """`reference` and `out_order_id` are the caller's, to find the order again; times
    in milliseconds.
    """

    sequence: int
    marketplace: str
    id: str
    reference: str
    seller_id: str
    lines: list[OrderLine]
    post_fen: int
    receiver: dict[str, Any]
    warehouse: dict[str, Any]
    created_at: int
    repriced_at: int | None = None
    paid_at: int | None = None
    paid_fen: int = 0
    paid_times: int = 0
    closed_at: int | None = None
    shipment_ids: list[str] = field(default_factory=list)
    booked_at: int | None = None
    carrier: str = ""  # brings an Alibaba.com order to the warehouse
    close_reason: str | None = None
    cancel_due_at: int | None = None
    confirmed_at: int | None = None
    touched_at: int | None = None
    repricings: list[Repricing] = field(default_factory=list)
    finance: list[FinanceStep] = field(default_factory=list)
    voucher: Voucher | None = None
    refunded_fen: int = 0
    warehouse_name: str | None = None
    warehouse_address: str | None = None
    out_order_id: str = ""
    submitted_at: int | None = None  # debited, and not yet paid by finance

    @classmethod
    def restored(cls, body: dict[str, Any]) -> Self:
        parts: dict[str, Any] = {
            "lines": [OrderLine(**line) for line in body["lines"]],
            "repricings": [
                Repricing(**repricing) for repricing in body.get("repricings", [])
            ],
            "finance": [FinanceStep(**step) for step in body.get("finance", [])],
            "voucher": Voucher(**body["voucher"]) if body.get("voucher") else None,
        }
        return cls(**{**body, **parts})

    @property
    def key(self) -> str:
        return f"{self.sequence:012d}"

    @property
    def goods_fen(self) -> int:
        return sum(line.goods_fen for line in self.lines)

    @property
    def goods_and_post_fen(self) -> int:
        return self.goods_fen + self.post_fen

    @property
    def fee_fen(self) -> int:
        """The service's own fee, which only orders of big sellers have."""
        return (
            service_fee(self.goods_and_post_fen)
            if self.marketplace == "big_major"
            else 0
        )

    @property
    def amount_fen(self) -> int:
        return self.goods_and_post_fen + self.fee_fen

    @property
    def unpaid(self) -> bool:
        return self.paid_at is None and self.closed_at is None

    @property
    def under_check(self) -> bool:
        """An offline payment waits for finance: neither paid, cancelled nor closed
        meanwhile.
        """
        return (
            self.unpaid
            and bool(self.finance)
            and self.finance[-1].state != FINANCE_REFUSED
        )

    @property
    def payable(self) -> bool:
        return self.unpaid and not self.under_check and self.submitted_at is None

    @property
    def ships(self) -> bool:
        """False once every line was withdrawn before the seller shipped."""
        return any(line.withdrawn_at is None for line in self.lines)

    @property
    def bookable(self) -> bool:
        """Paid, not closed, and something of it is still the buyer's."""
        return (
            self.paid_at is not None
            and self.closed_at is None
            and any(line.lost_at is None for line in self.lines)
        )

    @property
    def closes_at(self) -> int:
        return self.created_at + UNPAID_ORDER_LIVES

    def line_amount_fen(self, line: OrderLine) -> int:
        """The line's share of the amount; the first line carries the postage."""
        return line.goods_fen + (self.post_fen if line is self.lines[0] else 0)

    def quantity_of(self, item_id: str, sku_id: str) -> int:
        return sum(
            line.quantity
            for line in self.lines
            if (line.item_id, line.sku_id) == (item_id, sku_id)
        )

    @property
    def first_unit_fens(self) -> list[int]:
        """Unit prices of the lines at the time of ordering."""
        return (
            self.repricings[0].unit_fens
            if self.repricings
            else [line.unit_fen for line in self.lines]
        )

    def line(self, sub_id: str) -> OrderLine | None:
        return next((line for line in self.lines if line.sub_id == sub_id), None)

    def raise_prices(self, now: int) -> None:
        if not self.repricings:
            self.repricings.append(
                Repricing(self.created_at, [line.unit_fen for line in self.lines])
            )
        self.repriced_at = now
        for line in self.lines:
            line.unit_fen = raised(line.unit_fen)
        self.repricings.append(Repricing(now, [line.unit_fen for line in self.lines]))


@dataclass(slots=True)
class Payment:
    sequence: int
    order_id: str
    amount_fen: int
    at: int
    source: str = "wallet"


@dataclass(slots=True)
class FreightLine:
    item_id: str
    sku_id: str
    quantity: int
    title: str = ""

    @property
    def ids(self) -> tuple[str, str]:
        return self.item_id, self.sku_id


@dataclass(slots=True)
class Render:
    """A freight quote; without `expires_at` it is good for ever."""

    sequence: int
    id: str
    country: str
    lines: list[FreightLine]
    expires_at: int | None

    @classmethod
    def restored(cls, body: dict[str, Any]) -> Self:
        return cls(**{**body, "lines": [FreightLine(**line) for line in body["lines"]]})

    def quantity_of(self, ids: tuple[str, str]) -> int:
        return sum(line.quantity for line in self.lines if line.ids == ids)


@dataclass(slots=True)
class Parcel:
    """The lines of a shipment that travel by one service, under one tracking number."""

    tracking_number: str
    service_id: str
    company: str
    lines: list[FreightLine]

    @classmethod
    def restored(cls, body: dict[str, Any]) -> Self:
        return cls(**{**body, "lines": [FreightLine(**line) for line in body["lines"]]})

    def carries(self, item_id: str, sku_id: str) -> bool:
        return any(line.ids == (item_id, sku_id) for line in self.lines)


@dataclass(slots=True)
class Shipment:
    """One booking; `domestic_numbers` maps a tracking number to the domestic numbers
    reported for it.
    """

    sequence: int
    id: str
    tmall_order_id: str
    render_id: str
    amount_cents: int
    currency: str
    parcels: list[Parcel]
    receiver: dict[str, Any]
    created_at: int
    domestic_numbers: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def restored(cls, body: dict[str, Any]) -> Self:
        return cls(
            **{
                **body,
                "parcels": [Parcel.restored(parcel) for parcel in body["parcels"]],
            }
        )

    def parcel(self, tracking_number: str) -> Parcel | None:
        return next(
            (
                parcel
                for parcel in self.parcels
                if parcel.tracking_number == tracking_number
            ),
            None,
        )


@dataclass(slots=True)
class DomesticUpdate:
    """One domestic number that updateLogisticInfo named for one tracking number."""

    sequence: int
    order_id: str
    tmall_order_id: str
    logistic_number: str
    domestic_number: str
    company: str
    rts_time: str
    at: int
