"""Whatever an order is made of: its lines add up to it, none is off by more than a
minor unit, none is below zero.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bills import (
    OF_THE_GOODS,
    Bill,
    BillLine,
    Booking,
    Quoted,
    allocate,
    apportioned,
    net,
    parcels,
    split,
)
from domain.landed import Books, Rate, Rates, landed
from domain.money import Money, minor_digits
from tests.everyday import examples

DAY = date(2026, 11, 2)
AMOUNT = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (2001, [1000, 1000, 1000, 6000], [223, 222, 222, 1334]),
        (5, [0, 0], [3, 2]),
        (7, [0, 3], [0, 7]),
        (0, [5, 6], [0, 0]),
        (0, [], []),
    ],
)
def test_the_largest_remainders_are_rounded_up_and_of_equal_ones_the_first(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert allocate(total, weights) == parts


@pytest.mark.parametrize("total", [-1, 3])
def test_parts_that_can_not_come_to_a_sum_are_a_defect(total: int) -> None:
    with pytest.raises(ValueError, match="is not what 2 parts come to"):
        apportioned([1, 1], 2, total)


@given(AMOUNT, st.lists(AMOUNT, min_size=1, max_size=20))
def test_shares_add_up_and_are_next_to_the_exact_ones(
    total: int, weights: list[int]
) -> None:
    whole = sum(weights) or len(weights)
    pieces = allocate(total, weights)

    assert sum(pieces) == total
    exact = [
        Fraction(total * (weight if any(weights) else 1), whole) for weight in weights
    ]
    assert all(
        abs(piece - fraction) < 1 and piece >= 0
        for piece, fraction in zip(pieces, exact, strict=True)
    )


@st.composite
def bills(draw: st.DrawFn, ref: str = "A") -> Bill:
    """An order as it may have been quoted, paid, refunded and booked."""
    goods = draw(st.lists(st.integers(1, 10**7), min_size=1, max_size=6))
    discount = draw(st.integers(0, sum(goods)))
    quoted = Quoted(
        goods=sum(goods) - discount, postage=draw(st.integers(0, 5000)), total=0
    )
    quoted = Quoted(
        goods=quoted.goods,
        postage=quoted.postage,
        total=quoted.goods + quoted.postage + draw(st.integers(0, 999)),
    )
    paid = draw(st.integers(1, 2 * sum(goods)))
    refunds = []
    remaining = paid
    for piece in draw(
        st.lists(st.sampled_from(["all", "1", "1+3", "2", "9"]), max_size=3)
    ):
        amount = draw(st.integers(0, remaining))
        refunds.append((piece, amount))
        remaining -= amount
    fee = Money(draw(st.integers(0, 10**6)), "USD")
    return Bill(
        order_ref=ref,
        currency="CNY",
        paid=paid,
        paid_on=DAY,
        lines=tuple(
            BillLine(line_no=at, goods=item) for at, item in enumerate(goods, start=1)
        ),
        quoted=draw(st.sampled_from([quoted, None])),
        refunds=tuple(refunds),
        booking=Booking(
            shipment_order_id=f"S-{ref}",
            numbers=frozenset({"parcel F"}),
            fee=fee,
            on=DAY,
        ),
    )


def rate(base: str, into: str, number: Decimal) -> Rate:
    return Rate(base=base, into=into, rate=number, on=DAY, source="x")


@given(bills())
def test_the_lines_of_an_order_add_up_to_what_was_paid_less_what_came_back(
    bill: Bill,
) -> None:
    lines = split(bill)

    assert sum(map(net, lines)) == bill.paid - sum(amount for _, amount in bill.refunds)
    assert all(net(line) >= 0 and min(line.values()) >= 0 for line in lines)
    assert [line["goods"] for line in lines] == [line.goods for line in bill.lines]


@settings(max_examples=examples(60))
@given(
    bills("A"),
    bills("B"),
    st.sampled_from(["EUR", "JPY", "KWD", "CNY"]),
    *[st.decimals("0.0001", "999", places=4)] * 2,
)
def test_converted_lines_add_up_to_the_order_and_parts_to_the_line(
    one: Bill, other: Bill, into: str, of_goods: Decimal, of_freight: Decimal
) -> None:
    given_rates = [
        rate("USD", into, of_freight),
        *([] if into == "CNY" else [rate("CNY", into, of_goods)]),
    ]
    scale = Fraction(10) ** (minor_digits(into) - 2)
    factor = Fraction(1) if into == "CNY" else Fraction(of_goods) * scale
    lines = landed([one, other], Books(into, Rates(given_rates)))

    def converted(name: str) -> int:
        return sum(line.converted[name] for line in lines if line.converted)

    assert len(lines) == len(one.lines) + len(other.lines)
    assert one.booking
    assert one.booking.fee
    assert other.booking
    assert other.booking.fee
    fee = one.booking.fee.minor + other.booking.fee.minor
    assert abs(converted("freight") - fee * Fraction(of_freight) * scale) <= Fraction(
        1, 2
    )
    for bill in (one, other):
        own = [line for line in lines if line.order_ref == bill.order_ref]
        stored = bill.paid - sum(amount for _, amount in bill.refunds)
        sums = [
            {name: line.converted[name] for name in OF_THE_GOODS}
            for line in own
            if line.converted
        ]
        assert abs(sum(map(net, sums)) - stored * factor) <= Fraction(1, 2)
        for line, pieces in zip(own, sums, strict=True):
            paid = {name: line.paid[name] for name in OF_THE_GOODS}
            assert net(pieces) >= 0
            assert abs(net(pieces) - net(paid) * factor) < 1
            assert all(
                pieces[name] >= 0 and abs(pieces[name] - paid[name] * factor) < 1
                for name in OF_THE_GOODS
            )


def booked(ref: str, *numbers: str, on: date | None = DAY) -> Bill:
    booking = Booking(
        shipment_order_id=ref, numbers=frozenset(numbers), fee=None, on=on
    )
    return Bill(
        order_ref=ref, currency="CNY", paid=1, paid_on=DAY, lines=(), booking=booking
    )


def test_orders_that_share_a_number_share_a_parcel_also_through_a_third() -> None:
    loose = Bill(order_ref="E", currency="CNY", paid=1, paid_on=DAY, lines=())
    orders = [
        booked("D", "4"),
        booked("C", "1", "2"),
        booked("B", "2"),
        loose,
        booked("A", "1"),
    ]

    assert [[bill.order_ref for bill in group] for group in parcels(orders)] == [
        ["A", "B", "C"],
        ["D"],
        ["E"],
    ]


@pytest.mark.parametrize(
    ("second", "third", "groups"),
    [
        (date(2027, 5, 1), date(2027, 10, 28), [["A", "B", "C"]]),
        (date(2027, 5, 2), date(2027, 5, 2), [["A", "C"], ["B"]]),
        (date(2027, 5, 2), None, [["A", "C"], ["B"]]),
        (None, None, [["A", "B", "C"]]),
    ],
)
def test_a_number_that_a_carrier_uses_again_is_another_parcel(
    second: date | None, third: date | None, groups: list[list[str]]
) -> None:
    """B is booked on 2026-11-02: after more than 180 days a number is its parcel's no
    more. An unknown day is near.
    """
    orders = [booked("B", "1"), booked("A", "1", on=second), booked("C", "1", on=third)]
    assert [[bill.order_ref for bill in group] for group in parcels(orders)] == groups
