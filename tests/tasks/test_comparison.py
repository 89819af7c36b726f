"""Ledger against service: what agrees gives nothing, and each difference is told once,
with its remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from connectors.ledger.records import OrderRecord
from domain.findings import Finding, FindingKind, ForeignOrder
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment
from domain.states import OrderState
from tasks.comparison import (
    Comparison,
    compare,
    differences,
    to_look_up,
)
from tests.tasks.facts import (
    NOW,
    SINCE,
    changed,
    ours,
    side,
    theirs,
    theirs_unpaid,
    unpaid,
)

TAOBAO = Marketplace.TAOBAO


def compared(
    ledger: Sequence[OrderRecord], shown: Sequence[ServiceOrder], **options: Any
) -> Comparison:
    foreign = options.pop("foreign", {})
    return compare(
        side(ledger, foreign=foreign),
        {TAOBAO: by_id(shown)},
        **{"since": SINCE, "now": NOW} | options,
    )


def by_id(orders: Sequence[ServiceOrder]) -> dict[str, ServiceOrder]:
    return {order.order_id: order for order in orders}


def only(ledger: Sequence[OrderRecord], shown: Sequence[ServiceOrder]) -> Finding:
    (finding,) = compared(ledger, shown).findings
    return finding


def test_what_agrees_gives_nothing() -> None:
    """A booked order, an unpaid one, a cancelled one and one that was never ordered."""
    ledger = [
        ours("A-1"),
        unpaid("A-2"),
        unpaid("A-3", state=OrderState.CANCELLED),
        unpaid("A-4", state=OrderState.REFUSED, order_id="", ordered_at=None),
        unpaid("A-5", state=OrderState.CANCELLED),
    ]
    shown = [
        theirs("A-1"),
        theirs_unpaid("A-2"),
        theirs_unpaid("A-3", status=ServiceStatus.CLOSED),
    ]
    result = compared(ledger, shown)
    assert (result.findings, result.notes, result.compared) == ([], [], 3)


def test_an_order_that_the_ledger_does_not_know() -> None:
    """Its amount, whether it is paid, and its reference are told."""
    finding = only([], [theirs_unpaid("X-1", order_id="77")])
    assert (finding.kind, finding.marketplace) == (FindingKind.ORPHAN, TAOBAO)
    assert (finding.order_ref, finding.order_id) == ("X-1", "77")
    assert (finding.expected, finding.seen) == ("no order", "unpaid, 12.00 CNY")
    assert finding.remedy.endswith("If it is not wanted, cancel it there")
    paid = only([], [theirs("X-1", reference="")])
    assert (paid.order_ref, paid.seen) == ("", "paid, 12.00 CNY paid")
    assert paid.remedy.endswith("If it is not wanted, ask for the money back there")


def test_an_order_that_somebody_said_is_not_ours() -> None:
    """It is told no more, but counted; not so when it costs more by now, or goes under
    a reference of ours.
    """
    said = ForeignOrder(
        marketplace=TAOBAO, order_id="77", amount=Money(1200), by="Mei", at=NOW
    )
    foreign = {said.identity: said}
    unpaid_one = theirs_unpaid("X-1", order_id="77")
    left_out = compared([], [unpaid_one], foreign=foreign)
    assert (left_out.findings, left_out.notes) == (
        [],
        ["marked as not ours: 1"],
    )
    (dearer,) = compared(
        [], [theirs_unpaid("X-1", order_id="77", total=Money(1201))], foreign=foreign
    ).findings
    assert dearer.expected == "no order of ours; Mei said so when it cost 12.00 CNY"
    cancelled = unpaid("X-1", order_id="", state=OrderState.CANCELLED)
    (under_ours,) = compared([cancelled], [unpaid_one], foreign=foreign).findings
    assert (under_ours.kind, under_ours.order_id) == (FindingKind.ORPHAN, "77")


def test_an_unknown_order_that_came_to_nothing_is_no_finding() -> None:
    """Closed without payment it costs nobody anything; closed after payment it may
    have.
    """
    assert compared([], [theirs_unpaid(status=ServiceStatus.CLOSED)]).findings == []
    closed = only([], [theirs(status=ServiceStatus.CLOSED, close_reason="REFUNDED")])
    assert closed.seen == "closed (REFUNDED), 12.00 CNY paid"


@pytest.mark.parametrize(
    "state", [OrderState.PLANNED, OrderState.REFUSED, OrderState.HELD]
)
def test_an_order_that_the_ledger_knows_as_not_ordered(state: OrderState) -> None:
    """As after the restore of an old backup: the reference is ours, the order is
    not.
    """
    finding = only(
        [unpaid(state=state, order_id="", ordered_at=None)],
        [theirs("A-1", order_id="77")],
    )
    assert (finding.kind, finding.order_ref, finding.order_id) == (
        FindingKind.ORPHAN,
        "A-1",
        "77",
    )
    assert finding.expected == f"A-1 is {state}, without this order"
    assert finding.remedy.startswith(
        "if it is this order: sourcing resolve A-1 ordered 77 --up-to 12.00. If it is not"
    )


def test_the_reference_of_another_marketplace_is_not_ours() -> None:
    """1688 shows what Taobao's order is called: nobody of ours ordered that."""
    shown = {
        TAOBAO: by_id([theirs("A-1")]),
        Marketplace.ALIBABA_1688: by_id([theirs("A-1", order_id="88")]),
    }
    (finding,) = compare(side([ours("A-1")]), shown, since=SINCE, now=NOW).findings
    assert (finding.kind, finding.expected) == (FindingKind.ORPHAN, "no order")


