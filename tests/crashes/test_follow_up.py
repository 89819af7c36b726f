"""A second look at a batch, in real processes: it ends what is open, beside others and
after a kill, and no more.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.ledger.batches import BatchOptions
from connectors.ledger.marks import RESTORED
from connectors.ledger.schema import marks
from domain.money import Money
from tests.crashes.books import assert_books_are_exact, ledger_of
from tests.crashes.light import (
    Job,
    Speed,
    bought_before,
    context,
    killed,
    run,
    start,
    states,
)
from tests.flows.plans import put_approved
from tests.running import RunningSandbox, single_line_orders, write_csv

AFTER_SETTLE_TIME = Speed(ahead_s=1100)
CAUGHT_UP = Speed(ahead_s=3000)
"""By then nothing arrives any more; by then lists show all that arrived."""
LATE = {"kind": "late_effect", "probability": 1, "times": 1, "delay_s": 600}
NEVER = {**LATE, "kind": "http_500"}
EACH_ONCE = [3, 3, 3]
SQLITE, POSTGRESQL = (
    pytest.mark.parametrize("ledger_settings", [name], indirect=True)
    for name in ("sqlite", "postgresql")
)


@pytest.fixture
def job(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str]
) -> Job:
    file = write_csv(
        tmp_path / "requests.csv", single_line_orders(sandbox, {"taobao": 2, "1688": 1})
    )
    return Job(url=sandbox.url, folder=tmp_path, file=file, settings=ledger_settings)


def follow_up(job: Job) -> Job:
    """A look at the job's batch, when its settle time is over."""
    return replace(
        job, does="finish", arguments={"batch": job.batch}, clock=AFTER_SETTLE_TIME
    )


def counted(sandbox: RunningSandbox) -> list[int]:
    """How often something was ordered, paid and booked for the batch."""
    books = sandbox.books()
    own = {
        order["order_id"]
        for order in books["orders"]
        if not order["reference"].startswith("before-")
    }
    shipped = [book for book in books["shipments"] if book["tmall_order_id"] in own]
    return [
        len(own),
        sum(1 for book in books["payments"] if book["order_id"] in own),
        len(shipped),
    ]


@SQLITE
def test_what_got_no_answer_ends_booked_by_itself(
    sandbox: RunningSandbox, job: Job
) -> None:
    """A create and a payment that land late, and ones that never did: after the settle
    time one look finishes all.
    """
    bought_before(job)
    create = "/open/purchase/create*"
    pay = "/open/purchase/pay"
    sandbox.faults(
        {"path": create, **LATE},
        {"path": create, **NEVER},
        {"path": "/alibaba/order/*pay*", **LATE},
    )
    assert set(states(run(job)).values()) == {"unknown"}
    sandbox.advance(601)
    sandbox.faults(
        {"path": pay, **NEVER, "times": 2}
    )  # the two may share a call, or not
    assert sorted(states(run(replace(follow_up(job), clock=CAUGHT_UP))).values()) == [
        "booked",
        "unknown",
        "unknown",
    ]
    sandbox.faults()
    last = run(replace(follow_up(job), clock=Speed(ahead_s=5000)))
    assert set(states(last).values()) == {"booked"}
    assert (counted(sandbox), last["next_look"]) == (EACH_ONCE, None)
    assert_books_are_exact(sandbox, job)


@POSTGRESQL
@pytest.mark.endurance
def test_looks_and_a_run_in_the_same_instant_buy_once(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Two looks and a night at what a killed run left."""
    killed(job, "after-record:create")
    barrier = context().Barrier(3)
    runs = [
        start(item, barrier=barrier)
        for item in (
            follow_up(job),
            follow_up(job),
            replace(job, clock=AFTER_SETTLE_TIME),
        )
    ]
    assert [item.ends() for item in runs] == [0, 0, 0]
    assert set(states(run(follow_up(job))).values()) == {"booked"}
    assert counted(sandbox) == EACH_ONCE
    assert_books_are_exact(sandbox, job)


@pytest.mark.endurance
@SQLITE
def test_a_look_that_is_killed_is_gone_on_with(
    sandbox: RunningSandbox, job: Job
) -> None:
    """By the next look alone; what was approved before the first kill is bought
    once.
    """
    killed(job, "before-intent:create")
    killed(follow_up(job), "after-send:create:2")
    killed(follow_up(job), "after-answer:pay")
    assert set(states(run(follow_up(job))).values()) == {"booked"}
    assert counted(sandbox) == EACH_ONCE
    assert_books_are_exact(sandbox, job)


@POSTGRESQL
@pytest.mark.endurance
def test_nothing_is_bought_that_is_not_approved_or_not_any_more(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Under a mark; planned anew and not approved; another batch's by now; and what the
    budget has no room for.
    """
    killed(job, "before-intent:create")
    with ledger_of(job) as ledger:
        with ledger.transaction() as connection:
            text = {
                "name": RESTORED,
                "at": ledger.clock(),
                "by": "ann",
                "words": "was put back",
            }
            connection.execute(marks.insert().values(text))
        (trouble,) = run(follow_up(job))["troubles"]
        assert (
            "was put back. It has forgotten what was bought after that backup."
            in trouble
        )
        assert ledger.marks.confirm_restored(
            by="ann", listed_within=timedelta(0), last_sent=None
        )
        plans = {
            ref: order.plan
            for ref, order in ledger.orders(ledger.refs_in("batch")).items()
        }
        ledger.put_plans([plans["taobao-000"]], "batch")
        ledger.start_batch("later", "later.csv")
        put_approved(ledger, plans["taobao-001"], batch_id="later")
        poor = BatchOptions(budget=Money(1))
        ledger.batches.begin("batch", "", poor, file="", digest="", flow_run="")
    remaining = {"taobao-000": "planned", "1688-000": "held"}
    assert states(run(follow_up(job))) == remaining
    assert counted(sandbox) == [0, 0, 0]
    with ledger_of(job) as ledger:
        ledger.start_batch("emptied", "by a later file")
    assert run(replace(follow_up(job), arguments={"batch": "emptied"}))["orders"] == []
    (trouble,) = run(replace(follow_up(job), arguments={"batch": "nowhere"}))[
        "troubles"
    ]
    assert trouble.startswith("no batch nowhere in the ledger ")
