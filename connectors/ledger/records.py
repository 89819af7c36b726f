"""Orders with their receivers, and effects of the ledger, as immutable records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from sys import intern
from types import NoneType, UnionType
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Executable, Text, cast, select

from connectors.ledger.order_update import NOTHING, OrderUpdate
from connectors.ledger.schema import (
    DECODED_AT_ONCE,
    REASON,
    from_json,
    from_text,
    orders,
    receivers,
)
from domain.absence import Absent, NotHappened
from domain.effects import OPEN, REPEATS, Action, Claim, EffectStatus, effect_key
from domain.holds import Pause, start_of_day
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import FreightQuote, FreightService, Offer, Quote, QuoteLine, priced
from domain.orders import CONTACT, OrderLine, OrderRequest, SourcingOrder
from domain.plan import PlannedOrder, PlanSummary
from domain.reasons import Reason, ReasonCode, because, explained, read
from domain.report import ReportLine
from domain.service_orders import Shipment
from domain.states import OrderState
from domain.witnessed import Contradicted, RefusedForGood, contradiction


def divided(request: Mapping[str, Any]) -> tuple[Any, Any]:
    """A request as `orders` has it, and what `receivers` has of it."""
    receiver = request.get("receiver") or {}
    contact = {field: receiver[field] for field in CONTACT if field in receiver}
    other_fields = {
        field: text for field, text in receiver.items() if field not in CONTACT
    }
    return {**request, "receiver": other_fields} if contact else request, contact


@lru_cache(maxsize=DECODED_AT_ONCE)
def request_of(stored: str, contact: str | None) -> OrderRequest:
    """The whole request. Parts in `orders` outrank the row: they were erased.

    Results are cached: orders are read often, domain objects are frozen.
    """
    request = orjson.loads(stored)
    request["receiver"] = orjson.loads(contact or "{}") | request["receiver"]
    return from_json(OrderRequest, request)


T = TypeVar("T")
JSON_COLUMNS = (
    "request",
    "receiver",
    "lines",
    "offers",
    "quote",
    "freight_quote",
    "shipment",
    "reason_facts",
)
HELD_WITHOUT_REST = OrderState.HELD, ReasonCode.REST_IS_LOST


@dataclass(frozen=True, kw_only=True)
class OrderRecord:
    """One row of `orders`. Amounts are minor units of `currency` (goods) or
    `freight_currency`; times are UTC.

    The JSON columns are kept as text in `stored`: runs read thousands of orders, often,
    and decode few of them.
    """

    order_ref: str
    batch_id: str
    marketplace: Marketplace
    state: OrderState
    why: Reason | None
    fingerprint: str
    seller_id: str
    approved_minor: int | None
    plan_hash: str | None
    freight_approved_minor: int | None
    currency: str
    order_id: str | None
    ordered_at: datetime | None
    total_minor: int | None
    paid_minor: int | None
    paid_at: datetime | None
    freight_service: str | None
    freight_minor: int | None
    freight_currency: str | None
    shipment_order_id: str | None
    booked_at: datetime | None
    recorded_at: datetime
    updated_at: datetime
    refunded_minor: int | None
    payable_minor: int | None
    warehouse: str | None
    parcel_reported_at: datetime | None
    shop: str | None
    shop_ref: str | None
    committed_minor: int
    """What it counts for in the budget of its batch."""
    outlay_minor: int
    """What it counts for in the limit of the day of `spent_at`."""
    spent_at: datetime | None
    """When its create or pay was last begun, if it may have happened."""
    stored: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> OrderRecord:
        values = dict(row)
        values["stored"] = {column: values.pop(column) for column in JSON_COLUMNS}
        values["marketplace"] = Marketplace(values["marketplace"])
        values["state"] = OrderState(values["state"])
        facts = values["stored"].pop("reason_facts")
        values["why"] = read(
            values.pop("reason_code"),
            facts and orjson.loads(facts),
        )
        order = cls.__new__(cls)
        object.__setattr__(
            order, "__dict__", values
        )  # a frozen object takes its fields one by one: twice as slow
        return order

    @cached_property
    def reason(self) -> str:
        """The reason of the order's state, in words; empty for none."""
        return str(self.why or "")

    @property
    def reason_code(self) -> ReasonCode | None:
        return self.why.code if self.why else None

    @property
    def knows_what_came_back(self) -> bool:
        """Whether it is held, and a person said how much of its money came back: so
        ends the question of a closed one.

        A part may have come back before it was closed, which says nothing of the rest.
        """
        return (self.state, self.reason_code) == HELD_WITHOUT_REST

    @cached_property
    def request(self) -> OrderRequest:
        return request_of(self.stored["request"], self.stored["receiver"])

    @cached_property
    def lines(self) -> tuple[OrderLine, ...]:
        return from_text(tuple[OrderLine, ...], self.stored["lines"])

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        return from_text(tuple[Offer, ...], self.stored["offers"])

    @cached_property
    def quote(self) -> Quote | None:
        return self._stored(Quote, "quote")

    @cached_property
    def freight_quote(self) -> FreightQuote | None:
        return self._stored(FreightQuote, "freight_quote")

    @cached_property
    def shipment(self) -> Shipment | None:
        return self._stored(Shipment, "shipment")

    def _stored(self, kind: type[T], column: str) -> T | None:
        text = self.stored[column]
        return None if text is None else from_text(kind, text)

    @property
    def chosen_freight(self) -> FreightService | None:
        """The service of the plan, which its approval allows."""
        services = self.freight_quote.services if self.freight_quote else ()
        return next(
            (one for one in services if one.service_id == self.freight_service), None
        )

    @property
    def priced_lines(self) -> tuple[QuoteLine, ...]:
        return priced(self.lines, self.quote)

    def shipped_order(self, unsent: Collection[int]) -> SourcingOrder:
        """What the warehouse gets of this order, without these lines, at the prices
        they were bought for.
        """
        bought = (
            replace(line, unit_price=one.unit_price)
            for line, one in zip(self.lines, self.priced_lines, strict=True)
            if line.line_no not in unsent
        )
        return replace(self.sourcing_order, lines=tuple(bought))

    @property
    def sourcing_order(self) -> SourcingOrder:
        """What the marketplace gets of this order."""
        return SourcingOrder(
            request=self.request,
            seller_id=self.seller_id,
            lines=self.lines,
            flow=self.quote.flow if self.quote else "",
            trade_type=self.quote.trade_type if self.quote else "",
        )

    @property
    def plan(self) -> PlannedOrder:
        """The plan that the order was made from."""
        return PlannedOrder(
            request=self.request,
            seller_id=self.seller_id,
            lines=self.lines,
            offers=self.offers,
            quote=self.quote,
            freight=self.freight_quote,
        )

    @property
    def approved(self) -> Money:
        """What the goods cost when the order was approved; zero before."""
        return Money(self.approved_minor or 0, self.currency)

    @property
    def payable(self) -> Money:
        """The most that may be paid for the goods: the approved amount with its
        tolerance; zero before approval.
        """
        return (
            self.approved
            if self.payable_minor is None
            else Money(self.payable_minor, self.currency)
        )

    @property
    def paid(self) -> Money:
        return Money(self.paid_minor or 0, self.currency)

    @property
    def refunded(self) -> Money:
        return Money(self.refunded_minor or 0, self.currency)

    @property
    def is_overpaid(self) -> bool:
        """Whether more was taken than may be paid, and has not come back."""
        return self.paid - self.refunded > self.payable

    @property
    def tracking_numbers(self) -> list[str]:
        return list(self.shipment.tracking_numbers) if self.shipment else []

    def held(self, why: Reason) -> OrderChange:
        """A hold: the order waits for a person, unless it has moved on."""
        return replace(self.stays(why), state=OrderState.HELD)

    def contradicted(self, verdict: Contradicted) -> OrderChange:
        """A hold with two contradicting readings, unless the order has moved on."""
        return replace(
            self.held(contradiction(verdict, self.marketplace)), contradicted=verdict
        )

    def stays(self, why: Reason | None) -> OrderChange:
        """The order's state with a new reason, unless it has moved on."""
        return OrderChange(
            order_ref=self.order_ref, state=self.state, expected=self.state, why=why
        )