def test_several_orders_under_one_reference() -> None:
    """One finding names them all, whether the ledger knows one of them or none."""
    shown = [theirs("A-1"), theirs_unpaid("A-1", order_id="88")]
    finding = only([ours("A-1")], shown)
    assert finding.kind is FindingKind.SEVERAL_ORDERS
    assert finding.seen == (
        "2 orders under A-1: id-A-1 (paid, 12.00 CNY paid); 88 (unpaid, 12.00 CNY)"
    )
    held = unpaid(state=OrderState.HELD, order_id="", ordered_at=None)
    assert only([held], shown).kind is FindingKind.SEVERAL_ORDERS
    closed = [
        theirs("A-1"),
        theirs_unpaid("A-1", order_id="88", status=ServiceStatus.CLOSED),
    ]
    assert compared([ours("A-1")], closed).findings == []


def test_an_order_that_is_not_there() -> None:
    """The ledger's word is told, and that it must not be ordered again."""
    finding = only([ours()], [])
    assert (finding.kind, finding.expected, finding.seen) == (
        FindingKind.MISSING,
        "booked, 12.00 CNY paid",
        "no such order",
    )
    assert only([unpaid()], []).expected == "ordered"


def test_another_order_in_its_place_is_told_too() -> None:
    orphan, missing = compared([ours()], [theirs(order_id="88")]).findings
    assert (orphan.kind, missing.kind) == (FindingKind.ORPHAN, FindingKind.MISSING)
    assert orphan.expected == "A-1 is booked, without this order"
    assert (orphan.order_id, orphan.seen) == ("88", "paid, 12.00 CNY paid")


def test_what_is_older_than_the_list_is_not_missing() -> None:
    """Its absence means nothing, its presence does."""
    old = ours(ordered_at=SINCE - timedelta(seconds=1))
    assert compared([old], []).compared == 0
    assert compared([old], []).findings == []
    assert only([old], [theirs(paid=Money(1300))]).kind is FindingKind.AMOUNT_DIFFERS


def test_what_came_to_nothing_may_be_gone() -> None:
    """A refunded order, and a cancelled one that was never paid."""
    assert (
        compared(
            [
                ours(state=OrderState.REFUNDED),
                unpaid("A-2", state=OrderState.CANCELLED),
            ],
            [],
        ).findings
        == []
    )


def test_nothing_is_said_of_a_marketplace_that_could_not_be_read() -> None:
    """Neither its orders are missing, nor are its payments."""
    result = compare(side([ours()]), {Marketplace.POIZON: {}}, since=SINCE, now=NOW)
    assert (result.findings, result.compared) == ([], 0)


