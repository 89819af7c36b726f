"""The figures of a report, from literal rows: what is counted, summed and compared, and
what is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.snapshots.sources import connected
from connectors.snapshots.tables import ENVELOPE, TABLES
from connectors.snapshots.writer import write_snapshot
from domain.landed import NOT_PAID
from flows.report.figures import Figures, Rows, UnknownBatch, figures, report

DAY = datetime(2026, 11, 2, 20, tzinfo=UTC)
BLANK = {"string": "", "int64": 0, "list": [], "bool": False, "timestamp": DAY}


def hours(count: float) -> datetime:
    return DAY + timedelta(hours=count)


def frame(table: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Rows in the types that `Snapshots` gives; what a row does not name is missing, or
    empty where it can't be.
    """
    schema = TABLES[table].schema
    blank = {
        f.name: None
        if f.nullable
        else BLANK[str(f.type).partition("[")[0].partition("<")[0]]
        for f in schema
    }
    return pa.Table.from_pylist([{**blank, **row} for row in rows], schema=schema)


def told(
    batch: str = "b", timezone: str = "UTC", **rows: Sequence[Mapping[str, object]]
) -> Figures:
    """The figures of these rows, as DuckDB makes them in memory."""

    def ask(
        queries: Mapping[str, str], given: Mapping[str, object]
    ) -> dict[str, pa.Table]:
        with connected(memory_mb=256) as connection:
            for name in TABLES:
                connection.register(
                    name,
                    frame(
                        name, [{"batch_id": "b", **row} for row in rows.get(name, ())]
                    ),
                )
            statements = {
                name: connection.extract_statements(query)[0]
                for name, query in queries.items()
            }
            return {
                name: connection.sql(
                    one, params={key: given[key] for key in one.named_parameters}
                ).to_arrow_table()
                for name, one in statements.items()
            }

    return replace(figures(ask, batch="", timezone=timezone), batch=batch)


def order(ref: str, state: str, **further: object) -> dict[str, object]:
    return {
        "order_ref": ref,
        "marketplace": "taobao",
        "state": state,
        "currency": "CNY",
        **further,
    }


def rows(of: Rows) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in of]


def test_orders_count_at_every_step_that_they_came_to() -> None:
    """One that left the road counts as far as its times show; the rest is off the
    road.
    """
    figures = told(
        orders=[
            order("A", "delivered", created_at=DAY, paid_at=DAY, booked_at=DAY),
            order("B", "paid", created_at=DAY, paid_at=DAY),
            order("C", "held", created_at=DAY, paid_at=DAY),
            order("D", "refused"),
        ]
    )
    assert rows(figures.reached)[:4] == [
        ("planned", 4),
        ("ordered", 3),
        ("paid", 3),
        ("booked", 1),
    ]
    assert rows(figures.reached)[-1] == ("delivered", 1)
    assert rows(figures.standing) == [
        ("paid", 1),
        ("delivered", 1),
        ("held", 1),
        ("refused", 1),
    ]


def test_spend_is_by_day_of_the_merchant_and_never_across_currencies() -> None:
    """20:00 UTC is the next day in Shanghai; a payment of nothing counts for nothing;
    an unknown day is empty.
    """
    pay = {"marketplace": "taobao", "currency": "CNY", "paid_at": DAY}
    figures = told(
        timezone="Asia/Shanghai",
        payments=[
            {**pay, "order_ref": "A", "amount_minor": 100},
            {**pay, "order_ref": "B", "amount_minor": 250},
            {**pay, "order_ref": "C", "amount_minor": 70, "currency": "USD"},
            {**pay, "order_ref": "D", "amount_minor": 30, "paid_at": None},
            {**pay, "order_ref": "E", "amount_minor": 0},
        ],
    )
    assert rows(figures.spend) == [
        ("CNY", "taobao", "", 1, 30),
        ("CNY", "taobao", "2026-11-03", 2, 350),
        ("USD", "taobao", "2026-11-03", 1, 70),
    ]


