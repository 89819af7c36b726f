"""Tracking events: each once, many orders in a commit; and when a parcel is due
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import postgresql

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from connectors.ledger.tracking import _STAND, ALL
from domain.service_orders import Shipment, TraceStatus, TrackingEvent
from domain.states import OrderState
from flows.sync_tracking import RETURNED
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan

H = timedelta(hours=1)


@pytest.fixture
def shipped(ledger_url: str, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(
            ledger, [plan(ref, state="shipped", order_id=ref) for ref in ("A-1", "A-2")]
        )
        yield ledger


def scan(number: str, clock: MovableClock, words: str = "here") -> TrackingEvent:
    return TrackingEvent(
        tracking_number=number,
        occurred_at=clock(),
        status=TraceStatus.TRANSPORT,
        description=words,
    )


def commits(ledger: Ledger) -> list[str]:
    """The transactions that begin from now on and write."""
    begun: list[str] = []
    event.listen(ledger.engine, "commit", lambda _: begun.append("commit"))
    return begun


def test_news_of_several_orders_are_one_commit_and_each_is_recorded_once(
    shipped: Ledger, clock: MovableClock
) -> None:
    known = {
        "A-1": [scan("P", clock), scan("P", clock, "there")],
        "A-2": [scan("Q", clock)],
    }
    begun = commits(shipped)
    moved = OrderChange(
        order_ref="A-2", state=OrderState.IN_WAREHOUSE, expected=OrderState.SHIPPED
    )
    added = shipped.tracking.add(known, [moved])
    assert [
        (row["order_ref"], row["tracking_number"], row["sequence"]) for row in added
    ] == [
        ("A-1", "P", 1),
        ("A-1", "P", 2),
        ("A-2", "Q", 1),
    ]
    assert shipped.orders(["A-2"])["A-2"].state is OrderState.IN_WAREHOUSE
    assert shipped.tracking.add({}) == []
    assert len(begun) == 1
    assert shipped.tracking.add(known) == []
    later = shipped.tracking.add(
        {"A-1": [*known["A-1"], scan("P", clock, "at the door")]}
    )
    assert [(row["sequence"], row["description"]) for row in later] == [
        (3, "at the door")
    ]


def test_what_another_run_recorded_meanwhile_is_not_recorded_twice(
    shipped: Ledger, clock: MovableClock
) -> None:
    with Ledger(shipped.url, clock=clock, owner="second") as other:
        assert len(other.tracking.add({"A-1": [scan("P", clock)]})) == 1
        assert shipped.tracking.add({"A-1": [scan("P", clock)]}) == []
    assert len(shipped.tracking.listed(order_refs=["A-1"])) == 1


def test_scans_of_the_last_days_are_found_by_status_and_by_words_of_any_case(
    shipped: Ledger, clock: MovableClock
) -> None:
    """Older ones are left out."""
    shipped.tracking.add({"A-1": [scan("OLD", clock, "快件已退回")]})
    clock.advance(8 * 86_400)
    back = scan("P", clock, "RETURNED TO SENDER")
    other = scan("Q", clock, "at the door")
    stuck = TrackingEvent(
        tracking_number="R",
        occurred_at=clock(),
        status=TraceStatus.EXCEPTION,
        description="",
    )
    shipped.tracking.add({"A-1": [back, other], "A-2": [stuck]})
    found = shipped.tracking.of_last_days([TraceStatus.EXCEPTION], RETURNED.pattern)
    assert sorted(row["tracking_number"] for row in found) == ["P", "R"]


def test_a_parcel_is_due_the_later_the_longer_it_is_quiet(
    shipped: Ledger, clock: MovableClock
) -> None:
    """A-1 has a scan, A-2 was booked long ago."""
    booked = {"A-1": clock(), "A-2": clock() - 200 * H}
    shipped.tracking.add({"A-1": [scan("P", clock)], "A-2": []}, polled=booked)
    clock.advance(3600)
    assert shipped.tracking.not_due() == {"A-1", "A-2"}
    clock.advance(3600)
    assert shipped.tracking.not_due() == {"A-2"}
    shipped.tracking.add(
        {"A-2": [scan("Q", clock)]}, polled={"A-2": booked["A-2"]}
    )  # as a callback lets it be read
    clock.advance(4 * 3600)
    assert shipped.tracking.not_due() == set()


def test_each_comes_due_again_by_its_hours(
    shipped: Ledger, clock: MovableClock
) -> None:
    """A-1 has a scan, A-2 has none; of 24 hourly runs each reads what is due, and one
    of them is late.
    """
    booked = {"A-1": clock(), "A-2": clock()}
    events = {"A-1": [scan("P", clock)], "A-2": []}
    shipped.tracking.add(events, polled=booked)
    reads = Counter[str]()
    for hour in range(1, 25):
        clock.advance(3600)
        if hour != 7 and (due := {*booked} - shipped.tracking.not_due()):
            reads.update(due)
            assert (
                shipped.tracking.add(events, polled={ref: booked[ref] for ref in due})
                == []
            )
    assert reads == {"A-1": 12, "A-2": 4}


def test_what_could_not_be_read_stays_due(shipped: Ledger, clock: MovableClock) -> None:
    booked = {"A-1": clock(), "A-2": clock()}
    shipped.tracking.add({"A-1": [], "A-2": []}, polled=booked)
    clock.advance(6 * 3600)
    assert shipped.tracking.not_due() == set()
    shipped.tracking.add({"A-1": []}, polled={"A-1": booked["A-1"]})
    assert shipped.tracking.not_due() == {"A-1"}


def test_a_time_of_a_clock_that_was_ahead_keeps_no_parcel_unread(
    shipped: Ledger, clock: MovableClock
) -> None:
    polled = {"A-1": clock()}
    clock.advance(400 * 86_400)
    shipped.tracking.add({"A-1": []}, polled=polled)
    clock.advance(-400 * 86_400)
    assert shipped.tracking.not_due() == set()
    shipped.tracking.add({"A-1": []}, polled=polled)
    assert shipped.tracking.not_due() == {"A-1"}


def test_what_has_arrived_is_not_kept_among_parcels(
    shipped: Ledger, clock: MovableClock
) -> None:
    shipped.tracking.add({"A-1": []}, polled={"A-1": clock()})
    shipped.tracking.add(
        {},
        [OrderChange(order_ref="A-1", state=OrderState.DELIVERED)],
        polled={"A-1": clock()},
    )
    assert shipped.tracking.not_due() == set()


def test_the_scans_of_more_orders_than_a_statement_has_parameters(
    shipped: Ledger, clock: MovableClock
) -> None:
    shipped.tracking.add({"A-1": [scan("P", clock)], "A-2": [scan("Q", clock)]})
    refs = ["A-2", *map(str, range(300_000))]
    assert [
        row["tracking_number"] for row in shipped.tracking.listed(order_refs=refs)
    ] == ["Q"]


def test_a_parcel_that_has_another_number_now_is_due_for_its_shop_again(
    shipped: Ledger,
) -> None:
    """Its buyer would follow a dead one."""
    whole = {
        ref: order.updated_at for ref, order in shipped.orders(["A-1", "A-2"]).items()
    }
    with shipped.exported.exporting([("A-1", "FAR1")], "shop.csv", whole):
        pass
    now = Shipment(shipment_order_id="S-1", tracking_numbers=("FAR2",))
    shipped.tracking.add(
        {}, [OrderChange(order_ref="A-1", writes=OrderUpdate.renumbered(now))]
    )
    assert shipped.exported.of(["A-1", "A-2"]) == {("A-1", "FAR1"), ("A-2", ALL)}


def test_an_export_locks_orders_in_the_order_of_all_writers() -> None:
    """Else PostgreSQL ends one of the two, and an export is not repeated."""
    compiled = _STAND.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    assert "ORDER BY orders.order_ref FOR UPDATE" in str(compiled)
