"""Several real processes on one batch: in the same instant, and with one of them
stopped in the middle of a send.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from domain.absence import LISTS_BEHIND
from domain.effects import Action, EffectStatus
from domain.reasons import ReasonCode
from domain.states import OrderState
from tests.crashes.books import assert_books_are_exact, kept
from tests.crashes.conftest import in_endurance, one_of
from tests.crashes.light import Job, Speed, bought_before, context, run, start, states
from tests.running import RunningSandbox, single_line_orders, write_csv

LEASE_S = 120
ACTIONS = ("create", "pay", "book")
CASES = ("action", "ledger_settings")
ON_ONE = pytest.mark.parametrize(
    "ledger_settings", ["postgresql", *in_endurance("sqlite")], indirect=True
)


@pytest.fixture
def job(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str]
) -> Job:
    rows = single_line_orders(sandbox, {"taobao": 6, "1688": 6})
    file = write_csv(tmp_path / "requests.csv", rows)
    return Job(
        url=sandbox.url,
        folder=tmp_path,
        file=file,
        chunk_size=6,
        settings=ledger_settings,
    )


@pytest.fixture
def one_order(job: Job) -> Job:
    """One order of 1688, which would take a second one of the same reference; all
    clocks are moved at once.
    """
    sandbox = RunningSandbox(job.url)
    file = write_csv(job.folder / "one.csv", single_line_orders(sandbox, {"1688": 1}))
    settings = {
        **job.settings,
        "SOURCING_LEASE_S": str(LEASE_S),
        "SOURCING_SETTLE_S": "0",
    }
    return replace(
        job, file=file, settings=settings, clock=Speed(moved=job.folder / "moved")
    )


@ON_ONE
def test_three_runs_in_the_same_instant_buy_once(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Each order is bought by one of them, or waits for the first one of its
    marketplace; what each tells is true.
    """
    barrier = context().Barrier(3)
    runs = [start(job, barrier=barrier) for _ in range(3)]
    pids = [item.pid for item in runs]
    assert [item.ends() for item in runs] == [0, 0, 0]
    reports = [job.told(pid) for pid in pids]
    orders, _ = kept(job)
    for report in reports:
        for line in report["orders"]:
            # booked is booked; what another run was still at may be told as less than
            # it is by now
            if line["paid_fen"] is not None:
                assert line["paid_fen"] == orders[line["order_ref"]].paid_minor
            if line["state"] == "booked":
                assert (
                    line["shipment_order_id"]
                    == orders[line["order_ref"]].shipment_order_id
                )
    waits = {ref for ref, order in orders.items() if order.state is OrderState.PLANNED}
    assert {orders[ref].reason_code for ref in waits} <= {ReasonCode.WAITS_FOR_FIRST}
    assert sum(report["bought_this_run"] for report in reports) == 12 - len(waits)
    assert states(run(job)) == dict.fromkeys(orders, "booked")
    books = sandbox.books()
    assert [len(books[kind]) for kind in ("orders", "payments", "shipments")] == [
        12,
        12,
        12,
    ]
    assert_books_are_exact(sandbox, job)


@pytest.mark.parametrize(
    CASES, one_of(ACTIONS, "pay", "sqlite", "postgresql"), indirect=["ledger_settings"]
)
def test_a_run_that_slept_through_its_lease_may_not_send(
    sandbox: RunningSandbox, one_order: Job, action: str
) -> None:
    """It stopped right before the lease is checked; it wakes when another run has taken
    over, and nothing leaves.
    """
    bought_before(one_order)
    sleeper = start(replace(one_order, crash_at=f"stop@before-send:{action}"))
    sleeper.stands_still()
    one_order.clock.move(LEASE_S + LISTS_BEHIND.total_seconds() + 1)
    second = run(one_order)
    sleeper.goes_on()
    pid = sleeper.pid
    assert sleeper.ends() == 0
    assert states(run(one_order)) == {"1688-000": "booked"}
    if action == "book":
        # while the sleeper lived nobody could know; once it had ended, its send log
        # proved that nothing left
        assert states(second) == {"1688-000": "unknown"}
        assert second["orders"][0]["reason"].endswith(
            "booked SHIPMENT_ORDER_ID --tracking NUMBER, or not-booked"
        )
    else:
        assert states(second) == states(one_order.told(pid)) == {"1688-000": "booked"}
    books = sandbox.books()
    assert [len(books[kind]) for kind in ("orders", "payments", "shipments")] == [
        2,
        2,
        2,
    ]
    assert_books_are_exact(sandbox, one_order)


@pytest.mark.parametrize(
    CASES,
    one_of(ACTIONS, "create", "postgresql", "sqlite"),
    indirect=["ledger_settings"],
)
def test_a_run_that_slept_over_the_answer_is_not_believed(
    sandbox: RunningSandbox, one_order: Job, action: str
) -> None:
    """The other run read that it happened and went on; the sleeper's own late word has
    an old fence.
    """
    sleeper = start(replace(one_order, crash_at=f"stop@after-send:{action}"))
    sleeper.stands_still()
    one_order.clock.move(LEASE_S + 1)
    assert states(run(one_order)) == {"1688-000": "booked"}
    before = kept(one_order)
    sleeper.goes_on()
    pid = sleeper.pid
    assert sleeper.ends() == 0
    assert states(one_order.told(pid)) == {"1688-000": "booked"}
    assert kept(one_order) == before
    [effect] = [effect for effect in before[1] if effect.action == action]
    assert (effect.status, effect.fence) == (EffectStatus.DONE, 2)
    books = sandbox.books()
    assert [len(books[kind]) for kind in ("orders", "payments", "shipments")] == [
        1,
        1,
        1,
    ]
    assert_books_are_exact(sandbox, one_order)


@ON_ONE
def test_what_a_stopped_run_may_still_send_is_waited_for(
    sandbox: RunningSandbox, one_order: Job
) -> None:
    """Stopped between the check of the lease and the first byte: within the settle time
    nobody sends in its place.
    """
    job = replace(
        one_order, settings={**one_order.settings, "SOURCING_SETTLE_S": "900"}
    )
    sleeper = start(replace(job, crash_at="stop@before-first-byte:create"))
    sleeper.stands_still()
    job.clock.move(LEASE_S + 1)
    early = run(job)
    assert states(early) == {"1688-000": "unknown"}
    assert early["orders"][0]["reason"].startswith(
        "no answer to create: it may still arrive until "
    )
    sleeper.goes_on()
    assert sleeper.ends() == 0
    job.clock.move(LEASE_S + 1)
    assert states(run(job)) == {"1688-000": "booked"}
    assert Counter(effect.action for effect in kept(job)[1]) == {
        Action.CREATE: 1,
        Action.PAY: 1,
        Action.BOOK: 1,
    }
    assert len(sandbox.books()["orders"]) == 1
    assert_books_are_exact(sandbox, job)