@pytest.mark.parametrize(
    ("shown", "seen"),
    [
        (theirs_unpaid(), "unpaid, 12.00 CNY"),
        (
            theirs_unpaid(status=ServiceStatus.CLOSED, close_reason="BUYER_NO_PAY"),
            "closed unpaid (BUYER_NO_PAY)",
        ),
        (
            theirs_unpaid(status=ServiceStatus.PAYMENT_PENDING),
            "payment pending, 12.00 CNY",
        ),
    ],
)
def test_a_payment_that_the_service_does_not_show(
    shown: ServiceOrder, seen: str
) -> None:
    """Unpaid or closed there, paid here: one finding, whatever else differs with it."""
    finding = only([ours(shipment_order_id="", tracking_numbers=())], [shown])
    assert (finding.kind, finding.expected, finding.seen) == (
        FindingKind.PAYMENT_DIFFERS,
        "12.00 CNY paid",
        seen,
    )


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        (OrderState.ORDERED, "run its request file again"),
        (OrderState.HELD, "run its request file again"),
        (OrderState.CANCELLED, "ask for the money back: sourcing refund A-1"),
    ],
)
def test_a_payment_that_the_ledger_does_not_have(
    state: OrderState, remedy: str
) -> None:
    finding = only([unpaid(state=state)], [theirs(shipments=())])
    assert (finding.kind, finding.expected) == (
        FindingKind.PAYMENT_DIFFERS,
        f"{state}, not paid",
    )
    assert finding.remedy.startswith(remedy)


def test_an_accepted_payment_that_was_dropped() -> None:
    """Only after the time in which it may still show, and only when the order is
    plainly unpaid.
    """
    pending = unpaid(state=OrderState.PAYMENT_PENDING, payment_clear_at=NOW)
    finding = only([pending], [theirs_unpaid()])
    assert finding.kind is FindingKind.PAYMENT_DIFFERS
    assert "sourcing resolve A-1 not-paid" in finding.remedy
    waiting = changed(pending, payment_clear_at=NOW + timedelta(seconds=1))
    assert compared([waiting], [theirs_unpaid()]).findings == []
    assert (
        compared(
            [pending], [theirs_unpaid(status=ServiceStatus.PAYMENT_PENDING)]
        ).findings
        == []
    )


@pytest.mark.parametrize(
    "state", [OrderState.PAYMENT_PENDING, OrderState.HELD, OrderState.CANCELLED]
)
def test_an_accepted_payment_of_an_order_that_closed_is_asked_about(
    state: OrderState,
) -> None:
    """Also where both accounts have it as over: its money may be away. Nothing advises
    to buy the goods again.
    """
    order = unpaid(state=state, payment_clear_at=NOW + timedelta(seconds=1))
    finding = only([order], [theirs_unpaid(status=ServiceStatus.CLOSED)])
    assert (finding.kind, finding.seen) == (
        FindingKind.PAYMENT_DIFFERS,
        "closed unpaid",
    )
    assert finding.remedy == (
        "look in the wallet's statement. If no money is missing: sourcing resolve A-1 not-paid"
    )


@pytest.mark.parametrize(
    ("order", "shown", "seen", "remedy"),
    [
        (
            unpaid(),
            theirs_unpaid(status=ServiceStatus.CLOSED),
            "closed unpaid",
            "sourcing cancel A-1 closes it here too; to buy it after all, give it a new order_ref",
        ),
        (
            ours(),
            theirs(status=ServiceStatus.CLOSED),
            "closed, 12.00 CNY paid",
            "look whether the money came back. If it did: sourcing resolve A-1 came-back AMOUNT_CNY; if not: "
            "sourcing refund A-1, or ask the marketplace",
        ),
        (
            unpaid(state=OrderState.CANCELLED),
            theirs_unpaid(),
            "unpaid, 12.00 CNY",
            "cancel it again: sourcing cancel A-1, or at the console; unpaid, it closes by itself",
        ),
        (
            ours(state=OrderState.CANCELLED),
            theirs(),
            "paid, 12.00 CNY paid",
            "ask for the money back: sourcing refund A-1, or at the console",
        ),
        (
            ours(),
            theirs(status=ServiceStatus.OTHER),
            "other, 12.00 CNY paid",
            "look it up in the console: the service shows a state that this program does not know",
        ),
    ],
)
def test_over_on_one_side_and_alive_on_the_other(
    order: OrderRecord, shown: ServiceOrder, seen: str, remedy: str
) -> None:
    finding = only([order], [shown])
    assert (finding.kind, finding.expected) == (
        FindingKind.STATE_DIFFERS,
        str(order.state),
    )
    assert (finding.seen, finding.remedy) == (seen, remedy)


