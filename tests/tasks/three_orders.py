"""Three orders whose landed cost was computed by hand: two currencies, a shared parcel,
a rest in each split.

A-1 and A-2 travel in parcel FAR1, whose two bookings cost 12.00 and 8.01 USD; B-1
travels alone for 5.00 USD.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from connectors.snapshots.tables import TABLES
from domain.landed import Books, Rate, Rates
from tasks.landed_cost import BILLS, landed_cost

CostTables = dict[str, pa.Table]
PAID = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)  # the 3rd in Berlin
BOOKED = datetime(2026, 11, 3, 8, tzinfo=UTC)
DAY = date(2026, 11, 2)
RATES = [
    Rate(base="CNY", into="EUR", rate=Decimal("0.1285"), on=DAY, source="ECB"),
    Rate(base="USD", into="EUR", rate=Decimal("0.9237"), on=DAY, source="our bank"),
]
EUR = Books("EUR", Rates(RATES))
RATES_CSV = "from,to,rate,date,source\nCNY,EUR,0.1285,2026-11-02,ECB\nUSD,EUR,0.9237,2026-11-02,our bank\n"

FILLED: dict[pa.DataType, object] = {
    pa.int64(): 0,
    pa.string(): "",
    pa.bool_(): False,
    pa.list_(pa.string()): [],
}


def rows_of(table: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with something in each column that must be filled."""
    needed = {
        field.name: FILLED.get(field.type, PAID)
        for field in TABLES[table].schema
        if not field.nullable
    }
    return [{**needed, **row} for row in rows]


