"""The tables of orders, and of what became of them: their rows are of the ledger's
orders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from connectors.snapshots.tables.shared import (
    NOT_FILLED,
    ORDER_ID_ALWAYS,
    amount,
    currency_of,
    moment,
    shared,
    variant,
)
from connectors.snapshots.tables.table import Table, count, or_none, text, unfilled
from domain.money import Money
from domain.orders import OrderLine
from domain.states import REACHED_BOOKED, OrderState

DONE = "done"
DONE_STATES = REACHED_BOOKED | {
    OrderState.ORDERED,
    OrderState.PAID,
    OrderState.PAYMENT_PENDING,
}


class PricedLine(NamedTuple):
    """A line of an order with its price."""

    order: Any
    line: OrderLine
    unit_price: Money
    amount: Money


def _lines(order: Any) -> Iterator[PricedLine]:
    for line, price in zip(order.lines, order.priced_lines, strict=True):
        yield PricedLine(order, line, price.unit_price, price.amount)


ORDERS = Table(
    "orders",
    ("order_ref",),
    "Where every order stands: one row an order, whenever it moved.",
    {
        **shared(
            "order_ref", "marketplace", "state", "reason", "reason_code", "order_id"
        ),
        "seller_id": variant(
            "seller_id",
            null="no product was found for its lines",
            get=or_none("seller_id"),
        ),
        "quoted_minor": amount(
            "What the preview said that paying will cost: goods, domestic postage, the service's fee. "
            "0: there was no preview, or it was refused.",
            source="preview answer (see `quotes`)",
            example=10300,
            get=lambda order: order.quote.total.minor if order.quote else 0,
        ),
        "approved_minor": amount(
            "What was approved for goods and domestic postage. 0: nothing is approved.",
            source="ledger: the approval",
            example=10300,
            get="approved.minor",
        ),
        "paid_minor": amount(
            "What the wallet paid: goods, domestic postage, the service's fee; no freight, and refunds not taken off "
            "(see `refunds`). 0: not paid, as far as is known.",
            source="order as the service shows it: `payAmount` (Taobao), `totalAmount` (1688), `totalPayment` "
            "(bigMajor), `paidAmount` (international), `realPayAmount` (Poizon); or what a person answered",
            example=10300,
            get="paid.minor",
        ),
        "currency": variant(
            "currency", words="Currency of what is quoted, approved and paid: yuan."
        ),
        "freight_minor": count(
            "What the international freight costs, as booked; of an order held for its freight what is asked for it. "
            "0 beside a null `freight_currency`: neither; `freight_quotes` has what is on offer.",
            unit="minor units of `freight_currency`",
            source="answer of the freight preview",
            example=2160,
            get=lambda order: order.freight_minor or 0,
        ),
        "freight_currency": currency_of(
            "`freight_minor`",
            source="answer of the freight preview",
            example="USD",
            null="nothing is booked, and no freight waits for a yes",
            get=lambda order: (
                order.freight_currency if order.freight_minor is not None else None
            ),
        ),
        "freight_service": text(
            "The freight service of the order: booked, or chosen when it was planned.",
            source="freight answer: `serviceId`",
            example="2",
            null="none is chosen",
        ),
        **shared("shipment_order_id", "tracking_numbers"),
        "warehouse": text(
            "The address in China that the order was made with: an account may have several.",
            source="address list of the account: name, province, city, district, address",
            example="一号仓, 广东省 深圳市 宝安区 福永街道1号",
            null="the order is not made, or was found later without an answer",
        ),
        "created_at": moment(
            "When the order was made at the marketplace: when its answer came, or, where the order was found later "
            "without one, when the service says that it was made.",
            clock="UTC, this machine's clock, or the service's of an order found later",
            source="ledger",
            null="the marketplace has not made the order, as far as is known",
            get="ordered_at",
        ),
        **shared("paid_at", "booked_at"),
        "updated_at": moment(
            "When the ledger last wrote something to the order.",
            source="ledger",
            null="never",
        ),
        "shop": text(
            "The shop that the order is of, by the profile that read its file.",
            source="request file: its header",
            example="shopify",
            null="the order is of no shop's file",
        ),
        "shop_ref": text(
            "The order's id in that shop; several orders have one where its goods are of several sellers.",
            source="the shop's file",
            example="#1001",
            null="the order is of no shop's file",
        ),
        "line_count": count(
            "How many lines it has, from 1 on; 0: none is matched to a product. Rows of `order_lines` and `requests` "
            "with a `line_no` above it are of lines that were taken out of it.",
            unit="lines",
            source="ledger",
            example=2,
            null="never",
            get=lambda order: len(order.lines),
        ),
    },
)
ORDER_LINES = Table(
    "order_lines",
    ("order_ref", "line_no"),
    "What an order consists of: one row a line that was matched to a product's variant. Those with the order's "
    "`batch_id` and within its `line_count` count: others were taken out of it.",
    {
        **shared("order_ref", of="order"),
        **shared("line_no", of="line"),
        **shared("marketplace", "order_id", of="order"),
        **shared("item_id", of="line"),
        "sku_id": variant("sku_id", null="never", get="line.sku_id"),
        **shared(
            "spec_id",
            "distribution_item_id",
            "distribution_sku_id",
            "title",
            "image_url",
            of="line",
        ),
        "quantity": variant(
            "quantity", words="How many are bought.", get="line.quantity"
        ),
        "unit_price_minor": amount(
            "What one piece costs, rounded to whole fen: `amount_minor` is exact.",
            source="preview answer; the product answer's price where the preview gave none",
            example=4900,
            get="unit_price.minor",
        ),
        "amount_minor": amount(
            "What the line's goods cost, without postage. A discount on the whole order is not in it.",
            source="preview answer; price times pieces where the preview gave none",
            example=9800,
            get="amount.minor",
        ),
        **shared("currency", of="unit_price"),
    },
    each=_lines,
)
PAYMENTS = Table(
    "payments",
    ("order_ref", "order_id"),
    "What left the wallet for orders: one row a paid order. Refunds are in `refunds`.",
    {
        **shared("order_ref", "marketplace"),
        "order_id": ORDER_ID_ALWAYS,
        "amount_minor": amount(
            "What was paid: goods, domestic postage, the service's fee.",
            source="order as the service shows it (see `orders.paid_minor`)",
            example=10300,
            get="paid_minor",
        ),
        **shared("currency"),
        "paid_at": variant("paid_at", null="the service does not tell when"),
    },
    each=lambda order: () if order.paid_minor is None else (order,),
)
OUTCOMES = Table(
    "outcomes",
    ("order_ref",),
    "What came of every order, in short: beside `orders` for counting.",
    {
        **shared("order_ref", "marketplace", "state"),
        "outcome": text(
            "`done` for an order that is made or further on the road, else the same as `state`.",
            source="ledger",
            example=DONE,
            get=lambda order: DONE if order.state in DONE_STATES else order.state,
        ),
        "action": text(
            "What was tried last.",
            source="not filled",
            example="pay",
            null=NOT_FILLED,
            get=unfilled,
        ),
        **shared("reason", "reason_code"),
        "question": text(
            "What a person has to find out. `reason` has it.",
            source="not filled",
            example="Does the marketplace's console show an order with reference US-1001?",
            null=NOT_FILLED,
            get=unfilled,
        ),
        "spent_minor": amount(
            "What the wallet paid for it; refunds not taken off. 0: not paid, as far as is known.",
            source="ledger (see `orders.paid_minor`)",
            example=10300,
            get="paid.minor",
        ),
        **shared("currency"),
        "finished_at": moment(
            "When the ledger last wrote something to the order; it may go on from there.",
            source="ledger",
            null="never",
            get="updated_at",
        ),
    },
)
