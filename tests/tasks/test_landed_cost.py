"""The landed cost of every line: by hand to the fen and cent, types, gaps, and what is
said instead of a sum.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from connectors.snapshots.tables import LANDED_COSTS
from domain.landed import Books, Rate, Rates
from tasks.landed_cost import SCHEMA
from tests.tasks.three_orders import (
    EUR,
    IN_FEN_AND_CENTS,
    LANDED,
    RATES,
    ROWS,
    SUMS,
    CostTables,
    costs_in,
    line,
    order,
    quote,
    refund,
    shipment,
    three_orders,
)


def costs(
    tables: CostTables, books: Books = EUR, timezone: str = "UTC"
) -> pd.DataFrame:
    frame: pd.DataFrame = costs_in(tables, books, timezone).to_pandas(
        types_mapper=pd.ArrowDtype
    )
    return frame


def column(found: pd.DataFrame, name: str) -> dict[tuple[str, int], Any]:
    keys = zip(found["order_ref"], found["line_no"], strict=True)
    return dict(
        zip(
            keys,
            [None if value is pd.NA else value for value in found[name]],
            strict=True,
        )
    )


def amounts(found: pd.DataFrame, pattern: str) -> dict[tuple[str, int], dict[str, int]]:
    names = next(iter(LANDED.values()))
    by_name = {name: column(found, pattern.format(name)) for name in names}
    return {
        key: {name: by_name[name][key] for name in names}
        for key in column(found, "line_no")
    }


def problems(found: pd.DataFrame) -> dict[str, str | None]:
    return dict(zip(found["order_ref"], column(found, "problem").values(), strict=True))


def test_three_orders_agree_with_the_hand_to_the_fen_and_cent() -> None:
    frame = costs(three_orders())

    assert amounts(frame, "{}_minor") == IN_FEN_AND_CENTS
    assert amounts(frame, "landed_{}_minor") == LANDED
    assert column(frame, "landed_minor") == SUMS


def test_a_row_is_this_to_the_last_column() -> None:
    frame = costs(three_orders(orders=[order("B-1", 5100, "S-3")]))

    assert frame.iloc[0].to_dict() == {
        "order_ref": "B-1",
        "line_no": 1,
        "marketplace": "big_major",
        "order_id": "2542285634920880134",
        "shipment_order_id": "S-3",
        "item_id": "730254020329",
        "sku_id": "5134912345671",
        "title": "帆布 双肩包",
        "quantity": 2,
        "paid_on": "2026-11-02",
        "goods_minor": 1999,
        "postage_minor": 40,
        "surcharge_minor": 0,
        "discount_minor": 0,
        "refunded_minor": 0,
        "currency": "CNY",
        "freight_minor": 200,
        "freight_currency": "USD",
        "landed_currency": "EUR",
        "landed_goods_minor": 257,
        "landed_postage_minor": 5,
        "landed_surcharge_minor": 0,
        "landed_discount_minor": 0,
        "landed_refunded_minor": 0,
        "landed_freight_minor": 185,
        "landed_minor": 447,
        "rate": "0.1285",
        "rate_date": "2026-11-02",
        "rate_source": "ECB",
        "freight_rate": "0.9237",
        "freight_rate_date": "2026-11-02",
        "freight_rate_source": "our bank",
        "problem": None,
        "batch_id": "autumn",
    }


@pytest.mark.parametrize(
    "tables", [three_orders(), three_orders(**{name: [] for name in ROWS})]
)
def test_ids_are_text_amounts_int64_and_gaps_stay_gaps(tables: CostTables) -> None:
    frame = costs(tables, Books("", Rates()))

    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert types == {
        field.name: "int64[pyarrow]"
        if str(field.type) == "int64"
        else "string[pyarrow]"
        for field in SCHEMA
    }
    assert list(frame) == [
        name
        for name in LANDED_COSTS.schema.names
        if name not in ("snapshot_id", "snapshot_at")
    ]
    assert frame["landed_minor"].isna().all()
    assert frame["goods_minor"].sum() == (14_000 if len(frame) else 0)


def test_days_are_the_merchants_and_a_rate_of_a_later_day_never_counts() -> None:
    later = [replace(rate, on=date(2026, 11, 3), source="later") for rate in RATES]
    frame = costs(three_orders(), Books("EUR", Rates([*RATES, *later])), "UTC")
    in_berlin = costs(
        three_orders(), Books("EUR", Rates([*RATES, *later])), "Europe/Berlin"
    )

    assert set(frame["paid_on"]) == {"2026-11-02"}
    assert set(frame["rate_source"]) == {"ECB"}
    assert set(frame["freight_rate_source"]) == {"later"}  # booked on the 3rd
    assert set(in_berlin["paid_on"]) == {"2026-11-03"}
    assert set(in_berlin["rate_source"]) == {"later"}


ONE_LINE_EACH: dict[str, Any] = {
    "orders": [order("A-1", 1000, "S-1"), order("A-2", 3000, "S-2")],
    "order_lines": [line("A-1", 1, 1000), line("A-2", 1, 3000)],
    "quotes": [],
    "refunds": [],
}


def test_freight_is_split_by_the_value_of_all_that_travels_together() -> None:
    """20.01 USD over two orders, of 10 and of 30 yuan."""
    frame = costs(three_orders(**ONE_LINE_EACH))
    assert list(frame["freight_minor"]) == [500, 1501]


def test_a_line_that_came_broken_pays_its_freight() -> None:
    """Its money came back and its goods did not: they travelled all the same."""
    frame = costs(
        three_orders(
            orders=[order("B-1", 5100, "S-3", state="delivered")],
            refunds=[refund("B-1", 3061, "2")],
        )
    )
    assert frame["freight_minor"].tolist() == [200, 300]


def test_without_the_bookings_fee_the_price_of_the_chosen_service_counts() -> None:
    frame = costs(
        three_orders(
            orders=[order("B-1", 5100, "S-3", 555)],
            shipments=[shipment("B-1", "S-3", None)],
        )
    )

    assert frame["freight_minor"].tolist() == [222, 333]


def test_without_a_quote_what_was_paid_beside_the_lines_is_a_surcharge() -> None:
    frame = costs(three_orders(orders=[order("B-1", 5100, "S-3")], quotes=[]))

    assert frame["postage_minor"].tolist() == [0, 0]
    assert frame["surcharge_minor"].tolist() == [40, 60]


def test_a_discount_in_the_goods_is_named() -> None:
    """The lines come to 50.00, the quote's goods to 48.00; then it became 1.00
    dearer.
    """
    frame = costs(
        three_orders(
            orders=[order("B-1", 5000, "S-3")], quotes=[quote("B-1", 4800, 100, 4900)]
        )
    )

    assert frame["discount_minor"].tolist() == [80, 120]
    assert frame["surcharge_minor"].tolist() == [40, 60]


@pytest.mark.parametrize(
    ("refunds", "back"),
    [
        (
            [refund("A-1", 3588), refund("A-1", 3588, "1+2+3")],
            [1197, 1196, 1195],
        ),  # one under two ids
        ([refund("A-1", 600, "2")], [0, 600, 0]),
        (
            [refund("A-1", 600, "1+3")],
            [300, 0, 300],
        ),  # of 11.97 and 11.95: 300.25 and 299.75
        (
            [refund("A-1", 1500, "2")],
            [152, 1196, 152],
        ),  # more than line 2 took: the rest is of the others
        ([refund("A-1", 3588)], [1197, 1196, 1195]),
        ([refund("A-1", 2392), refund("A-1", 1196, "2")], [1197, 1196, 1195]),
    ],
)
def test_what_came_back_is_taken_off_the_lines_that_it_is_for(
    refunds: list[dict[str, Any]], back: list[int]
) -> None:
    frame = costs(three_orders(orders=[order("A-1", 3588, "S-1")], refunds=refunds))

    assert frame["refunded_minor"].tolist() == back
    assert (frame["landed_minor"] >= frame["landed_freight_minor"]).all()


def test_in_the_currency_of_the_goods_no_rate_is_needed_for_them() -> None:
    rates = Rates(
        [
            Rate(
                base="USD",
                into="CNY",
                rate=Decimal("7.1"),
                on=date(2026, 11, 3),
                source="BoC",
            )
        ]
    )
    frame = costs(three_orders(orders=[order("A-2", 5800, "S-2")]), Books("CNY", rates))

    assert frame["landed_goods_minor"].tolist() == [6000]
    assert frame["landed_minor"].tolist() == [4800 + 5687]  # 8.01 x 7.1 = 56.871
    assert frame["rate"].isna().all()
    assert frame["freight_rate"].tolist() == ["7.1"]


@pytest.mark.parametrize(
    ("currency", "rate", "landed"),
    [("JPY", "21.3", [434, 652]), ("KWD", "0.0429", [875, 1313])],
)
def test_currencies_with_none_and_three_minor_digits_add_up_too(
    currency: str, rate: str, landed: list[int]
) -> None:
    """51.00 CNY is 1086.3 yen or 2.1879 dinars; freight of nothing."""
    rates = Rates(
        [
            Rate(
                base="CNY",
                into=currency,
                rate=Decimal(rate),
                on=date(2026, 11, 2),
                source="x",
            )
        ]
    )
    nothing = [shipment("B-1", "S-3", 0, currency="CNY")]
    frame = costs(
        three_orders(orders=[order("B-1", 5100, "S-3")], shipments=nothing),
        Books(currency, rates),
    )

    assert frame["landed_minor"].tolist() == landed


def test_a_line_beyond_those_of_its_order_is_no_part_of_what_was_paid() -> None:
    """The batch's snapshot was merged before a line was taken out of its file: the row
    stays in the table.
    """
    lines = [
        line("B-1", number, amount, batch_id="autumn")
        for number, amount in ((1, 5000), (2, 9000))
    ]
    merged = [order("B-1", 5000, "S-3", line_count=1)]
    frame = costs(
        three_orders(
            orders=merged, order_lines=lines, quotes=[quote("B-1", 5000, 0, 5000)]
        ),
        EUR,
    )

    assert frame[["line_no", "goods_minor"]].values.tolist() == [[1, 5000]]


def test_a_line_of_an_earlier_batch_is_no_part_of_what_was_paid() -> None:
    """The order was refused, its file changed and bought: the line that was taken out
    stays in the table.
    """
    lines = [
        line("B-1", 1, 5000, batch_id="autumn"),
        line("B-1", 2, 9000, batch_id="refused"),
    ]
    frame = costs(
        three_orders(
            orders=B_1, order_lines=lines, quotes=[quote("B-1", 5000, 0, 5000)]
        ),
        EUR,
    )

    assert frame[["line_no", "goods_minor"]].values.tolist() == [[1, 5000]]


CLOSED = "the marketplace closed it, and whether its money came back is not known"
REMEDY = "of the 7 days before it to SOURCING_RATES"
OLD = Rates(replace(rate, on=date(2026, 10, 20)) for rate in RATES)
B_1 = [order("B-1", 5100, "S-3")]


@pytest.mark.parametrize(
    ("changed", "books", "said"),
    [
        ({}, Books("EUR", Rates(RATES[1:])), "there is no rate from CNY to EUR; add one of 2026-11-02 or " + REMEDY),
        ({}, Books("EUR", Rates(RATES[:1])), "there is no rate from USD to EUR; add one of 2026-11-03 or " + REMEDY),
        ({}, Books("EUR", OLD), "the newest rate from CNY to EUR for 2026-11-02 is 13 days older, of 2026-10-20; add"),
        ({}, Books("", Rates(RATES)), "SOURCING_CURRENCY is not set: name the currency of your books there"),
        ({"orders": [order("B-1", 5100, None)]}, EUR, "shipping is not booked yet, so what it costs is not known"),
        ({"shipments": [shipment("B-1", "S-3", None)], "orders": [{**B_1[0], "freight_currency": None}]}, EUR,
         "the warehouse did not show what shipping cost"),
        ({"orders": [{**B_1[0], "paid_at": None}]}, EUR, "the day of its payment is not known, and so no rate"),
        ({"order_lines": []}, EUR, "a line is missing"),
        ({"order_lines": [], "quotes": []}, EUR, "the tables have no line of it"),
        ({"order_lines": [line("B-1", 1, 1999)]}, EUR,
         "the goods of its lines come to 19.99 CNY, its quote to 50.00 CNY: a line is missing"),
        ({"order_lines": [line("B-1", 1, 6000), line("B-1", 2, -1000)]}, EUR, "an amount of it is below zero"),
        ({"orders": [{**B_1[0], "reason_code": "closed_after_payment", "state": "held"}]}, EUR, CLOSED),
        ({"orders": [{**B_1[0], "reason_code": "closed_after_payment", "state": "held"}],
          "refunds": [refund("B-1", 5000)]}, EUR, CLOSED),
        ({"orders": [order("B-1", 5100, None, reason_code="paid_before_closed", state="cancelled")]}, EUR, CLOSED),
        ({"order_lines": [line("B-1", 1, 5000, currency="USD")]}, EUR,
         "it was paid in CNY, and some of it is shown in USD"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said_and_no_sum_is_made(
    changed: dict[str, Any], books: Books, said: str
) -> None:
    frame = costs(three_orders(**{"orders": B_1, **changed}), books)

    assert said in str(frame["problem"][0])
    assert (
        frame[[name for name in SCHEMA.names if re.fullmatch("landed_.*minor", name)]]
        .isna()
        .all()
        .all()
    )


def test_a_problem_of_the_parcel_is_one_of_every_order_in_it_and_of_no_other() -> None:
    mixed = [
        shipment("A-1", "S-1", 1200, "FAR1"),
        shipment("A-2", "S-2", 801, "FAR1", currency="EUR"),
    ]
    frame = costs(three_orders(shipments=[*mixed, shipment("B-1", "S-3", 500)]))

    reason = "the freight of its parcel was paid in EUR, USD"
    assert problems(frame) == {"A-1": reason, "A-2": reason, "B-1": None}


def test_an_order_that_is_over_before_it_was_shipped_has_no_freight() -> None:
    removed = order("B-1", 5100, None, state="refunded")
    frame = costs(three_orders(orders=[removed], refunds=[refund("B-1", 5100)]))

    assert frame["landed_minor"].tolist() == [0, 0]
    assert problems(frame) == {"B-1": None}


def test_a_closed_order_whose_money_came_back_has_a_sum() -> None:
    closed = order(
        "B-1", 5100, None, state="cancelled", reason_code="paid_before_closed"
    )
    frame = costs(three_orders(orders=[closed], refunds=[refund("B-1", 5100)]))

    assert frame["landed_minor"].tolist() == [0, 0]
    assert problems(frame) == {"B-1": None}


def test_what_a_closed_order_does_not_give_back_is_its_cost() -> None:
    """A person has answered that 1.00, or all, of 51.00 did not come back: nothing will
    be shipped.

    An answer about a refund that was not asked for is none to that.
    """
    answered = order("B-1", 5100, None, state="held", reason_code="rest_is_lost")
    for back, lost in ([refund("B-1", 5000)], 13), ([], 655):  # EUR cents
        frame = costs(three_orders(orders=[answered], refunds=back))
        assert (sum(frame["landed_minor"]), problems(frame)) == (lost, {"B-1": None})
    second = {**answered, "reason_code": "answered"}
    assert problems(
        costs(three_orders(orders=[second], refunds=[refund("B-1", 5000)]))
    ) == {"B-1": "shipping is not booked yet, so what it costs is not known"}


def test_orders_share_a_parcel_also_through_a_third() -> None:
    """A-1 and C-9 have no number in common: A-2 has one with each."""
    joined = [
        shipment("A-1", "S-1", 1000, "FAR1"),
        shipment("A-2", "S-2", 0, "FAR1", "FAR9"),
        shipment("C-9", "S-9", 0, "FAR9"),
    ]
    orders = [*ROWS["orders"][:2], order("C-9", 7000, "S-9")]
    lines = [line("A-1", 1, 3000), line("A-2", 1, 6000), line("C-9", 1, 1000)]
    frame = costs(
        three_orders(orders=orders, order_lines=lines, shipments=joined, quotes=[])
    )
    assert column(frame, "freight_minor") == {
        ("A-1", 1): 300,
        ("A-2", 1): 600,
        ("C-9", 1): 100,
    }