def test_a_refund_under_way_may_look_like_anything() -> None:
    """Marketplaces close refunded orders or leave them open; refunds are followed
    elsewhere.
    """
    for state in (OrderState.REFUNDING, OrderState.REFUNDED):
        for status in (ServiceStatus.PAID, ServiceStatus.CLOSED, ServiceStatus.SHIPPED):
            assert (
                compared(
                    [ours(state=state)], [theirs(status=status, shipments=())]
                ).findings
                == []
            )
        closed = theirs(
            status=ServiceStatus.CLOSED, paid=None, paid_at=None, shipments=()
        )
        assert compared([ours(state=state)], [closed]).findings == []
        assert (
            only([ours(state=state)], [theirs_unpaid()]).kind
            is FindingKind.PAYMENT_DIFFERS
        )


@pytest.mark.parametrize(
    ("order", "shown", "expected", "seen"),
    [
        (ours(), theirs(paid=Money(1300)), "paid 12.00 CNY", "paid 13.00 CNY"),
        (ours(), theirs(total=Money(1300)), "total 12.00 CNY", "total 13.00 CNY"),
        (
            ours(),
            theirs(total=Money(1300), paid=Money(1300)),
            "paid 12.00 CNY, total 12.00 CNY",
            "paid 13.00 CNY, total 13.00 CNY",
        ),
        (ours(), theirs(paid=Money(1200, "USD")), "paid 12.00 CNY", "paid 12.00 USD"),
        (
            unpaid(),
            theirs_unpaid(total=Money(1199)),
            "total 12.00 CNY",
            "total 11.99 CNY",
        ),
    ],
)
def test_amounts_that_differ(
    order: OrderRecord, shown: ServiceOrder, expected: str, seen: str
) -> None:
    finding = only([order], [shown])
    assert (finding.kind, finding.expected, finding.seen) == (
        FindingKind.AMOUNT_DIFFERS,
        expected,
        seen,
    )


