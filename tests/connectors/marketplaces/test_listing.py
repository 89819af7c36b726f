"""Whatever a list does with its pages: one that hides an order never proves that the
order is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.marketplaces.listing import OrderPage, read_list
from domain.absence import (
    Account,
    Between,
    Control,
    Sent,
    judge_absence,
    judge_account,
)
from domain.money import Money
from domain.service_orders import ReferenceField, ServiceOrder, ServiceStatus
from domain.witnessed import Contradicted, Open

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AGO = timedelta(hours=3)
SENT = Sent(
    order_ref="R-1",
    places=frozenset({ReferenceField.REFERENCE}),
    at=NOW - AGO,
    until=NOW - AGO + timedelta(minutes=17),
)
SINCE = NOW - timedelta(days=30)


@dataclass(frozen=True)
class Shape:
    """How a list shows its orders: so many a page whatever is asked (0: as asked), in
    pages counted from `base`.
    """

    rows: int = 0
    base: int = 1
    same_page: bool = False
    gaps: bool = False
    reversed_rows: bool = False
    oldest_first: bool = False
    twice: bool = False
    total: str = "true"

    def turn(
        self, orders: list[ServiceOrder]
    ) -> Callable[[int, int], Awaitable[OrderPage]]:
        service_orders = orders[::-1] if self.oldest_first else orders

        async def page(number: int, asked: int) -> OrderPage:
            size = min(self.rows, asked) if self.rows else asked
            start = (0 if self.same_page else number - self.base) * (
                asked if self.gaps else self.rows or asked
            )
            rows = service_orders[start : start + (self.rows or size)]
            rows = rows[::-1] if self.reversed_rows else rows
            rows = [row for row in rows for _ in range(1 + self.twice)]
            counts = {
                "true": len(service_orders),
                "missing": 0,
                "-1": -1,
                "rows": len(rows),
                "capped": min(50, len(service_orders)),
            }
            return OrderPage(rows, counts[self.total])

        return page


SIZE_AND_BASE = st.sampled_from([(0, 1), (1, 1), (20, 1), (50, 1), (0, 0)])
"""Pages counted from 0 in a size of the list's own don't show that they are."""
SHAPES = st.builds(
    lambda size_and_base, **neighbours: Shape(
        rows=size_and_base[0], base=size_and_base[1], **neighbours
    ),
    SIZE_AND_BASE,
    same_page=st.booleans(),
    gaps=st.booleans(),
    reversed_rows=st.booleans(),
    oldest_first=st.booleans(),
    twice=st.booleans(),
    total=st.sampled_from(["true", "missing", "-1", "rows", "capped"]),
)


def order(order_id: str, reference: str, at: datetime) -> ServiceOrder:
    return ServiceOrder(
        order_id=order_id,
        reference=reference,
        status=ServiceStatus.UNPAID,
        total=Money(100),
        paid=None,
        created_at=at,
    )


def account_of(older: int, younger: int) -> tuple[list[ServiceOrder], list[Control]]:
    """Orders of ours before and after the create, newest first."""
    orders = [
        order(f"o{n}", f"O-{n}", SENT.at - timedelta(hours=n + 1)) for n in range(older)
    ]
    after = [
        order(f"y{n}", f"Y-{n}", SENT.until + timedelta(minutes=n))
        for n in range(younger)
    ]
    service_orders = [*after[::-1], *orders]
    controls = [
        Control(
            order_ref=service_order.reference,
            order_id=service_order.order_id,
            ordered_at=service_order.created_at or NOW,
        )
        for service_order in service_orders
    ]
    return service_orders, controls


@given(
    shape=SHAPES,
    older=st.integers(0, 60),
    younger=st.integers(0, 60),
    is_there=st.booleans(),
)
async def test_what_a_list_hides_is_never_absent(
    shape: Shape,
    older: int,
    younger: int,
    is_there: bool,  # noqa: FBT001
) -> None:
    service_orders, controls = account_of(older, younger)
    own = [
        *service_orders[:younger],
        *([order("1", "R-1", SENT.at)] if is_there else []),
        *service_orders[younger:],
    ]
    reading = await read_list(
        shape.turn(own), SINCE, ["R-1", *(control.order_ref for control in controls)]
    )
    if "R-1" in reading.found:
        return
    account = Account(
        controls=controls,
        accounted={control.order_id for control in controls},
        confirmed_at=NOW,
    )
    judged = judge_absence(SENT, reading, account, NOW)
    assert isinstance(judged, Open | Contradicted) or not is_there


@given(shape=SHAPES, older=st.integers(1, 60), forgotten=st.integers(1, 70))
async def test_what_a_ledger_has_forgotten_is_found_or_asked_about(
    shape: Shape, older: int, forgotten: int
) -> None:
    """An older ledger was put back; it knows the older orders, and each younger one is
    ours.
    """
    service_orders, controls = account_of(older, forgotten)
    refs = [service_order.reference for service_order in service_orders[:forgotten]]
    reading = await read_list(shape.turn(service_orders), SINCE, refs)
    account = Account(
        controls=controls[forgotten:][:3],
        accounted={control.order_id for control in controls[forgotten:]},
    )
    assert (
        set(refs) <= set(reading.found) or judge_account(reading, account) is not None
    )


@pytest.mark.parametrize(
    "shape", [Shape(), Shape(rows=1), Shape(rows=20), Shape(rows=20, gaps=True)]
)
@pytest.mark.parametrize("total", ["true", "missing", "-1", "rows", "capped"])
async def test_what_is_not_there_is_absent_whatever_is_counted(
    shape: Shape, total: str
) -> None:
    """Pages of another size than asked are read all the same."""
    service_orders, controls = account_of(60, 5)
    turn = Shape(rows=shape.rows, gaps=shape.gaps, total=total).turn(service_orders)
    reading = await read_list(
        turn, SINCE, ["R-1", *(control.order_ref for control in controls)]
    )
    assert isinstance(
        judge_absence(SENT, reading, Account(controls=controls), NOW), Between
    )
