"""Whatever the orders: what agrees gives nothing, and one difference anywhere gives
exactly one finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ledger.records import OrderRecord
from domain.findings import FindingKind
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import ROAD, OrderState
from tasks.comparison import compare, to_look_up
from tests.everyday import examples
from tests.tasks.facts import (
    NOW,
    ORDERED_AT,
    SINCE,
    changed,
    ours,
    side,
    theirs,
    theirs_unpaid,
    unpaid,
)

Pair = tuple[OrderRecord, ServiceOrder | None]
BOOKED = ROAD[ROAD.index(OrderState.BOOKED) :]
PAID_STATUSES = [ServiceStatus.PAID, ServiceStatus.SHIPPED, ServiceStatus.FINISHED]
Kind = FindingKind


@st.composite
def agreeing(draw: st.DrawFn) -> list[Pair]:
    """Orders of every kind on which both sides agree, each of a marketplace, with
    amounts of its own.
    """
    return [draw(pair(f"R-{number}")) for number in range(draw(st.integers(1, 8)))]


@st.composite
def pair(draw: st.DrawFn, ref: str) -> Pair:
    amount = Money(draw(st.integers(100, 10**9)))
    at = ORDERED_AT + timedelta(seconds=draw(st.integers(0, 10**5)))
    here: dict[str, Any] = {
        "marketplace": draw(st.sampled_from(Marketplace)),
        "total": amount,
        "ordered_at": at,
    }
    there: dict[str, Any] = {"total": amount, "created_at": at}
    match draw(
        st.sampled_from(
            ["booked", "paid", "unpaid", "cancelled", "not ordered", "refunded"]
        )
    ):
        case "booked":
            status = draw(st.sampled_from(PAID_STATUSES))
            state = draw(st.sampled_from(BOOKED))
            return ours(ref, state=state, paid=amount, **here), theirs(
                ref, status=status, paid=amount, **there
            )
        case "paid":
            bare = {
                "state": OrderState.PAID,
                "shipment_order_id": "",
                "tracking_numbers": (),
            }
            return ours(ref, paid=amount, **bare, **here), theirs(
                ref, paid=amount, shipments=(), **there
            )
        case "unpaid":
            state = draw(
                st.sampled_from(
                    [OrderState.ORDERED, OrderState.HELD, OrderState.PAYMENT_PENDING]
                )
            )
            later = NOW + timedelta(seconds=1)
            return unpaid(
                ref, state=state, payment_clear_at=later, **here
            ), theirs_unpaid(ref, **there)
        case "cancelled":
            closed = theirs_unpaid(ref, status=ServiceStatus.CLOSED, **there)
            return unpaid(ref, state=OrderState.CANCELLED, **here), draw(
                st.sampled_from([closed, None])
            )
        case "not ordered":
            state = draw(
                st.sampled_from(
                    [OrderState.PLANNED, OrderState.REFUSED, OrderState.HELD]
                )
            )
            return unpaid(
                ref, state=state, order_id="", **here | {"ordered_at": None}
            ), None
        case _:
            closed = theirs(
                ref, status=ServiceStatus.CLOSED, paid=amount, shipments=(), **there
            )
            back = {"state": OrderState.REFUNDED, "paid": amount, "refunded": amount}
            return ours(ref, **back, **here), draw(st.sampled_from([closed, None]))


def kinds(
    pairs: list[Pair], extra: list[tuple[Marketplace, ServiceOrder]] | None = None
) -> list[FindingKind]:
    shown: dict[Marketplace, dict[str, ServiceOrder]] = {
        name: {} for name in Marketplace
    }
    listed = [(order.marketplace, one) for order, one in pairs if one is not None]
    for name, one in [*listed, *(extra or [])]:
        shown[name][one.order_id] = one
    ledger = side(order for order, _ in pairs)
    return [
        finding.kind
        for finding in compare(ledger, shown, since=SINCE, now=NOW).findings
    ]


@given(agreeing())
def test_identical_facts_never_give_findings(pairs: list[Pair]) -> None:
    assert kinds(pairs) == []


@given(agreeing())
def test_nothing_that_agrees_is_looked_up(pairs: list[Pair]) -> None:
    shown: dict[Marketplace, dict[str, ServiceOrder]] = {
        name: {} for name in Marketplace
    }
    for order, one in pairs:
        if one is not None:
            shown[order.marketplace][one.order_id] = one
    orders = [order for order, one in pairs if one is not None]
    assert to_look_up(orders, shown, since=SINCE) == []


Plant = Callable[
    [OrderRecord, ServiceOrder],
    tuple[OrderRecord | None, ServiceOrder | None, *tuple[FindingKind, ...]],
]

ON_BOOKED: list[Plant] = [
    lambda o, s: (None, s, Kind.ORPHAN),
    lambda o, s: (o, None, Kind.MISSING),
    lambda o, s: (changed(o, order_id="other"), s, Kind.ORPHAN, Kind.MISSING),
    lambda o, s: (o, replace(s, order_id="other"), Kind.ORPHAN, Kind.MISSING),
    lambda o, s: (
        o,
        replace(s, status=ServiceStatus.UNPAID, paid=None),
        Kind.PAYMENT_DIFFERS,
    ),
    lambda o, s: (
        o,
        replace(s, status=ServiceStatus.CLOSED, paid=None),
        Kind.PAYMENT_DIFFERS,
    ),
    lambda o, s: (changed(o, paid=None), s, Kind.PAYMENT_DIFFERS),
    lambda o, s: (changed(o, state=OrderState.CANCELLED), s, Kind.STATE_DIFFERS),
    lambda o, s: (o, replace(s, status=ServiceStatus.CLOSED), Kind.STATE_DIFFERS),
    lambda o, s: (o, replace(s, status=ServiceStatus.OTHER), Kind.STATE_DIFFERS),
    lambda o, s: (o, replace(s, paid=s.total + Money(1)), Kind.AMOUNT_DIFFERS),
    lambda o, s: (o, replace(s, total=s.total - Money(1)), Kind.AMOUNT_DIFFERS),
    lambda o, s: (changed(o, paid=s.total * 2), s, Kind.AMOUNT_DIFFERS),
]
ON_SHIPMENTS: list[Plant] = [
    lambda o, s: (changed(o, shipment_order_id="other"), s, Kind.SHIPMENT_DIFFERS),
    lambda o, s: (
        changed(o, shipment_order_id="", tracking_numbers=()),
        s,
        Kind.SHIPMENT_DIFFERS,
    ),
    lambda o, s: (changed(o, tracking_numbers=("other",)), s, Kind.SHIPMENT_DIFFERS),
    lambda o, s: (
        o,
        replace(
            s,
            shipments=(
                *s.shipments,
                Shipment(shipment_order_id="2", tracking_numbers=()),
            ),
        ),
        Kind.SHIPMENT_DIFFERS,
    ),
    lambda o, s: (o, replace(s, shipments=()), Kind.SHIPMENT_DIFFERS),
]
ON_UNPAID: list[Plant] = [
    lambda o, s: (None, s, Kind.ORPHAN),
    lambda o, s: (changed(o, order_id="", ordered_at=None, state=OrderState.PLANNED), s, Kind.ORPHAN),
    lambda o, s: (o, None, Kind.MISSING),
    lambda o, s: (o, replace(s, status=ServiceStatus.PAID, paid=s.total), Kind.PAYMENT_DIFFERS),
    lambda o, s: (changed(o, payment_clear_at=None), replace(s, status=ServiceStatus.CLOSED), Kind.STATE_DIFFERS),
    lambda o, s: (o, replace(s, status=ServiceStatus.CLOSED), Kind.PAYMENT_DIFFERS),
    lambda o, s: (changed(o, state=OrderState.CANCELLED), s, Kind.STATE_DIFFERS),
    lambda o, s: (o, replace(s, total=s.total + Money(1)), Kind.AMOUNT_DIFFERS),
    lambda o, s: (changed(o, state=OrderState.PAYMENT_PENDING, payment_clear_at=NOW), s, Kind.PAYMENT_DIFFERS),
]  # fmt: skip


@settings(max_examples=examples(300))
@given(agreeing(), st.data())
def test_one_difference_gives_exactly_one_finding(
    pairs: list[Pair], data: st.DataObject
) -> None:
    """Whichever order, whichever side, whichever fact; of bookings where the others
    still show theirs. Another id is two: an order without one, and one without an
    order.
    """
    may_be_told = [
        (place, plant)
        for place, (order, one) in enumerate(pairs)
        if one is not None
        and (order.state in BOOKED or one.status is ServiceStatus.UNPAID)
        for plant in (ON_BOOKED + ON_SHIPMENTS if order.state in BOOKED else ON_UNPAID)
    ]
    if not may_be_told:
        return
    place, plant = data.draw(st.sampled_from(may_be_told))
    order, one = pairs[place]
    assert one is not None
    planted, shown, *expected = plant(order, one)
    others = pairs[:place] + pairs[place + 1 :]
    if planted is None:
        assert shown is not None
        assert kinds(others, [(order.marketplace, shown)]) == expected
    else:
        assert kinds([*others, (planted, shown)]) == expected


@given(agreeing(), st.sampled_from(Marketplace), st.integers(1, 3))
def test_each_stranger_is_found(
    pairs: list[Pair], where: Marketplace, count: int
) -> None:
    """Live orders under references that nobody here has given, or under none."""
    unknown = [
        (where, theirs(f"X-{number}", reference="" if number else "X"))
        for number in range(count)
    ]
    assert kinds(pairs, unknown) == [Kind.ORPHAN] * count


@given(agreeing(), st.data())
def test_a_second_order_of_a_reference_is_found(
    pairs: list[Pair], data: st.DataObject
) -> None:
    """Paid or not; where the first is over it is an order that nobody knows."""
    shown = [(order, one) for order, one in pairs if one is not None]
    if not shown:
        return
    order, one = data.draw(st.sampled_from(shown))
    second = replace(
        one, order_id="second", status=ServiceStatus.UNPAID, paid=None, shipments=()
    )
    live = one.status is not ServiceStatus.CLOSED or one.paid is not None
    assert kinds(pairs, [(order.marketplace, second)]) == [
        Kind.SEVERAL_ORDERS if live else Kind.ORPHAN
    ]
