"""What a replay may send when, and what it measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.calls import longest_chain, steps_of
from benchmarks.processes import service
from benchmarks.record import Recorded, sums
from benchmarks.ways import Buyer

ORDER = "205302264452352630"
RENDER = "FF2024080200101"


def call(
    path: str,
    body: str,
    answer: str,
    at: float,
    *,
    took: float = 1.0,
    delay_s: float = 0.0,
) -> Recorded:
    return Recorded("POST", path, body, answer, at, at + took, delay_s)


def one_order() -> list[Recorded]:
    return [
        call("/open/purchase/render", "{}", '{"data":{}}', 0.0, delay_s=2.0),
        call(
            "/open/purchase/create/v2",
            '{"outerPurchaseId":"A-1"}',
            f'{{"data":{{"ids":["{ORDER}"]}}}}',
            2.0,
        ),
        call(
            "/open/purchase/page",
            f'{{"purchaseIds":["{ORDER}"]}}',
            "{}",
            4.0,
            delay_s=3.0,
        ),
        call(
            "/open/pp/logistics/orderRenderFreight?timestamp=1&sign=AB",
            "{}",
            f'{{"renderId":"{RENDER}"}}',
            4.0,
        ),
        call(
            "/open/purchase/pay",
            f'{{"purchaseOrderIdList":["{ORDER}"]}}',
            "{}",
            6.0,
            delay_s=1.0,
        ),
        call(
            "/open/pp/logistics/orderBookingFreight",
            f'{{"renderId":"{RENDER}","id":"{ORDER}"}}',
            "{}",
            8.0,
        ),
    ]


def test_a_call_needs_what_gave_its_ids_and_what_came_before_of_its_order() -> None:
    """A payment waits for the read of its order, a booking for its quote too; a quote
    waits for nobody.
    """
    assert [step.needs for step in steps_of(one_order())] == [
        [],
        [],
        [1],
        [],
        [1, 2],
        [1, 2, 3, 4],
    ]


def test_what_spends_waits_for_the_whole_plan() -> None:
    steps = steps_of(one_order())
    assert [step.is_plan for step in steps] == [True, False, False, False, False, False]
    assert [step.waits_for_plan for step in steps] == [
        False,
        True,
        False,
        False,
        True,
        True,
    ]


def test_ids_of_the_recorded_run_are_exchanged_and_the_old_signature_is_left_out() -> (
    None
):
    steps = steps_of(one_order())
    assert steps[1].gives == [(ORDER, ("data", "ids", 0))]
    assert steps[4].body == ('{"purchaseOrderIdList":["', ORDER, '"]}')
    assert steps[3].target == ("/open/pp/logistics/orderRenderFreight",)
    assert steps[3].signs_query


def test_the_longest_chain_counts_no_call_longer_than_a_client_waits() -> None:
    assert longest_chain(one_order()) == 2.0 + 3.0 + 1.0
    assert longest_chain(one_order(), most_s=1.5) == 1.5 + 1.5 + 1.0


def test_calls_under_way_are_counted_while_work_is_left() -> None:
    """Two at once until the last two have begun, then one after the other ends."""
    notices = sums([(0.0, 2.0), (0.0, 2.0), (2.0, 3.0), (2.0, 6.0)], at_once=2)
    assert notices == {
        "calls": 4,
        "first": 0.0,
        "seconds": 6.0,
        "in_flight": 1.5,
        "in_flight_left": 2.0,
    }


@pytest.mark.endurance
def test_loop_and_replay_buy_the_same(tmp_path: Path) -> None:
    """The bare loop and its calls sent again end in the same books; all of it is bought
    once.
    """
    with service() as (url, pid):
        buyer = Buyer(url, pid, tmp_path, orders=10, at_once=8)
        loop = buyer.loop(buyer.record)
        replay = buyer.replay()
    assert (replay.books, replay.calls) == (loop.books, loop.calls)
    orders, paid, _, shipped = loop.books
    assert (orders, paid, shipped) == (10, 10, 10)
