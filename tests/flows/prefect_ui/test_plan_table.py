"""What a dry run shows of its plan."""

from __future__ import annotations

from dataclasses import replace

from domain.decisions import held
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Quote, Sku
from domain.plan import PlannedOrder
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows.prefect_ui.markdown import (
    dry_run_summary,
    markdown_report,
    table_row,
)
from flows.report.sections import describe
from tests.flows.plans import planned
from tests.verdicts import in_these_words

OFFER = Offer(
    marketplace=Marketplace.TAOBAO,
    item_id="1",
    title="Cup | blue",
    image_url="",
    seller_id="seller",
    seller_name="",
    min_quantity=1,
    active=True,
    skus=(
        Sku(sku_id="2", name="blue", price=Money(500), stock=1204),
        Sku(sku_id="3", name="red", price=Money(500), stock=1),
    ),
)
FINE = replace(planned("A-1"), offers=(OFFER,))
DEAR = replace(
    planned("A-2", fen=9900), offers=(OFFER,), freight_service=None
).with_verdict(held(in_these_words("dear")))
GONE = replace(planned("A-3"), lines=(), quote=None, freight_service=None).with_verdict(
    held(in_these_words("gone"))
)
BEGUN = replace(planned("A-4"), offers=(OFFER,), is_begun=True)


def line_of(plan: PlannedOrder) -> ReportLine:
    return ReportLine(
        order_ref=plan.order_ref,
        marketplace="taobao",
        state=plan.state,
        reason=plan.reason,
    )


REPORT = BatchReport(
    batch_id="b",
    orders=[
        *map(line_of, (FINE, DEAR, GONE)),
        ReportLine(
            order_ref="A-4",
            marketplace="taobao",
            state=OrderState.PAID,
            reason="",
            paid_fen=700,
        ),
        ReportLine(
            order_ref="A-5",
            marketplace="1688",
            state=OrderState.DELIVERED,
            reason="",
            paid_fen=800,
        ),
    ],
    spent_this_run_fen=0,
    bought_this_run=0,
    snapshot_id="b-plan",
    snapshot_root="/s",
    dry_run=True,
    plans=[FINE, DEAR, GONE],
    to_ship=[BEGUN],
)


def test_every_order_says_what_it_would_cost_or_why_not() -> None:
    """Price and freight; what is held keeps its price; what was bought shows what was
    paid.
    """
    _, waiting, *_, orders = describe(REPORT)
    assert [(row[0], row[3]) for row in waiting.rows] == [
        ("A-2", "dear"),
        ("A-3", "gone"),
    ]
    assert orders.columns[4:6] == ("price", "freight")
    assert [(row[0], str(row[2]), *row[4:6]) for row in orders.rows] == [
        ("A-2", "held", "99.00 CNY", ""),
        ("A-3", "held", "", ""),
        ("A-1", "planned", "10.00 CNY", "5.00 USD"),
        ("A-4", "paid", "7.00 CNY", "5.00 USD"),
        ("A-5", "delivered", "8.00 CNY", ""),
    ]


def test_a_total_below_its_parts_says_how_much_less_it_is() -> None:
    """In the row that is approved, too; of an order that is held the price alone."""
    quote = Quote(goods=Money(4000), postage=Money(600), total=Money(1000))
    less = replace(FINE, quote=quote)
    assert (
        table_row(less)["goods and postage"]
        == "10.00 CNY (36.00 CNY less than its parts)"
    )
    explained = replace(FINE, quote=replace(quote, discount=Money(3600)))
    assert table_row(explained)["goods and postage"] == "10.00 CNY"
    assert table_row(replace(DEAR, quote=quote))["goods and postage"] == "10.00 CNY"


def test_the_total_counts_what_a_run_would_buy_and_ship() -> None:
    """Not what is held, and not the goods of orders that were paid before."""
    words = "A run would buy **1 order** for **10.00 CNY** and ship **2 orders** for freight of **10.00 USD**."
    words += " **1 of 1 line has no price limit.**"
    assert dry_run_summary(REPORT) == words
    assert markdown_report(REPORT).startswith(
        f"# Batch b (dry run: nothing was bought)\n\n{words}\n\n"
    )


def test_programs_read_the_same_from_a_dry_run_alone() -> None:
    """The documented keys of an order stay as they are; a dry run adds what the order
    would cost.
    """
    first, dear, gone, begun, over = REPORT.to_json()["orders"]
    usual = {
        *(
            "order_ref",
            "marketplace",
            "state",
            "reason",
            "reason_code",
            "reason_facts",
            "remedy",
            "order_id",
            "paid_fen",
        ),
        *("shipment_order_id", "tracking_numbers", "freight_minor", "freight_currency"),
    }
    assert (
        first["quoted_fen"],
        first["stock"],
        first["freight_minor"],
        first["freight_currency"],
    ) == (*(1000, 1204, 500, "USD"),)
    assert (
        dear["quoted_fen"],
        dear["freight_minor"],
        gone["quoted_fen"],
        gone["stock"],
    ) == (9900, None, None, None)
    assert set(begun) == set(over) == usual
    assert (
        set(replace(REPORT, dry_run=False, plans=(), to_ship=()).to_json()["orders"][0])
        == usual
    )