def test_limits_are_compared_with_what_the_goods_cost_as_they_were_paid() -> None:
    """Postage is not part of it, what was paid above the quote is; an order with a line
    without limit is left out.

    So is one that was refunded whole. Lines that were taken out of an order stay in the
    tables: of another batch, or above the number of its lines.
    """
    line = {"quantity": 2, "max_unit_price_minor": 500, "currency": "CNY"}
    figures = told(
        orders=[
            order("A", "booked", paid_minor=1000, quoted_minor=960, line_count=1),
            order("B", "booked", paid_minor=400, quoted_minor=400),
            order("C", "held"),
            order("D", "refunded", paid_minor=600, quoted_minor=600),
        ],
        requests=[
            {**line, "order_ref": "D", "line_no": 1},
            {**line, "order_ref": "A", "line_no": 1},
            {**line, "order_ref": "A", "line_no": 2},
            {**line, "order_ref": "B", "line_no": 1},
            {
                **line,
                "order_ref": "B",
                "line_no": 2,
                "max_unit_price_minor": 0,
                "currency": None,
            },
            {**line, "order_ref": "C", "line_no": 1},
        ],
        order_lines=[
            {"order_ref": "A", "line_no": 1, "amount_minor": 860},
            {"order_ref": "A", "line_no": 2, "amount_minor": 5000},
            {
                "order_ref": "A",
                "line_no": 3,
                "amount_minor": 5000,
                "batch_id": "before its request was changed",
            },
            {"order_ref": "B", "line_no": 1, "amount_minor": 400},
            {"order_ref": "D", "line_no": 1, "amount_minor": 600},
        ],
    )
    assert rows(figures.limits) == [("CNY", "taobao", 1, 1000, 900, 100)]
    assert figures.not_compared == 1


def test_freight_stands_beside_what_was_paid_in_currencies_of_their_own() -> None:
    """An order whose freight the service did not tell is counted apart."""
    booked = {"shipment_order_id": "1", "freight_service": "7", "paid_minor": 1000}
    figures = told(
        orders=[
            order("A", "booked", **booked, freight_minor=300, freight_currency="USD"),
            order("B", "booked", **booked, freight_minor=200, freight_currency="USD"),
            order("C", "booked", **booked),
        ],
        shipments=[
            {"order_ref": ref, "shipment_order_id": "1", "company": "UCS"}
            for ref in "ABC"
        ],
    )
    assert rows(figures.freight) == [("taobao", "CNY", "USD", 2, 2000, 500)]
    assert rows(figures.carriers) == [("UCS", "7", "USD", 2, 500)]
    assert figures.freight_unknown == 1


def test_freight_is_what_the_booking_charged_where_it_told_it() -> None:
    """Another shipment of the order, which it has no more, says nothing of it."""
    paid = {"paid_minor": 1000, "freight_minor": 300, "freight_currency": "USD"}
    figures = told(
        orders=[
            order("A", "booked", **paid, shipment_order_id="2"),
            order("B", "booked", **paid, shipment_order_id="3"),
            order("C", "held", **paid),
        ],
        shipments=[
            {
                "order_ref": "A",
                "shipment_order_id": "1",
                "company": "YW",
                "fee_minor": 1,
                "currency": "USD",
            },
            {
                "order_ref": "A",
                "shipment_order_id": "2",
                "company": "UCS",
                "fee_minor": 350,
                "currency": "USD",
            },
            {"order_ref": "B", "shipment_order_id": "3", "company": "UCS"},
        ],
    )
    assert rows(figures.freight) == [("taobao", "CNY", "USD", 2, 2000, 650)]
    assert rows(figures.carriers) == [("UCS", "", "USD", 2, 650)]
    assert [row["freight_minor"] for row in figures.listed] == [300, 350, 300]


def test_a_row_of_costs_that_is_no_longer_paid_is_no_order_without_a_sum() -> None:
    """An order whose row was rejected has a row of its own, number 0, until its lines
    are there.
    """
    cost = {"order_ref": "A", "marketplace": "taobao", "landed_currency": "EUR"}
    figures = told(
        orders=[order(ref, "booked", paid_minor=1) for ref in "AB"],
        landed_costs=[
            {**cost, "line_no": 0, "problem": NOT_PAID},
            {**cost, "line_no": 1, "landed_minor": 15},
            {**cost, "order_ref": "B", "line_no": 1, "problem": NOT_PAID},
        ],
    )
    assert (len(figures.unsummed), figures.not_costed) == (0, 1)
    assert [row["landed_minor"] for row in figures.landed] == [15]


def test_landed_cost_sums_what_has_a_sum_and_says_why_the_rest_has_none() -> None:
    """Two lines are one order; a paid order that the table does not have is counted."""
    parts = ("goods", "postage", "surcharge", "discount", "refunded", "freight")
    line = {"marketplace": "taobao", "landed_currency": "EUR", "landed_minor": 15}
    line |= {f"landed_{part}_minor": place for place, part in enumerate(parts)}
    figures = told(
        orders=[order(ref, "booked", paid_minor=1) for ref in "ABC"],
        landed_costs=[
            {**line, "order_ref": "A", "line_no": 1},
            {**line, "order_ref": "A", "line_no": 2},
            {
                "order_ref": "B",
                "marketplace": "taobao",
                "problem": "there is no rate from USD to EUR",
            },
        ],
    )
    assert rows(figures.landed) == [("EUR", "taobao", 1, 0, 2, 4, 10, 6, 8, 30)]
    assert rows(figures.unsummed) == [("there is no rate from USD to EUR", 1)]
    assert figures.not_costed == 1


