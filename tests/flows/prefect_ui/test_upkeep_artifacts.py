"""What tracking, cancelling and after-sale runs show of themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors.ledger.records import JSON_COLUMNS, OrderRecord, line_of
from connectors.ledger.schema import as_text, orders, to_json
from domain.after_sale import Refund, RefundKind, RefundState, standing
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.report import ReportLine
from domain.states import OrderState
from domain.wording import counted, pluralize, shorten
from flows.after_sale_reporting import AfterSaleReport, Trouble
from flows.after_sale_reporting import artifact_rows as after_sale_rows
from flows.after_sale_reporting import summary_of as after_sale_summary
from flows.batch.chunks import chunks
from flows.sync_tracking import (
    TASKS,
    TrackReport,
    orders_a_task,
    scan_words,
    summary_of,
    tracking_rows,
)
from tests.connectors.ledger.plans import plan
from tests.flows.plans import planned

AT = datetime(2026, 3, 20, 12, tzinfo=UTC)


def order(order_ref: str, state: OrderState, **columns: object) -> OrderRecord:
    row: dict[str, Any] = dict.fromkeys(orders.c.keys())
    row |= {
        **plan(order_ref),
        "request": to_json(planned(order_ref).request),
        "state": state,
        **columns,
    }
    return OrderRecord.of(
        row | {name: row.get(name) and as_text(row[name]) for name in JSON_COLUMNS}
    )


def event(
    order_ref: str, hour: int, description: str, place: str = "", number: str = "SF1"
) -> dict[str, object]:
    told = {
        "tracking_number": number,
        "status": "SIGN",
        "description": description,
        "place": place,
    }
    return {"order_ref": order_ref, "occurred_at": AT.replace(hour=hour), **told}


def test_tracking_shows_what_moved_and_what_was_heard() -> None:
    """The newest scan of each; an order of which nothing is new has no row, and what
    moved comes first.
    """
    shipment = {
        "shipment_order_id": "9",
        "tracking_numbers": ["T1"],
        "tracking_urls": ["https://carrier.example/T1"],
    }
    was = dict.fromkeys(("A-1", "A-2", "A-3"), OrderState.BOOKED)
    now = {
        ref: order(
            ref,
            OrderState.IN_WAREHOUSE if ref == "A-2" else was[ref],
            shipment=shipment,
        )
        for ref in was
    }
    newest = {"A-1": scan_words(event("A-1", 9, "sent"), now["A-1"])}
    newest["A-2"] = scan_words(event("A-2", 11, "signed", "Shenzhen"), now["A-2"])
    report = TrackReport(
        followed=3,
        moved=[line_of(now["A-2"])],
        new_events=3,
        troubles=["A-9: no answer"],
        snapshot_id=None,
        snapshot_root="/s",
        orders=[line_of(one) for one in now.values()],
    )
    assert summary_of(report) == "3 orders: 1 moved, 3 new events, 1 not asked about"
    assert tracking_rows(report, was, newest) == [
        {
            "order": "A-2",
            "was": "booked",
            "is": "in_warehouse",
            "newest scan": "2026-03-20 11:00 signed, Shenzhen",
            "reason": "",
            "tracking": "T1",
            "marketplace": "taobao",
        },
        {
            "order": "A-1",
            "was": "booked",
            "is": "booked",
            "newest scan": "2026-03-20 09:00 sent",
            "reason": "",
            "tracking": "T1",
            "marketplace": "taobao",
        },
    ]


def test_a_scan_names_no_receiver_and_at_the_door_nobody() -> None:
    """At the warehouse in China nobody of the merchant's customers signs, so there the
    words stay.
    """
    shipment = {
        "shipment_order_id": "9",
        "tracking_numbers": ["T1"],
        "tracking_urls": [],
    }
    booked = order("A-1", OrderState.BOOKED, shipment=shipment)
    events = [
        event("A-1", 9, "signed by a neighbour", "LA", "T1"),
        event("A-1", 9, "Jane has to be called", "LA"),
    ]
    assert [scan_words(one, booked) for one in events] == [
        "2026-03-20 09:00 SIGN",
        "2026-03-20 09:00 [receiver_name] has to be called, [city]",
    ]


def test_a_day_of_tracking_is_few_task_runs_however_many_parcels() -> None:
    """Each hour those that follow parcels, and the one that writes the snapshot."""
    tasks = [
        len(chunks(range(orders), orders_a_task(orders, 100)))
        for orders in (1, 150, 14_000, 20_001)
    ]
    assert tasks == [1, 2, TASKS, TASKS]
    assert 24 * (TASKS + 1) <= 200


def line(order_ref: str, state: OrderState) -> ReportLine:
    return ReportLine(order_ref=order_ref, marketplace="1688", state=state, reason="")


def refund(order_ref: str, asked: int, back: int) -> Refund:
    return Refund(
        key=f"{order_ref}:all.1", order_ref=order_ref, marketplace=Marketplace.ALIBABA_1688, order_id="77", part="all",
        number=1, lines=(1,), entry_ids=(), kind=RefundKind.REFUND, state=RefundState.REFUNDED, reason_id=1,
        reason="broken", goods="1", goods_amount=Money(asked), postage=Money(0), approved=Money(0),
        refunded=Money(back), description="", vouchers=(), earlier_refund_ids=(), state_before=OrderState.BOOKED,
    )  # fmt: skip


def test_after_sale_shows_what_is_asked_and_what_came_back() -> None:
    """A row an order, its refunds summed up."""
    report = AfterSaleReport(
        orders=[
            line("A-1", OrderState.REFUNDED),
            line("A-2", OrderState.CANCELLED),
            line("A-3", OrderState.CANCELLED),
        ],
        refunds=[refund("A-1", 700, 700), refund("A-1", 500, 400)],
        troubles=[Trouble("A-4", because(ReasonCode.NO_REFUND_NOW))],
        snapshot_id=None,
        snapshot_root="/s",
    )
    assert after_sale_summary(report) == (
        "3 orders: 2 cancelled, 1 refunded; 2 refunds: 2 refunded, 11.00 CNY came back; 1 not as asked"
    )
    strange, first, second, _ = after_sale_rows(report)
    assert first == {
        "order": "A-1",
        "state": "refunded",
        "not as asked": "",
        "done": "",
        "reason": "",
        "refunds": f"{standing(refund('A-1', 700, 700))}; {standing(refund('A-1', 500, 400))}",
        "asked back": "12.00 CNY",
        "came back": "11.00 CNY",
        "marketplace": "1688",
    }
    assert (strange["order"], strange["not as asked"], strange["state"]) == (
        "A-4",
        "the marketplace takes no such refund now",
        "",
    )
    assert (second["asked back"], second["came back"]) == ("", "")


def test_nothing_to_do_is_said() -> None:
    nothing = AfterSaleReport(
        orders=[], refunds=[], troubles=[], snapshot_id=None, snapshot_root="/s"
    )
    assert after_sale_summary(nothing) == "nothing to do"


def test_what_would_happen_is_said() -> None:
    report = AfterSaleReport(
        orders=[],
        refunds=[],
        troubles=[],
        snapshot_id=None,
        snapshot_root="/s",
        did={"A-1": "would close it unpaid"},
        only_shown=True,
    )
    assert (
        after_sale_summary(report) == "only shown: nothing to do; would close it unpaid"
    )


def test_words_for_names_and_numbers() -> None:
    """Many names are cut, one thing is not many."""
    assert shorten(["A-1", "A-2", "A-3"]) == "A-1, A-2, A-3"
    assert (
        shorten([f"A-{number}" for number in range(1005)])
        == "A-0, A-1, A-2 and 1,002 more"
    )
    assert (pluralize(1, "order"), pluralize(0, "order"), pluralize(1200, "order")) == (
        "1 order",
        "0 orders",
        "1,200 orders",
    )
    assert counted(["held", "payment_missing", "held"]) == "2 held, 1 payment missing"