ORDERS = select(
    *(
        cast(column, Text).label(column.name) if column.name in JSON_COLUMNS else column
        for column in (*orders.c, receivers.c.receiver)
    )
).select_from(orders.outerjoin(receivers))
"""What an order is made of (`order_records`)."""


def order_records(
    connection: Connection,
    statement: Executable,
    given: Mapping[str, Any] | None = None,
) -> dict[str, OrderRecord]:
    """The orders that a statement returns, by reference."""
    # row by row: thousands of orders are not held twice
    rows = connection.execute(statement, given)
    names = rows.keys()
    return {
        row.order_ref: OrderRecord.of(dict(zip(names, row, strict=True)))
        for row in rows
    }


def reason_of(row: Mapping[Any, Any]) -> Reason | None:
    """The reason in a row of orders, effects or moves."""
    return read(*(row[name] for name in REASON))


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRecord:
    """One row of `effects`. `sender` names the send log of the process that may have
    sent it.

    That process may send until `leaves_by`, its lease as it was claimed.
    `doubtful_sends` counts the claims of all attempts but for those that provably came
    to nothing.
    """

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
    why: Reason | None
    leaves_by: datetime
    doubtful_sends: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> EffectRecord:
        values = {name: value for name, value in row.items() if name not in REASON}
        values |= {
            "action": Action(row["action"]),
            "status": EffectStatus(row["status"]),
        }
        return cls(**values, why=reason_of(row))

    @property
    def reason(self) -> str:
        return str(self.why or "")

    @property
    def reason_code(self) -> ReasonCode | None:
        return self.why.code if self.why else None

    @property
    def amount(self) -> Money | None:
        """What the effect would cost, as it was claimed."""
        return (
            None
            if self.amount_minor is None
            else Money(self.amount_minor, self.currency or "CNY")
        )

    @property
    def may_have_happened(self) -> bool:
        """Whether it is open, or to be sent once more though its first request may have
        arrived.
        """
        return self.status in OPEN or (
            self.status is EffectStatus.UNSENT and REPEATS in (self.answer or {})
        )

    @property
    def slot(self) -> str:
        """The key without the number of the attempt."""
        return (
            self.key if self.attempt == 1 else self.key.removesuffix(f":{self.attempt}")
        )

    @property
    def part(self) -> str:
        """The part that `effect_key` put into the key, empty for none."""
        return self.slot.removeprefix(
            effect_key(self.order_ref, self.action)
        ).removeprefix(":")

    @property
    def claim(self) -> Claim:
        return Claim(
            key=self.key,
            order_ref=self.order_ref,
            action=self.action,
            fence=self.fence,
            lease_until=self.lease_until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An effect to be claimed: what it would do, and for how much.

    With a `plan_hash` it is claimed only while that is still the order's approved plan,
    with `seen_in` only while the order is still in that state. Raises `ValueError` for
    an amount that is not above zero: budgets add them up.
    """

    order_ref: str
    action: Action
    amount: Money | None
    request_hash: str
    part: str = ""
    plan_hash: str = ""
    seen_in: OrderState | None = None

    def __post_init__(self) -> None:
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueError(f"{self.order_ref}: no {self.action} for {self.amount}")

    @property
    def slot(self) -> str:
        """The key without the number of the attempt."""
        return effect_key(self.order_ref, self.action, part=self.part)


BEFOREHAND = "a yes given beforehand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The approval of exactly one plan (`plan_hash`), its total and its freight; `why`
    names the approver, or `BEFOREHAND`, which is no person's yes.
    """

    order_ref: str
    plan_hash: str
    total: Money
    freight: Money | None
    why: Reason


def approval_of(plan: PlanSummary, by: str, at: datetime) -> Approval:
    """The approval of a plan, with words for the audit trail."""
    why = because(
        ReasonCode.APPROVED,
        by=by,
        at=_in_utc(at),
        total=plan.total,
        plan=plan.plan_hash[:12],
    )
    return Approval(
        order_ref=plan.order_ref,
        plan_hash=plan.plan_hash,
        total=plan.total,
        freight=plan.freight,
        why=why,
    )


def freight_approval(
    price: Money, taken: Money | None, by: str, at: datetime
) -> Reason:
    """The reason of an approved freight, and of what was `taken` above what was
    approved.
    """
    return because(
        ReasonCode.FREIGHT_APPROVED, by=by, at=_in_utc(at), price=price, taken=taken
    )


def _in_utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimits:
    """What claims to create and to pay may spend in total, checked in the claim's
    transaction; None is no limit.

    The day is the claim's, in `timezone`: a run may go past midnight.
    """

    batch_id: str
    batch: Money | None
    day: Money | None
    timezone: str = "UTC"

    def day_start(self, now: datetime) -> datetime:
        """The start of the day of `now`, in `timezone`."""
        return start_of_day(now, self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The result of a claim, by order: effects to send, and ones that may be under way.

    Both are empty while buying is `paused`.
    """

    won: dict[str, EffectRecord] = field(default_factory=dict)
    open: dict[str, EffectRecord] = field(default_factory=dict)
    paused: Pause | None = None

    def part(self, order_refs: Collection[str]) -> Claimed:
        """The result for some of the orders."""
        won, opened = (
            {ref: some[ref] for ref in order_refs if ref in some}
            for some in (self.won, self.open)
        )
        return Claimed(won=won, open=opened, paused=self.paused)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """A move of one order, and what is written to it.

    With `expected` the move is dropped when the order is no longer in that state:
    another run has read more since, and an older reading must not undo that. Readings
    that are a unit apart (`contradicted`) hold the marketplace even then.
    """

    order_ref: str
    state: OrderState | None = None
    expected: OrderState | None = None
    why: Reason | None = None
    writes: OrderUpdate = NOTHING
    contradicted: Contradicted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a claimed effect, and what that does to its order.

    `if_misnamed` is the reason where it brings an id that is another order's.
    `came_to_nothing`: its send provably had no effect, so it does not count among the
    `doubtful_sends`. A refused outcome needs its `proof`: a permanent refusal, which
    came to nothing, or the effect's absence after an unknown refusal; an unsent one
    that it did not happen. Raises `ValueError` without it.
    """

    claim: Claim
    status: EffectStatus
    why: Reason | None = None
    answer: dict[str, Any] | None = None
    change: OrderChange | None = None
    if_misnamed: Reason | None = None
    came_to_nothing: bool = False
    proof: RefusedForGood | NotHappened | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.proof, _PROOFS.get(self.status, NoneType)):
            raise ValueError(f"{self.claim.key} can't be {self.status} by {self.proof}")


_PROOFS: Mapping[EffectStatus, type | UnionType] = {
    EffectStatus.REFUSED: RefusedForGood | Absent,
    EffectStatus.UNSENT: NotHappened,
}


def line_of(order: OrderRecord) -> ReportLine:
    """An order of the ledger as a line of a report; its freight is shown once it is
    booked.
    """
    is_booked = order.shipment_order_id is not None
    return ReportLine(
        order_ref=order.order_ref,
        marketplace=order.marketplace,
        state=order.state,
        **explained(order.why),
        order_id=order.order_id,
        paid_fen=order.paid_minor,
        shipment_order_id=order.shipment_order_id,
        tracking_numbers=tuple(order.tracking_numbers),
        freight_minor=order.freight_minor if is_booked else None,
        freight_currency=intern(order.freight_currency)
        if is_booked and order.freight_currency
        else None,
    )