def arrow(table: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """The rows as `Snapshots().arrow(...)` would give them."""
    return pa.Table.from_pylist(rows_of(table, rows), schema=TABLES[table].schema)


def order(
    ref: str, paid: int, shipment: str | None, freight: int = 0, **more: Any
) -> dict[str, Any]:
    booked = {"booked_at": BOOKED, "freight_currency": "USD"} if shipment else {}
    return {
        "order_ref": ref,
        "batch_id": "autumn",
        "marketplace": "big_major",
        "state": "booked" if shipment else "paid",
        "order_id": f"2542285634920880{ref[-1]}{len(ref)}4",
        "paid_minor": paid,
        "currency": "CNY",
        "freight_minor": freight,
        "shipment_order_id": shipment,
        "paid_at": PAID,
        **booked,
        **more,
    }


def line(ref: str, line_no: int, amount: int, **more: Any) -> dict[str, Any]:
    ids = {
        "item_id": "730254020329",
        "sku_id": f"513491234567{line_no}",
        "title": "帆布 双肩包",
        "quantity": 2,
    }
    money = {"amount_minor": amount, "currency": "CNY"}
    return {
        "order_ref": ref,
        "batch_id": "autumn",
        "line_no": line_no,
        "marketplace": "big_major",
        **money,
        **ids,
        **more,
    }


def quote(ref: str, goods: int, postage: int, total: int) -> dict[str, Any]:
    amounts = {"goods_minor": goods, "postage_minor": postage, "total_minor": total}
    return {"order_ref": ref, "marketplace": "big_major", "currency": "CNY", **amounts}


def shipment(
    ref: str, number: str, fee: int | None, *parcels: str, currency: str = "USD"
) -> dict[str, Any]:
    record = {} if fee is None else {"fee_minor": fee, "currency": currency}
    return {
        "order_ref": ref,
        "shipment_order_id": number,
        "tracking_numbers": list(parcels),
        **record,
    }


def refund(ref: str, amount: int, part: str = "all") -> dict[str, Any]:
    kind = {"marketplace": "big_major", "kind": "refund", "state": "refunded"}
    money = {"refunded_minor": amount, "currency": "CNY"}
    return {
        "order_ref": ref,
        "refund_key": f"{ref}:{part}",
        "part": part,
        **kind,
        **money,
    }


ROWS: dict[str, list[dict[str, Any]]] = {
    "orders": [
        order("A-1", 3588, "S-1"),
        order("A-2", 5800, "S-2"),
        order("B-1", 5100, "S-3"),
        order("C-1", 0, None),
    ],
    "order_lines": [
        *(line("A-1", 3, 1000), line("A-1", 1, 1000), line("A-1", 2, 1000)),
        line("A-2", 1, 6000),
        *(line("B-1", 1, 1999), line("B-1", 2, 3001)),
        line("C-1", 1, 700),
    ],
    "quotes": [
        quote("A-1", 3000, 500, 3588),
        quote("A-2", 6000, 0, 6000),
        quote("B-1", 5000, 100, 5100),
    ],
    "shipments": [
        *(shipment("A-1", "S-1", 1200, "FAR1"), shipment("A-2", "S-2", 801, "FAR1")),
        shipment("B-1", "S-3", 500, "FAR2"),
    ],
    "refunds": [refund("A-2", 1000)],
}

# What was paid, in fen: 5.00 of postage and 0.88 of fee over three equal lines leave a
# rest each; A-2 was paid 2.00 cheaper than quoted, and 10.00 came back. Freight in
# cents: 20.01 over 10, 10, 10 and 60 yuan.
IN_FEN_AND_CENTS = {
    ("A-1", 1): {
        "goods": 1000,
        "postage": 167,
        "surcharge": 30,
        "discount": 0,
        "refunded": 0,
        "freight": 223,
    },
    ("A-1", 2): {
        "goods": 1000,
        "postage": 167,
        "surcharge": 29,
        "discount": 0,
        "refunded": 0,
        "freight": 222,
    },
    ("A-1", 3): {
        "goods": 1000,
        "postage": 166,
        "surcharge": 29,
        "discount": 0,
        "refunded": 0,
        "freight": 222,
    },
    ("A-2", 1): {
        "goods": 6000,
        "postage": 0,
        "surcharge": 0,
        "discount": 200,
        "refunded": 1000,
        "freight": 1334,
    },
    ("B-1", 1): {
        "goods": 1999,
        "postage": 40,
        "surcharge": 0,
        "discount": 0,
        "refunded": 0,
        "freight": 200,
    },
    ("B-1", 2): {
        "goods": 3001,
        "postage": 60,
        "surcharge": 0,
        "discount": 0,
        "refunded": 0,
        "freight": 300,
    },
}
# In euro cents. A-1: 35.88 x 0.1285 = 4.61058, of which 153.81, 153.69 and 153.56 are
# 154, 154 and 153. A-2: 48.00 net is 6.168. B-1: 51.00 is 6.5535. The parcel: 20.01 x
# 0.9237 = 18.483237; B-1's: 4.6185.
LANDED = {
    ("A-1", 1): {
        "goods": 129,
        "postage": 21,
        "surcharge": 4,
        "discount": 0,
        "refunded": 0,
        "freight": 206,
    },
    ("A-1", 2): {
        "goods": 129,
        "postage": 21,
        "surcharge": 4,
        "discount": 0,
        "refunded": 0,
        "freight": 205,
    },
    ("A-1", 3): {
        "goods": 128,
        "postage": 21,
        "surcharge": 4,
        "discount": 0,
        "refunded": 0,
        "freight": 205,
    },
    ("A-2", 1): {
        "goods": 771,
        "postage": 0,
        "surcharge": 0,
        "discount": 26,
        "refunded": 128,
        "freight": 1232,
    },
    ("B-1", 1): {
        "goods": 257,
        "postage": 5,
        "surcharge": 0,
        "discount": 0,
        "refunded": 0,
        "freight": 185,
    },
    ("B-1", 2): {
        "goods": 385,
        "postage": 8,
        "surcharge": 0,
        "discount": 0,
        "refunded": 0,
        "freight": 277,
    },
}
SUMS = {
    ("A-1", 1): 360,
    ("A-1", 2): 359,
    ("A-1", 3): 358,
    ("A-2", 1): 1849,
    ("B-1", 1): 447,
    ("B-1", 2): 670,
}
ORDER_SUMS = {"A-1": 1077, "A-2": 1849, "B-1": 1117}


def three_orders(**changed: Sequence[dict[str, Any]]) -> CostTables:
    """The tables, some of them with other rows."""
    return {name: arrow(name, rows) for name, rows in {**ROWS, **changed}.items()}


def costs_in(tables: CostTables, books: Books = EUR, timezone: str = "UTC") -> pa.Table:
    """What the orders of these tables cost."""
    with duckdb.connect() as connection:
        for name, rows in tables.items():
            connection.register(name, rows)
        bills = connection.sql(BILLS, params={"timezone": timezone}).to_arrow_table()
    return landed_cost(bills, books)