def test_times_are_of_the_ledger_and_of_the_scans_of_all_parcels() -> None:
    """In the warehouse and delivered is the last parcel's signature; a second scan of
    it changes nothing.
    """
    scan = {"order_ref": "A", "status": "TRANSPORT"}
    signed = {"order_ref": "A", "status": "SIGN"}
    figures = told(
        orders=[
            order(
                "A",
                "delivered",
                created_at=DAY,
                paid_at=hours(1),
                booked_at=hours(2),
                tracking_numbers=["X1", "X2"],
            ),
            order("B", "paid", created_at=DAY, paid_at=hours(3)),
            order("C", "paid", created_at=hours(0.01), paid_at=DAY),
            order("D", "paid", created_at=hours(5), paid_at=DAY),
        ],
        tracking_events=[
            {**scan, "tracking_number": "D1", "occurred_at": hours(10)},
            {**signed, "tracking_number": "D1", "occurred_at": hours(20)},
            {**signed, "tracking_number": "D2", "occurred_at": hours(30)},
            {**scan, "tracking_number": "X1", "occurred_at": hours(40)},
            {**signed, "tracking_number": "X1", "occurred_at": hours(50)},
            {**signed, "tracking_number": "X2", "occurred_at": hours(60)},
            {**signed, "tracking_number": "X2", "occurred_at": hours(99)},
        ],
    )
    hour = 3600
    assert rows(figures.stages) == [
        ("ordered", "paid", 3, hour, round(2.6 * hour), 3 * hour),
        ("paid", "booked", 1, hour, hour, hour),
        ("booked", "shipped", 1, 8 * hour, 8 * hour, 8 * hour),
        ("shipped", "in_warehouse", 1, 20 * hour, 20 * hour, 20 * hour),
        ("in_warehouse", "in_transit", 1, 10 * hour, 10 * hour, 10 * hour),
        ("in_transit", "delivered", 1, 20 * hour, 20 * hour, 20 * hour),
        ("ordered", "delivered", 1, 60 * hour, 60 * hour, 60 * hour),
    ]


def test_a_service_whose_clock_is_ahead_makes_no_durations_with_ours() -> None:
    """A sandbox of which eighteen days have passed: what it says itself is compared
    with itself alone.
    """
    ahead = hours(18 * 24)
    made = order(
        "A",
        "delivered",
        created_at=DAY,
        paid_at=ahead,
        booked_at=DAY,
        updated_at=hours(1),
    )
    scan = {
        "order_ref": "A",
        "tracking_number": "D1",
        "status": "SIGN",
        "occurred_at": ahead + timedelta(hours=9),
    }
    ours = {**made, "order_ref": "B", "paid_at": hours(1)}
    figures = told(orders=[made, ours], tracking_events=[scan])
    assert rows(figures.stages) == [
        ("ordered", "paid", 1, 3600, 3600, 3600),
        ("shipped", "in_warehouse", 1, 0, 0, 0),
    ]


def test_parcels_that_are_not_as_they_should_be_are_told() -> None:
    """Those in which the warehouse found nothing are not."""
    parcel = {"order_ref": "A", "tracking_number": "YT1", "problem": None}
    figures = told(
        orders=[order("A", "in_warehouse")],
        parcels_received=[
            parcel,
            {**parcel, "tracking_number": "YT2", "problem": "a stain"},
        ],
    )
    assert rows(figures.parcels) == [("A", "YT2", "a stain")]


def test_orders_that_wait_for_the_same_are_told_together_the_unknown_first() -> None:
    """Ten are named, all are counted."""
    held = [
        order(f"H{n:02}", "held", reason="sold out", updated_at=hours(n))
        for n in range(12)
    ]
    figures = told(
        orders=[
            *held,
            order("R", "refused", reason="gone", updated_at=DAY),
            order("U", "unknown", updated_at=DAY),
        ]
    )
    assert [
        (row["state"], row["reason"], row["orders"]) for row in figures.waiting
    ] == [
        ("unknown", "", 1),
        ("held", "sold out", 12),
        ("refused", "gone", 1),
    ]
    assert figures.waiting[1]["order_refs"] == [f"H{n:02}" for n in range(10)]
    assert figures.waiting[1]["since"] == DAY


