"""`kill -9` at every named point of creating, paying and booking; a rerun finishes, and
the books are exact.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.crash_points import EFFECT_POINTS
from tests.crashes.books import assert_books_are_exact
from tests.crashes.conftest import in_endurance
from tests.crashes.leads import OF_A_RUN, some_of
from tests.crashes.light import Job, Speed, bought_before, killed, reasons, run, states
from tests.running import RunningSandbox, single_line_orders, write_csv

REFS = ("1688-000", "international-000", "taobao-000")
ALL_BOOKED = dict.fromkeys(REFS, "booked")
AFTER_SETTLE_TIME = Speed(ahead_s=3000)
IN_DOUBT = "before-first-byte"
"""Noted as sent and never sent: the one point whose truth no read can tell at once."""

NTH = {
    "before-intent": 1,
    "after-intent": 1,
    "before-send": 2,
    "after-send": 3,
    "after-answer": 1,
    "after-record": 2,
}
"""Which of the three orders the kill hits; intents are those of all three."""

ACTIONS = [str(kind.action) for kind in OF_A_RUN]
CASES = some_of(
    [
        (point, action)
        for action in ACTIONS
        for point in EFFECT_POINTS
        if point != IN_DOUBT
    ],
    9,
)


@pytest.fixture
def job(sandbox: RunningSandbox, tmp_path: Path) -> Job:
    rows = single_line_orders(sandbox, {"taobao": 1, "1688": 1, "international": 1})
    return Job(
        url=sandbox.url,
        folder=tmp_path,
        file=write_csv(tmp_path / "requests.csv", rows),
    )


@pytest.mark.parametrize(
    ("point", "action"), CASES, ids=[":".join(case) for case in CASES]
)
def test_the_next_run_finishes_at_once(
    sandbox: RunningSandbox, job: Job, point: str, action: str
) -> None:
    """The send log proves what never left, a read finds what did: nobody waits and
    nobody is asked.
    """
    killed(job, f"{point}:{action}:{NTH[point]}")
    report = run(job)
    assert states(report) == ALL_BOOKED
    assert reasons(report, REFS) == ["", "", ""]
    assert_books_are_exact(sandbox, job)


@pytest.mark.parametrize("action", [*in_endurance("create"), "pay"])
def test_what_may_have_left_is_sent_again_after_the_settle_time(
    sandbox: RunningSandbox, job: Job, action: str
) -> None:
    """It was noted and not seen: unknown until it can no longer arrive, and then sent
    for the first time in truth.
    """
    bought_before(job)
    killed(job, f"{IN_DOUBT}:{action}:2")
    early = run(job)
    assert sorted(states(early).values()) == ["booked", "booked", "unknown"]
    [doubted] = [ref for ref, state in states(early).items() if state == "unknown"]
    assert reasons(early, [doubted])[0].startswith(
        f"no answer to {action}: it may still arrive until "
    )
    assert_books_are_exact(sandbox, job)
    assert states(run(replace(job, clock=AFTER_SETTLE_TIME))) == ALL_BOOKED
    assert_books_are_exact(sandbox, job)


@pytest.mark.endurance
def test_the_first_order_at_a_marketplace_that_may_have_left_is_asked_about(
    sandbox: RunningSandbox, job: Job
) -> None:
    """No older order of ours shows that the list would show it: it is not ordered
    again.
    """
    killed(job, f"{IN_DOUBT}:create:2")
    for clock in (AFTER_SETTLE_TIME, Speed(ahead_s=5000)):
        report = run(replace(job, clock=clock))
        [ref] = [ref for ref, state in states(report).items() if state == "unknown"]
        assert (
            f"sourcing resolve {ref} ordered ORDER_ID, or not-ordered"
            in reasons(report, [ref])[0]
        )
    assert len(sandbox.books()["orders"]) == 2
    assert_books_are_exact(sandbox, job)


def test_a_booking_that_may_have_left_is_asked_about_for_ever(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Not seeing a booking proves nothing, at no time: the order keeps its question,
    and is never booked again.
    """
    killed(job, f"{IN_DOUBT}:book:2")
    for clock in (Speed(), AFTER_SETTLE_TIME):
        report = run(replace(job, clock=clock))
        assert sorted(states(report).values()) == ["booked", "booked", "unknown"]
        [order] = [order for order in report["orders"] if order["state"] == "unknown"]
        assert order["reason"] == (
            f"no answer to book. Does the warehouse console show a shipment for order {order['order_id']}? Answer "
            f"with: sourcing resolve {order['order_ref']} booked SHIPMENT_ORDER_ID --tracking NUMBER, or not-booked"
        )
    assert len(sandbox.books()["shipments"]) == 2
    assert_books_are_exact(sandbox, job)


@pytest.mark.parametrize("point", [*in_endurance("after-intent"), "after-send"])
def test_a_run_that_is_killed_again_and_again_gets_there(
    sandbox: RunningSandbox, job: Job, point: str
) -> None:
    """Each run dies at the next effect of the three, and leaves nothing that the
    following can't settle.
    """
    for action in ACTIONS:
        killed(job, f"{point}:{action}")
    assert states(run(job)) == ALL_BOOKED
    assert_books_are_exact(sandbox, job)