@pytest.mark.parametrize("paid", [Money(1200), None])
def test_a_closed_order_of_which_a_part_is_told_to_have_come_back_is_no_finding(
    paid: Money | None,
) -> None:
    part = ours(state=OrderState.HELD, refunded=Money(200))
    assert (
        list(
            differences(
                part,
                theirs(status=ServiceStatus.CLOSED, paid=paid),
                now=NOW,
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("order", "shown", "kinds"),
    [
        (unpaid(), theirs_unpaid(paid=Money(0)), []),
        (
            unpaid(state=OrderState.CANCELLED),
            theirs_unpaid(paid=Money(0), status=ServiceStatus.CLOSED),
            [],
        ),
        (
            unpaid(state=OrderState.PAYMENT_PENDING, payment_clear_at=NOW),
            theirs_unpaid(paid=Money(0)),
            [FindingKind.PAYMENT_DIFFERS],
        ),
        (
            ours(shipment_order_id="", tracking_numbers=()),
            theirs_unpaid(paid=Money(0)),
            [FindingKind.PAYMENT_DIFFERS],
        ),
        (ours(), theirs(paid=Money(0)), []),
        (
            unpaid(state=OrderState.PLANNED, order_id="", ordered_at=None),
            theirs_unpaid("X-1", paid=Money(0), status=ServiceStatus.CLOSED),
            [],
        ),
    ],
)
def test_an_amount_paid_of_0_is_none(
    order: OrderRecord, shown: ServiceOrder, kinds: list[FindingKind]
) -> None:
    """A service may show it before payment, and where it doesn't know the amount
    yet.
    """
    assert [one.kind for one in compared([order], [shown]).findings] == kinds


def test_what_came_back_may_be_taken_off() -> None:
    """A marketplace may show what is left after a partial refund, or what was paid."""
    order = ours(refunded=Money(200))
    assert (
        compared([order], [theirs(paid=Money(1000), total=Money(1000))]).findings == []
    )
    assert compared([order], [theirs()]).findings == []
    assert only([order], [theirs(paid=Money(1100))]).kind is FindingKind.AMOUNT_DIFFERS


def test_a_booking_that_the_order_does_not_show() -> None:
    """A finding where other orders show theirs, and where there is no other."""
    assert only([ours()], [theirs(shipments=())]).kind is FindingKind.SHIPMENT_DIFFERS
    finding = only(
        [ours("A-1"), ours("A-2")], [theirs("A-1"), theirs("A-2", shipments=())]
    )
    assert (finding.kind, finding.order_ref) == (FindingKind.SHIPMENT_DIFFERS, "A-2")
    assert (finding.expected, finding.seen) == (
        "ship-A-2 (T-A-2)",
        "no shipment on the order",
    )


def test_a_marketplace_that_shows_no_bookings_is_said_once() -> None:
    """That it shows them is an assumption; none of several is no proof that all are
    lost.
    """
    result = compared(
        [ours("A-1"), ours("A-2")],
        [theirs("A-1", shipments=()), theirs("A-2", shipments=())],
    )
    assert result.findings == []
    assert result.notes == [
        "taobao: no order shows a shipment there, so bookings were not compared"
    ]


@pytest.mark.parametrize(
    "shipments",
    [
        (Shipment(shipment_order_id="other", tracking_numbers=("T-A-1",)),),
        (Shipment(shipment_order_id="ship-A-1", tracking_numbers=("T-9",)),),
        (Shipment(shipment_order_id="ship-A-1", tracking_numbers=("T-A-1", "T-9")),),
        (
            Shipment(shipment_order_id="ship-A-1", tracking_numbers=("T-A-1",)),
            Shipment(shipment_order_id="second", tracking_numbers=("T-2",)),
        ),
    ],
)
def test_another_booking(shipments: tuple[Shipment, ...]) -> None:
    finding = only([ours()], [theirs(shipments=shipments)])
    assert (finding.kind, finding.expected) == (
        FindingKind.SHIPMENT_DIFFERS,
        "ship-A-1 (T-A-1)",
    )


def test_other_numbers_of_one_booking_cancel_nothing() -> None:
    finding = only(
        [ours()],
        [
            theirs(
                shipments=(
                    Shipment(shipment_order_id="ship-A-1", tracking_numbers=("X",)),
                )
            )
        ],
    )
    assert (finding.kind, finding.seen) == (
        FindingKind.SHIPMENT_DIFFERS,
        "ship-A-1 (X)",
    )
    assert finding.remedy.startswith("tracking takes its new numbers")


def test_a_booking_that_the_ledger_does_not_have() -> None:
    finding = only(
        [ours(state=OrderState.PAID, shipment_order_id="", tracking_numbers=())],
        [theirs()],
    )
    assert (finding.kind, finding.expected, finding.seen) == (
        FindingKind.SHIPMENT_DIFFERS,
        "no shipment",
        "ship-A-1 (T-A-1)",
    )
    assert finding.remedy.startswith("run its request file again")


def test_a_booking_without_numbers_yet_agrees() -> None:
    assert (
        compared(
            [ours()],
            [
                theirs(
                    shipments=(
                        Shipment(shipment_order_id="ship-A-1", tracking_numbers=()),
                    )
                )
            ],
        ).findings
        == []
    )


def test_what_another_run_has_in_hand_is_left_out() -> None:
    """It changes while one looks; its new order is no orphan either."""
    busy = unpaid(
        order_id="",
        ordered_at=None,
        in_hand=True,
    )
    result = compared([busy], [theirs_unpaid("A-1", order_id="77")])
    assert (result.findings, result.in_hand) == ([], 1)


def test_the_most_costly_finding_comes_first() -> None:
    ledger = [ours("A-1"), ours("A-2"), ours("A-3")]
    shown = [
        theirs("A-1", shipments=()),
        theirs("A-2", paid=Money(1300)),
        theirs("A-3"),
        theirs("X-1"),
    ]
    assert [finding.kind for finding in compared(ledger, shown).findings] == [
        FindingKind.ORPHAN,
        FindingKind.AMOUNT_DIFFERS,
        FindingKind.SHIPMENT_DIFFERS,
    ]


def test_which_orders_are_looked_up_by_their_id() -> None:
    """Those that the list should have, and unsettled or just paid ones of any age; not
    what is over or has no id.

    A submitted order does not close: finance may pay it days later.
    """
    old = {"ordered_at": SINCE - timedelta(days=1)}
    ledger = [
        ours("A-1"),
        ours("A-2"),
        ours("A-3", **old, paid_at=SINCE - timedelta(days=1)),
        ours("A-8", **old),
        ours("A-9", **old, state=OrderState.REFUNDED),
        unpaid("A-4", state=OrderState.PAYMENT_PENDING, **old),
        ours("A-5", marketplace=Marketplace.POIZON),
        unpaid("A-6", state=OrderState.PLANNED, order_id="", ordered_at=None),
        ours("A-7", state=OrderState.REFUNDED),
    ]
    wanted = to_look_up(ledger, {TAOBAO: by_id([theirs("A-1")])}, since=SINCE)
    assert [order.order_ref for order in wanted] == ["A-2", "A-8", "A-4"]