def test_of_many_orders_those_that_wait_are_listed_first() -> None:
    """Two hundred at most, with the first line's title and how many lines there are."""
    figures = told(
        orders=[
            *(order(f"A{n:03}", "delivered") for n in range(250)),
            order("Z", "held"),
        ],
        order_lines=[
            {
                "order_ref": "Z",
                "line_no": n,
                "title": f"标题 {n}",
                "item_id": f"60000{n}",
            }
            for n in (2, 1)
        ],
    )
    assert len(figures.listed) == 200
    first, second, *_ = figures.listed
    assert [first[name] for name in ("order_ref", "title", "item_id", "lines")] == [
        "Z",
        "标题 1",
        "600001",
        2,
    ]
    assert second["order_ref"] == "A000"


def test_nothing_at_all_has_figures_too() -> None:
    """Empty tables give no rows, and a document that can be printed."""
    figures = told(batch="")
    assert (figures.orders, figures.as_of, figures.not_compared) == (0, None, 0)
    assert json.loads(json.dumps(figures.to_json()))["spend"] == []


def test_the_document_has_plain_values() -> None:
    """Times in ISO 8601, gaps as null, amounts as whole numbers."""
    document = told(
        orders=[order("A", "held", reason="why", updated_at=DAY, snapshot_at=DAY)]
    ).to_json()
    assert document["as_of"] == "2026-11-02T20:00:00+00:00"
    assert document["waiting"][0]["since"] == "2026-11-02T20:00:00+00:00"
    assert (
        document["listed"][0]["paid_minor"],
        document["listed"][0]["freight_currency"],
    ) == (0, None)
    assert json.loads(json.dumps(document)) == document


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("taobao", "1688")),
            st.sampled_from(("CNY", "USD")),
            st.integers(0, 10**15),
        ),
        max_size=12,
    )
)
def test_no_minor_unit_is_lost_or_made(payments: list[tuple[str, str, int]]) -> None:
    """The sums of each currency are those of its payments, to the unit, whatever their
    size.
    """
    pay = {"paid_at": DAY}
    sums = told(
        payments=[
            {
                **pay,
                "order_ref": str(n),
                "marketplace": place,
                "currency": currency,
                "amount_minor": minor,
            }
            for n, (place, currency, minor) in enumerate(payments)
        ]
    ).spend
    for currency in ("CNY", "USD"):
        paid = sum(row["paid_minor"] for row in sums if row["currency"] == currency)
        assert paid == sum(minor for _, of, minor in payments if of == currency)


def test_a_batch_has_what_belongs_to_its_orders_and_everything_has_all(
    tmp_path: Path,
) -> None:
    """Rows of refunds and scans belong to no batch: they are found by their orders.
    Tables without a row are empty.
    """
    road = {
        "created_at": DAY,
        "paid_at": DAY,
        "booked_at": DAY,
        "tracking_numbers": ["X1", "X2"],
    }
    refund = {
        "marketplace": "taobao",
        "kind": "refund",
        "currency": "CNY",
        "state": "refunded",
        "asked_minor": 5,
    }
    scans = [
        ("D1", "SIGN", 1),
        ("X1", "TRANSPORT", 2),
        ("X2", "RETURNED", 3),
        ("X2", "SIGN", 4),
        ("X1", "SIGN", 5),
    ]
    tables: dict[str, list[dict[str, object]]] = {
        "orders": [order(ref, "delivered", **road) for ref in "AB"],
        "tracking_events": [
            {
                "order_ref": ref,
                "tracking_number": number,
                "status": status,
                "occurred_at": hours(hour),
                "sequence": hour,
            }
            for ref in "AB"
            for number, status, hour in scans
        ],
        "refunds": [{**refund, "order_ref": ref, "refund_key": ref} for ref in "AB"],
    }
    for ref, batch in (("A", "b"), ("B", "c")):
        of_it = {
            name: [
                {
                    column: value
                    for column, value in row.items()
                    if column not in ENVELOPE
                }
                for row in frame(
                    name, [one for one in some if one["order_ref"] == ref]
                ).to_pylist()
            ]
            for name, some in tables.items()
        }
        write_snapshot(
            tmp_path, batch, DAY.date(), of_it, batch_id=batch, written_at=DAY
        )
    whole, of_batch = (report(tmp_path, batch, "UTC") for batch in ("", "b"))
    assert [
        (one.orders, [row["refunds"] for row in one.refunds])
        for one in (whole, of_batch)
    ] == [(2, [2]), (1, [1])]
    assert rows(of_batch.stages)[-1] == (
        "ordered",
        "delivered",
        1,
        5 * 3600,
        5 * 3600,
        5 * 3600,
    )
    with pytest.raises(
        UnknownBatch, match=r"no snapshot has a batch x; the newest are b, c"
    ):
        report(tmp_path, "x", "UTC")
    assert report(tmp_path / "none", "", "UTC").orders == 0
